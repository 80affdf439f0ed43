import assert from 'node:assert/strict'
import { test } from 'node:test'

import { all, apiVersion, eventually, fault, has, ids, paid, refused, stripe } from './twin.mjs'

test('an event has the fields of one and a copy of its object', async () => {
  const customer = await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'events-1' })
  const [event] = (await stripe.events.list({ type: 'customer.created', limit: 1 })).data
  assert.match(event.id, /^evt_/)
  has(event, { object: 'event', api_version: apiVersion, livemode: false, type: 'customer.created' })
  has(event.data.object, { id: customer.id, name: 'Ada' })
  has(event.request, { id: customer.lastResponse.requestId, idempotency_key: 'events-1' })
  has(await stripe.events.retrieve(event.id), { id: event.id, type: event.type })
})
test('an event of an update names the previous attributes', async () => {
  const { id } = await stripe.customers.create({ email: 'one@example.com', name: 'Ada', metadata: { a: '1', b: '2' } })
  await stripe.customers.update(id, { email: 'two@example.com', metadata: { b: '3' } })
  const [event] = (await stripe.events.list({ type: 'customer.updated', limit: 1 })).data
  assert.equal(event.data.object.email, 'two@example.com')
  has(event.data, { previous_attributes: { email: 'one@example.com', metadata: { b: '2' } } })
})
test('an event of a creation names no previous attributes', async () => {
  await stripe.customers.create()
  const [event] = (await stripe.events.list({ type: 'customer.created', limit: 1 })).data
  assert.equal(event.data.previous_attributes, undefined)
})
test('an event of a refunded charge names its previous attributes', async () => {
  const { id } = await paid()
  await stripe.refunds.create({ payment_intent: id })
  const [event] = (await stripe.events.list({ type: 'charge.refunded', limit: 1 })).data
  has(event.data.previous_attributes, { amount_refunded: 0, refunded: false })
})
test('the object of an event does not change later', async () => {
  const { id } = await stripe.customers.create({ name: 'Before' })
  await stripe.customers.update(id, { name: 'After' })
  const [event] = (await stripe.events.list({ type: 'customer.created', limit: 1 })).data
  assert.equal(event.data.object.name, 'Before')
})
test('events are listed newest first and paged', async () => {
  const made = []
  for (let round = 0; round < 12; round++) made.push((await stripe.customers.create()).id)
  const page = await stripe.events.list({ limit: 12 })
  has(page, { object: 'list', has_more: true, url: '/v1/events' })
  assert.deepEqual(page.data.map(it => it.data.object.id), [...made].reverse())
  const every = await all(stripe.events.list({ limit: 5 }))
  assert.equal(new Set(ids(every)).size, every.length)
  assert.deepEqual(ids(every).slice(0, 12), ids(page.data))
})
test('the filter of several types takes each of them', async () => {
  await paid()
  const types = ['payment_intent.created', 'payment_intent.succeeded']
  const { data } = await stripe.events.list({ types, limit: 2 })
  assert.deepEqual(data.map(it => it.type).sort(), types)
})
test('the filter of a type takes a wildcard', async () => {
  await paid()
  const { data } = await stripe.events.list({ type: 'charge.*', limit: 100 })
  assert.ok(data.length > 0 && data.every(it => it.type.startsWith('charge.')))
})
test('the filter of times takes ranges', async () => {
  const [event] = (await stripe.events.list({ limit: 1 })).data
  assert.deepEqual((await stripe.events.list({ created: { gt: event.created + 60 } })).data, [])
  assert.ok((await stripe.events.list({ created: { gte: event.created } })).data.length > 0)
})
test('a payment has its events', async () => {
  const made = await paid()
  const { data } = await stripe.events.list({ limit: 10 })
  const of = data.filter(it => [made.id, made.latest_charge].includes(it.data.object.id)).map(it => it.type)
  for (const type of ['payment_intent.created', 'charge.succeeded', 'payment_intent.succeeded']) {
    assert.ok(of.includes(type), `${type} is in ${of}`)
  }
})
test('an event is pending until its endpoints have received it', async () => {
  await fault({ kind: 'webhook_drop', path: '/v1/customers', times: 1 })
  const missed = await stripe.customers.create()
  const received = await stripe.customers.create()
  const newest = async delivery_success =>
    (await stripe.events.list({ type: 'customer.created', delivery_success, limit: 1 })).data[0]
  await eventually(async () => (await newest(true))?.data.object.id === received.id, 'the delivery')
  has(await newest(true), { pending_webhooks: 0 })
  const pending = await newest(false)
  assert.equal(pending.data.object.id, missed.id)
  has(await stripe.events.retrieve(pending.id), { pending_webhooks: 1 })
})
test('an update without a change has no event', async () => {
  const { id } = await stripe.customers.create({ name: 'Ada', metadata: { a: '1' } })
  const refund = await stripe.refunds.create({ payment_intent: (await paid()).id, metadata: { a: '1' } })
  const [before] = (await stripe.events.list({ limit: 1 })).data
  await stripe.customers.update(id, { name: 'Ada', metadata: { a: '1' } })
  await stripe.refunds.update(refund.id, { metadata: { a: '1' } })
  assert.deepEqual(ids((await stripe.events.list({ limit: 1 })).data), [before.id])
})
test('an event that does not exist is missing', async () => {
  has(await refused(stripe.events.retrieve('evt_nonsense')), { statusCode: 404, code: 'resource_missing' })
})
