import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  WEBHOOK_SECRET, all, apiVersion, eventually, has, hooks, ids, paid, receiver, refused, Stripe, stripe
} from './twin.mjs'

const endpoint = (params = {}) =>
  stripe.webhookEndpoints.create({ url: `${hooks.url}/other`, enabled_events: ['customer.created'], ...params })
const delivered = (type, id, { webhooks } = hooks) =>
  eventually(() => webhooks.find(it => it.event.type === type && it.event.data.object.id === id), `${type} of ${id}`)
const signature = webhook => webhook.headers['stripe-signature']

test('a delivery is verified by its signature', async () => {
  const made = await paid()
  const webhook = await delivered('payment_intent.succeeded', made.id)
  const event = stripe.webhooks.constructEvent(webhook.body, signature(webhook), WEBHOOK_SECRET)
  has(event, { object: 'event', type: 'payment_intent.succeeded', api_version: apiVersion })
  has(event.data.object, { id: made.id, amount_received: 1099 })
})
test('a delivery is verified asynchronously', async () => {
  const { id } = await stripe.customers.create()
  const webhook = await delivered('customer.created', id)
  const event = await stripe.webhooks.constructEventAsync(webhook.body, signature(webhook), WEBHOOK_SECRET)
  assert.equal(event.data.object.id, id)
})
test('a delivery is not verified with another secret', async () => {
  const webhook = await delivered('customer.created', (await stripe.customers.create()).id)
  assert.throws(
    () => stripe.webhooks.constructEvent(webhook.body, signature(webhook), 'whsec_other'),
    error => error instanceof Stripe.errors.StripeSignatureVerificationError
  )
})
test('a changed delivery is not verified', async () => {
  const webhook = await delivered('customer.created', (await stripe.customers.create()).id)
  const changed = webhook.body.toString().replace('customer.created', 'customer.deleted')
  assert.throws(() => stripe.webhooks.constructEvent(changed, signature(webhook), WEBHOOK_SECRET), /signature/)
})
test('the time of a signature is that of its delivery', async () => {
  const webhook = await delivered('customer.created', (await stripe.customers.create()).id)
  const time = Number(signature(webhook).match(/t=(\d+)/)[1])
  assert.ok(Math.abs(Date.now() / 1000 - time) < 30)
})
test("a delivery has Stripe's headers", async () => {
  const webhook = await delivered('customer.created', (await stripe.customers.create()).id)
  assert.match(webhook.headers['user-agent'], /^Stripe\/1\.0/)
  assert.match(webhook.headers['content-type'], /^application\/json; charset=utf-8$/)
})
test('a refused delivery is sent again, signed anew', async () => {
  hooks.refusedTypes.add('customer.created')
  const { id } = await stripe.customers.create()
  await eventually(
    () => hooks.webhooks.filter(it => it.event.data.object.id === id).length === 2, 'the second delivery'
  )
  hooks.refusedTypes.clear()
  const [first, second] = hooks.webhooks.filter(it => it.event.data.object.id === id)
  assert.equal(first.event.id, second.event.id)
  stripe.webhooks.constructEvent(second.body, signature(second), WEBHOOK_SECRET)
})
test('a created endpoint shows its secret once', async () => {
  const kept = { description: 'A warehouse', metadata: { team: 'w' } }
  const made = await endpoint(kept)
  assert.match(made.id, /^we_/)
  assert.match(made.secret, /^whsec_/)
  has(made, {
    ...kept, object: 'webhook_endpoint', enabled_events: ['customer.created'], livemode: false, status: 'enabled',
    url: `${hooks.url}/other`
  })
  const read = await stripe.webhookEndpoints.retrieve(made.id)
  has(read, { ...kept, id: made.id })
  assert.equal(read.secret, undefined)
  await stripe.webhookEndpoints.del(made.id)
})
test('a created endpoint gets its events, signed with its own secret', async () => {
  const own = await receiver()
  const made = await endpoint({ url: own.url, enabled_events: ['customer.created', 'customer.deleted'] })
  const { id } = await stripe.customers.create()
  await stripe.customers.update(id, { name: 'Ada' })
  await stripe.customers.del(id)
  const webhook = await delivered('customer.deleted', id, own)
  has(stripe.webhooks.constructEvent(webhook.body, signature(webhook), made.secret), { type: 'customer.deleted' })
  assert.deepEqual([...new Set(own.webhooks.map(it => it.event.type))].sort(), ['customer.created', 'customer.deleted'])
  await stripe.webhookEndpoints.del(made.id)
})
test('an endpoint of all events gets all', async () => {
  const own = await receiver()
  const made = await endpoint({ url: own.url, enabled_events: ['*'] })
  const { id } = await paid()
  await delivered('payment_intent.succeeded', id, own)
  await stripe.webhookEndpoints.del(made.id)
})
test('an update changes URL, events, description and metadata', async () => {
  const made = await endpoint({ metadata: { a: '1' } })
  const changed = { url: `${hooks.url}/new`, enabled_events: ['refund.created'], description: 'New' }
  const updated = await stripe.webhookEndpoints.update(made.id, { ...changed, metadata: { b: '2' } })
  has(updated, { ...changed, metadata: { a: '1', b: '2' } })
  await stripe.webhookEndpoints.del(made.id)
})
test('a disabled endpoint gets nothing until it is enabled again', async () => {
  const own = await receiver()
  const made = await endpoint({ url: own.url })
  has(await stripe.webhookEndpoints.update(made.id, { disabled: true }), { status: 'disabled' })
  const missed = await stripe.customers.create()
  await delivered('customer.created', missed.id)
  has(await stripe.webhookEndpoints.update(made.id, { disabled: false }), { status: 'enabled' })
  const { id } = await stripe.customers.create()
  await delivered('customer.created', id, own)
  assert.deepEqual(own.webhooks.map(it => it.event.data.object.id), [id])
  await stripe.webhookEndpoints.del(made.id)
})
test('endpoints are listed newest first', async () => {
  const made = [await endpoint(), await endpoint(), await endpoint()]
  const page = await stripe.webhookEndpoints.list({ limit: 2 })
  has(page, { object: 'list', has_more: true, url: '/v1/webhook_endpoints' })
  assert.deepEqual(ids(page.data), [made[2].id, made[1].id])
  const every = ids(await all(stripe.webhookEndpoints.list({ limit: 2 })))
  assert.ok(made.every(it => every.includes(it.id)))
  for (const { id } of made) await stripe.webhookEndpoints.del(id)
})
test('a deleted endpoint is missing and gets nothing', async () => {
  const own = await receiver()
  const made = await endpoint({ url: own.url })
  has(await stripe.webhookEndpoints.del(made.id), { id: made.id, object: 'webhook_endpoint', deleted: true })
  await delivered('customer.created', (await stripe.customers.create()).id)
  assert.deepEqual(own.webhooks, [])
  has(await refused(stripe.webhookEndpoints.retrieve(made.id)), { statusCode: 404, code: 'resource_missing' })
})
test('an endpoint with an invalid URL is refused', async () => {
  const error = await refused(endpoint({ url: 'nonsense' }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, param: 'url' })
})
test('an endpoint of an unknown event is refused', async () => {
  const error = await refused(endpoint({ enabled_events: ['order.paid'] }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.match(error.param, /^enabled_events/)
})
test('an endpoint without events is refused', async () => {
  const error = await refused(stripe.webhookEndpoints.create({ url: hooks.url }))
  has(error, { code: 'parameter_missing', param: 'enabled_events' })
})
