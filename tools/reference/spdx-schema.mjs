/**
 * Writes packages/energy/src/documents/__fixtures__/spdx-3.0.1.json: the JSON schema of SPDX 3.0.1 (Community Specification License 1.0,
 * © the SPDX project), cut down to the classes that our document uses. Cutting drops alternatives only: what passes here passes the whole.
 *
 *   npm pack @cyclonedx/cdxgen@12.8.4 && tar xzf cyclonedx-cdxgen-12.8.4.tgz
 *   node tools/reference/spdx-schema.mjs package/data/spdx-export.schema.json
 */
import { readFileSync, writeFileSync } from 'node:fs'

const used = [
  'ai_AIPackage',
  'ai_EnergyConsumption',
  'ai_EnergyConsumptionDescription',
  'Annotation',
  'CreationInfo',
  'Organization',
  'Relationship',
  'simplelicensing_LicenseExpression',
  'SpdxDocument',
  'Tool',
]
const prefix = '#/$defs/'
const schema = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const definitions = schema.$defs
const classes = new Set(definitions.AnyClass.anyOf.map(({ $ref }) => $ref.slice(prefix.length)))
const dropped = ({ $ref }) => {
  const name = $ref?.slice(prefix.length)
  return classes.has(name) && !used.includes(name)
}

for (const definition of Object.values(definitions)) {
  for (const holder of [definition, ...(definition.anyOf ?? [])]) {
    if (!holder.anyOf) continue
    const alternatives = holder.anyOf.filter((alternative) => !dropped(alternative))
    holder.anyOf = alternatives.length > 0 ? alternatives : [false]
  }
}

const kept = new Set()
const keep = (node) => {
  if (typeof node !== 'object' || node === null) return
  const name = typeof node.$ref === 'string' ? node.$ref.slice(prefix.length) : undefined
  if (name !== undefined && !kept.has(name)) keep(definitions[(kept.add(name), name)])
  for (const child of Object.values(node)) keep(child)
}
keep({ ...schema, $defs: undefined })

const cut = {
  $comment: `${schema.$comment}. SPDX 3.0.1, Community Specification License 1.0; from @cyclonedx/cdxgen 12.8.4, cut down by tools/reference/spdx-schema.mjs`,
  ...Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$comment' && key !== '$defs')),
  $defs: Object.fromEntries(Object.entries(definitions).filter(([name]) => kept.has(name))),
}
const home = new URL('../../packages/energy/src/documents/__fixtures__/spdx-3.0.1.json', import.meta.url)
writeFileSync(home, `${JSON.stringify(cut)}\n`)
