/**
 * Server-sent events, one per string, made when the reader wants the next: a slow client holds back only itself. `abort` is called when
 * the client goes away.
 */
export function eventStream(events: AsyncGenerator<string>, abort: () => void): Response {
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await events.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(`data: ${value}\n\n`))
    },
    cancel: abort,
  })
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
  })
}
