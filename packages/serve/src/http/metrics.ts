import { prometheusEnergy } from '@bio/energy'
import client, { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { EngineStats } from '../engine/messages.js'
import type { CompletionEnd } from './completion.js'

const seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** What `/metrics` shows, named as vLLM names it under a prefix of our own. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = this.#counter('requests_total', 'Requests by how they ended', ['outcome'])
  readonly #promptTokens = this.#counter('prompt_tokens_total', 'Prompt tokens of finished requests')
  readonly #generationTokens = this.#counter(
    'generation_tokens_total',
    'Generated tokens of finished requests',
  )
  readonly #cachedTokens = this.#counter(
    'prefix_cache_hits_total',
    'Prompt tokens of finished requests found in the cache',
  )
  readonly #energy = prometheusEnergy({ client, registry: this.#registry })
  readonly #timeToFirstToken = this.#histogram(
    'time_to_first_token_seconds',
    'From arrival to the first token',
  )
  readonly #latency = this.#histogram('e2e_request_latency_seconds', 'From arrival to the last token')
  readonly #running = this.#gauge('num_requests_running', 'Requests in the current step')
  readonly #waiting = this.#gauge('num_requests_waiting', 'Requests waiting for a place')
  readonly #cacheUsage = this.#gauge(
    'kv_cache_usage_ratio',
    'Share of the cache blocks that running requests hold',
  )
  readonly #preemptions = this.#gauge(
    'num_preemptions',
    'Requests that gave their blocks back and computed again',
  )

  firstToken(milliseconds: number): void {
    this.#timeToFirstToken.observe(milliseconds / 1000)
  }

  finished(end: CompletionEnd, milliseconds: number): void {
    this.#requests.inc({ outcome: end.finishReason })
    this.#promptTokens.inc(end.promptTokens)
    this.#generationTokens.inc(end.completionTokens)
    this.#cachedTokens.inc(end.cachedTokens)
    // A clock of CPU time may step back; a counter may not, and no answer is to fail over it.
    if (end.energy.joules === null || end.energy.joules >= 0) this.#energy.record(end.energy)
    this.#latency.observe(milliseconds / 1000)
  }

  refused(outcome: 'queue_full' | 'error'): void {
    this.#requests.inc({ outcome })
  }

  /** The text of `/metrics`, with the engine's state of this moment. */
  async render({ scheduler, cache }: EngineStats): Promise<{ contentType: string; text: string }> {
    this.#running.set(scheduler.running)
    this.#waiting.set(scheduler.waiting)
    this.#preemptions.set(scheduler.preemptions)
    this.#cacheUsage.set(cache.usedBlocks / cache.blocks)
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() }
  }

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name: `bio_${name}`, help, labelNames, registers: [this.#registry] })
  }

  #gauge(name: string, help: string): Gauge {
    return new Gauge({ name: `bio_${name}`, help, registers: [this.#registry] })
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name: `bio_${name}`, help, buckets: seconds, registers: [this.#registry] })
  }
}
