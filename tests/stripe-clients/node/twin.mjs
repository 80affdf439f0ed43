// A twin of its own for each file of tests, a receiver of its webhooks, and Stripe's client that calls it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { after } from 'node:test'

const { PAYWRIGHT = '../../target/debug/paywright', STRIPE_CLIENT = 'stripe' } = process.env
export const { default: Stripe } = await import(STRIPE_CLIENT)
export const WEBHOOK_SECRET = 'whsec_of_these_tests'
// The version that the twin implements; the clients' own defaults are older or newer.
export const apiVersion = '2026-05-27.dahlia'

// Receives webhooks and keeps them; refuses the first delivery of each event whose type is in `refusedTypes`.
export const receiver = async () => {
  const webhooks = []
  const refusedTypes = new Set()
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const event = JSON.parse(body)
    const isFirst = webhooks.every(it => it.event.id !== event.id)
    webhooks.push({ path: request.url, headers: request.headers, body, event })
    response.writeHead(isFirst && refusedTypes.has(event.type) ? 500 : 200).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${server.address().port}`, webhooks, refusedTypes }
}

export const hooks = await receiver()
const program = spawn(
  PAYWRIGHT,
  ['twin', '--port', '0', '--webhook', `${hooks.url}/webhooks`],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, STRIPE_TWIN_WEBHOOK_SECRET: WEBHOOK_SECRET } }
)
after(() => program.kill())
const [line] = await once(createInterface(program.stdout), 'line')
export const twin = new URL(line.match(/http:\/\/[^ ;]+/)[0])

export const client = (options = {}, key = 'sk_test_clients') =>
  new Stripe(key, {
    apiVersion, protocol: 'http', host: twin.hostname, port: twin.port, telemetry: false, maxNetworkRetries: 0, ...options
  })
export const stripe = client()

// Calls of the twin that Stripe does not have: `POST /_twin/…`.
export const act = async (path, form = {}) => {
  const headers = { authorization: 'Bearer sk_test_clients' }
  const answer = await fetch(`${twin.origin}/_twin/${path}`, { method: 'POST', headers, body: new URLSearchParams(form) })
  assert.equal(answer.status, 200, await answer.clone().text())
  return answer.json()
}
export const fault = fault => fetch(`${twin.origin}/_twin/faults`, { method: 'POST', body: JSON.stringify(fault) })

// The error that a call is refused with.
export const refused = async call => {
  try {
    const answer = await call
    assert.fail(`answered: ${JSON.stringify(answer).slice(0, 300)}`)
  } catch (error) {
    if (error.code === 'ERR_ASSERTION') throw error
    return error
  }
}
// Compares the named fields only.
export const has = (object, fields) => {
  const picked = Object.fromEntries(Object.keys(fields).map(name => [name, object?.[name]]))
  assert.deepEqual(JSON.parse(JSON.stringify(picked)), fields)
}
// Waits until `probe` returns a value that is not false, null or undefined.
export const eventually = async (probe, what) => {
  for (let round = 0; round < 600; round++) {
    const value = await probe()
    if (value) return value
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  assert.fail(`not within 30 seconds: ${what}`)
}
export const all = async list => {
  const items = []
  for await (const item of list) items.push(item)
  return items
}
export const ids = list => list.map(it => it.id)

const card = { currency: 'usd', payment_method_types: ['card'] }
export const intent = (params = {}, options) => stripe.paymentIntents.create({ ...card, amount: 1099, ...params }, options)
export const paid = (params = {}) => intent({ payment_method: 'pm_card_visa', confirm: true, ...params })
export const authorized = (params = {}) => paid({ capture_method: 'manual', ...params })
