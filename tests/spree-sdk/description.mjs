// Compares an answer with Spree's description of the Storefront API: ../spree-description.
import { readFileSync } from 'node:fs'

const read = name => JSON.parse(readFileSync(new URL(`../spree-description/${name}.json`, import.meta.url)))
const { resources, pages } = read('storefront')
const declared = new Set(read('differences').map(it => `${it.type} ${it.attribute} ${it.is}`))

const kindOf = value => {
  if (value === undefined) return 'absent'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

// Whether a value is of a described type, such as `string?`.
const fits = (value, described) => {
  const kind = kindOf(value)
  if (kind === 'null') return described.endsWith('?')
  const type = described.replace('?', '')
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'time') return kind === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)
  return kind === type
}

// The undeclared differences of an answer to a request without sparse fields.
export const undeclared = (path, answer) => {
  const found = []
  const compare = (type, values, described) => {
    for (const [name, as] of Object.entries(described)) {
      if (!fits(values[name], as)) found.push(`${type} ${name} ${kindOf(values[name])}`)
    }
  }
  for (const resource of [answer.data ?? [], answer.included ?? []].flat()) {
    const type = resource.type === 'order' ? 'cart' : resource.type
    const described = resources[type]
    if (!described) {
      found.push(`${type} is not described`)
      continue
    }
    compare(type, resource.attributes, described.attributes)
    for (const name of Object.keys(resource.attributes)) if (!(name in described.attributes)) found.push(`${type} ${name} more`)
    for (const [name, to] of Object.entries(described.relationships)) {
      const data = resource.relationships?.[name]?.data
      if (data === undefined || Array.isArray(data) !== (to === 'many')) found.push(`${type} has no relationship ${name}`)
    }
  }
  if (pages.paths.some(it => path.split('?')[0].endsWith(it))) {
    for (const part of ['meta', 'links']) compare(part, answer[part] ?? {}, pages[part])
  }
  return found.filter(it => !declared.has(it))
}
