import { BioError } from '@bio/errors'
import { formatShape, sameShape } from '../shape.js'
import { Tensor } from '../tensor.js'

/**
 * What has parameters. Subclasses set tensors and modules as fields, alone or in arrays; the field's name becomes part of the parameter's:
 * `layers.0.attention.query.weight`. Fields that start with `#` are private to the class: put no tensor or module there, and nothing that
 * `forward` reads if the module is to be rebuilt by `mapModules`.
 *
 * @example
 * ```ts
 * import { Linear, Module, Rng } from '@bio/tensor'
 *
 * class Classifier extends Module {
 *   up = new Linear(4, 8, { rng: new Rng(0) })
 *   out = new Linear(8, 2, { rng: new Rng(1), bias: false })
 *   forward(x) {
 *     return this.out.forward(this.up.forward(x).relu())
 *   }
 * }
 * console.log(new Classifier().namedParameters().map(([name]) => name).join(' ')) // => up.weight up.bias out.weight
 * ```
 */
export abstract class Module {
  /** Whether dropout and the like are on: see `train` and `eval`. */
  training = true

  /** Tensors with `requiresGrad`, each once. */
  parameters(): Tensor[] {
    return this.namedParameters().map(([, tensor]) => tensor)
  }

  /** Tensors with `requiresGrad`, each once, under the name found first. */
  namedParameters(): [string, Tensor][] {
    const seen = new Set<Tensor>()
    return tensorsOf(this).filter(
      ([, tensor]) => tensor.requiresGrad && !seen.has(tensor) && seen.add(tensor),
    )
  }

  /** This module (under the name '') and all inside it, each once. */
  namedModules(): [string, Module][] {
    const found: [string, Module][] = []
    const seen = new Set<Module>()
    const visit = (name: string, module: Module): void => {
      if (seen.has(module)) return
      seen.add(module)
      found.push([name, module])
      for (const [field, child] of entries(module))
        if (child instanceof Module) visit(join(name, field), child)
    }
    visit('', this)
    return found
  }

  /** Puts this module and all inside it in training mode, or out of it. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode
    return this
  }

  /** `train(false)`. */
  eval(): this {
    return this.train(false)
  }

  /** Forgets the gradients; their memory goes back to the pool. */
  zeroGrad(): void {
    zeroGrad(this.parameters())
  }

  /** All tensors by name, not copied, frozen ones too. A tensor that is used twice has two names. */
  stateDict(): Record<string, Tensor> {
    return Object.fromEntries(tensorsOf(this))
  }

  /**
   * Copies values in, bf16 and f16 widened. All is checked before anything is written: ERR_BIO_STATE for a missing name, a name of nothing
   * (both only if `strict`, the default) or another shape.
   */
  loadStateDict(state: Readonly<Record<string, Tensor>>, { strict = true }: { strict?: boolean } = {}): void {
    const own = this.stateDict()
    const missing = Object.keys(own).filter((name) => !Object.hasOwn(state, name))
    const unexpected = Object.keys(state).filter((name) => !Object.hasOwn(own, name))
    if (strict && missing.length + unexpected.length > 0) {
      refuse(
        'the names of this module',
        `missing: ${list(missing)}; unexpected: ${list(unexpected)}`,
        'Pass { strict: false } to load what fits.',
      )
    }
    const pairs = Object.entries(own).filter(([name]) => Object.hasOwn(state, name))
    const converted = pairs.map(([name, tensor]) => {
      const value = state[name]!
      if (!sameShape(tensor.shape, value.shape))
        refuse(`${name} ${formatShape(tensor.shape)}`, formatShape(value.shape))
      return value.dtype === tensor.dtype ? value.data : value.to(tensor.dtype).data
    })
    pairs.forEach(([, tensor], i) => {
      tensor.data.set(converted[i]!)
      tensor.storage.version++
    })
  }
}

/** The leaf tensors of a module and all inside it. No private method: copies that `mapModules` made must have it too. */
function tensorsOf(module: Module): [string, Tensor][] {
  return module
    .namedModules()
    .flatMap(([name, owner]) =>
      [...entries(owner)]
        .filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor && entry[1].isLeaf)
        .map(([field, tensor]) => [join(name, field), tensor] satisfies [string, Tensor]),
    )
}

/** Forgets the gradients of some tensors; their memory goes back to the pool. */
export function zeroGrad(parameters: readonly Tensor[]): void {
  for (const parameter of parameters) {
    parameter.grad?.storage.release()
    parameter.grad = undefined
  }
}

/** The fields of a module, arrays (of arrays) opened: `layers.0`. */
function* entries(owner: object, prefix = ''): Generator<[string, unknown]> {
  for (const [field, value] of Object.entries(owner)) {
    if (Array.isArray(value)) yield* entries(value, `${prefix}${field}.`)
    else yield [prefix + field, value]
  }
}

const join = (name: string, field: string): string => (name === '' ? field : `${name}.${field}`)

const list = (names: readonly string[]): string =>
  names.length === 0
    ? 'none'
    : `${names.slice(0, 5).join(', ')}${names.length > 5 ? `, … ${names.length - 5} more` : ''}`

function refuse(expected: string, received: string, hint?: string): never {
  throw new BioError('ERR_BIO_STATE', {
    operation: 'loadStateDict',
    expected,
    received,
    ...(hint === undefined ? {} : { hint }),
  })
}
