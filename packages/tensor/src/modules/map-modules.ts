import { Module } from './module.js'

/**
 * A copy of a model that shares its tensors, with some modules replaced: `replace(path, module)` returns the new one, or undefined to
 * descend. The original is untouched. This is what quantizing a model is built on.
 *
 * Modules are copied field by field, so they must not use `#private` fields or functions bound to `this`.
 *
 * @example
 * ```ts
 * import { Dropout, Linear, mapModules, Rng, Sequential } from '@bio/tensor'
 *
 * const model = new Sequential(new Linear(2, 2, { rng: new Rng(0) }), new Dropout(0.5, { rng: new Rng(1) }))
 * const plain = mapModules(model, (path, module) => (module instanceof Dropout ? new Sequential() : undefined))
 * console.log(plain.layers[1].constructor.name, plain.layers[0].weight === model.layers[0].weight) // => Sequential true
 * ```
 */
export function mapModules<M extends Module>(
  model: M,
  replace: (path: string, module: Module) => Module | undefined,
): M {
  const copies = new Map<Module, Module>()

  const copyModule = (path: string, module: Module): Module => {
    const known = copies.get(module)
    if (known !== undefined) return known
    const replaced = replace(path, module)
    const copy = replaced ?? (Object.create(Object.getPrototypeOf(module) as object) as Module)
    copies.set(module, copy)
    if (replaced === undefined) {
      const prefix = path === '' ? '' : `${path}.`
      for (const [field, value] of Object.entries(module)) {
        Object.defineProperty(copy, field, {
          value: copyValue(prefix + field, value),
          writable: true,
          enumerable: true,
          configurable: true,
        })
      }
    }
    return copy
  }

  const copyValue = (path: string, value: unknown): unknown => {
    if (value instanceof Module) return copyModule(path, value)
    if (Array.isArray(value)) return value.map((item, i) => copyValue(`${path}.${i}`, item))
    return value
  }

  return copyModule('', model) as M
}
