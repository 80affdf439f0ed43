// The page of the API's description: it needs nothing but this service, and keeps to its content security policy.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needed, open, picture } from './browser.mjs'

test('the page shows every call, without a network', async () => {
  const base = needed('PAYWRIGHT_URL')
  const foreign = []
  const watch = page => page.on('request', request => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(base)) foreign.push(request.url())
  })
  const page = await open(1200, watch, { at: `${base}/docs`, ready: '.opblock' })
  const description = await (await fetch(`${base}/openapi.json`)).json()
  const calls = Object.values(description.paths).reduce((count, item) => count + Object.keys(item).length, 0)
  assert.equal(await page.$$eval('.opblock', them => them.length) >= calls, true)
  await page.click('#operations-Orders-placeOrder .opblock-summary-control')
  await page.waitForSelector('#operations-Orders-placeOrder .responses-table')
  const shown = await page.$eval('#operations-Orders-placeOrder', it => it.textContent)
  for (const name of ['Idempotency-Key', 'invalid_order', 'idempotency_key_reused']) assert.ok(shown.includes(name), name)
  await picture(page, 'docs')
  assert.deepEqual([foreign, page.mistakes], [[], []])
})
