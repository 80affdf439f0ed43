// Copies the libraries of the console's pages from node_modules to the assets of crates/http-api, so that a build needs no
// npm. With --check it compares instead, byte by byte: a change of package.json without `npm run vendor` then fails, and
// so does a library that was edited by hand.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const repository = join(here, '../..')
const assets = join(repository, 'crates/http-api/src/console/assets')
// Name among the assets, and path in node_modules.
const files = {
  'pico.min.css': '@picocss/pico/css/pico.min.css',
  'pico.LICENSE.md': '@picocss/pico/LICENSE.md',
  'uPlot.min.css': 'uplot/dist/uPlot.min.css',
  'uPlot.iife.min.js': 'uplot/dist/uPlot.iife.min.js',
  'uPlot.LICENSE': 'uplot/LICENSE',
  'htmx.min.js': 'htmx.org/dist/htmx.min.js',
  'htmx.LICENSE': 'htmx.org/LICENSE'
}

const flags = process.argv.slice(2)
if (flags.some(flag => flag !== '--check')) {
  console.error('Usage: node vendor.mjs [--check]')
  process.exit(2)
}
const checks = flags.includes('--check')

const read = path => {
  try {
    return readFileSync(path)
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  }
}

const problems = []
if (!checks) mkdirSync(assets, { recursive: true })
for (const [name, path] of Object.entries(files)) {
  const asset = join(assets, name)
  const original = read(join(here, 'node_modules', path))
  if (!original) {
    problems.push(`tests/console/node_modules/${path} is missing: run \`npm ci\` in tests/console`)
  } else if (checks) {
    const copy = read(asset)
    const shown = relative(repository, asset)
    if (!copy) problems.push(`${shown} is missing: run \`npm run vendor\` in tests/console`)
    else if (!copy.equals(original)) problems.push(`${shown} differs from node_modules/${path}: run \`npm run vendor\` in tests/console`)
  } else {
    writeFileSync(asset, original)
  }
}
if (problems.length > 0) {
  for (const problem of problems) console.error(problem)
  process.exit(1)
}
console.log(`${Object.keys(files).length} vendored files ${checks ? 'are those of their packages' : 'were copied'}.`)
