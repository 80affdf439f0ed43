import assert from 'node:assert/strict'
import { test } from 'node:test'

import { act, authorized, eventually, has, hooks, ids, intent, paid, refused, stripe } from './twin.mjs'

test('a refund of an intent is of its whole amount', async () => {
  const made = await paid()
  const refund = await stripe.refunds.create({ payment_intent: made.id })
  assert.match(refund.id, /^re_/)
  has(refund, {
    object: 'refund', amount: 1099, currency: 'usd', charge: made.latest_charge, metadata: {}, payment_intent: made.id,
    reason: null, status: 'succeeded'
  })
  has(await stripe.charges.retrieve(made.latest_charge), { refunded: true, amount_refunded: 1099, status: 'succeeded' })
  has(await stripe.paymentIntents.retrieve(made.id), { status: 'succeeded', amount_received: 1099 })
})
test('a refund of a charge keeps its reason and metadata', async () => {
  const { latest_charge } = await paid()
  const kept = { reason: 'requested_by_customer', metadata: { rma: '5' } }
  has(await stripe.refunds.retrieve((await stripe.refunds.create({ charge: latest_charge, ...kept })).id), kept)
})
test('partial refunds add up', async () => {
  const made = await paid({ amount: 1000 })
  await stripe.refunds.create({ payment_intent: made.id, amount: 300 })
  has(await stripe.charges.retrieve(made.latest_charge), { refunded: false, amount_refunded: 300 })
  has(await stripe.refunds.create({ payment_intent: made.id }), { amount: 700 })
  has(await stripe.charges.retrieve(made.latest_charge), { refunded: true, amount_refunded: 1000 })
})
test('a refund of more than was paid is refused', async () => {
  const made = await paid({ amount: 1000 })
  const error = await refused(stripe.refunds.create({ payment_intent: made.id, amount: 2000 }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, param: 'amount' })
  assert.equal(error.message, 'Refund amount ($20.00) is greater than charge amount ($10.00)')
})
test('a refund of more than the rest is refused', async () => {
  const made = await paid({ amount: 1000 })
  await stripe.refunds.create({ payment_intent: made.id, amount: 300 })
  const error = await refused(stripe.refunds.create({ payment_intent: made.id, amount: 800 }))
  has(error, { statusCode: 400, param: 'amount' })
  assert.equal(error.message, 'Refund amount ($8.00) is greater than unrefunded amount on charge ($7.00)')
})
test('a refunded charge cannot be refunded again', async () => {
  const made = await paid()
  await stripe.refunds.create({ payment_intent: made.id })
  const error = await refused(stripe.refunds.create({ payment_intent: made.id }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, code: 'charge_already_refunded' })
  assert.equal(error.message, `Charge ${made.latest_charge} has already been refunded.`)
})
test('an unpaid intent cannot be refunded', async () => {
  const error = await refused(stripe.refunds.create({ payment_intent: (await intent()).id }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a refund of an authorisation is not a capture', async () => {
  const made = await authorized()
  const error = await refused(stripe.refunds.create({ payment_intent: made.id, amount: 100 }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a refund needs an intent or a charge', async () => {
  has(await refused(stripe.refunds.create({ amount: 100 })), { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('an update changes metadata only', async () => {
  const refund = await stripe.refunds.create({ payment_intent: (await paid()).id, metadata: { a: '1' } })
  has(await stripe.refunds.update(refund.id, { metadata: { b: '2' } }), { metadata: { a: '1', b: '2' } })
  const error = await refused(stripe.refunds.update(refund.id, { amount: 5 }))
  has(error, { statusCode: 400, code: 'parameter_unknown', param: 'amount' })
})
test('a succeeded refund cannot be canceled', async () => {
  const refund = await stripe.refunds.create({ payment_intent: (await paid()).id })
  has(await refused(stripe.refunds.cancel(refund.id)), { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('refunds of an intent and of a charge are listed newest first', async () => {
  const made = await paid({ amount: 1000 })
  const refunds = []
  for (let round = 0; round < 3; round++) {
    refunds.push((await stripe.refunds.create({ payment_intent: made.id, amount: 100 })).id)
  }
  refunds.reverse()
  const page = await stripe.refunds.list({ payment_intent: made.id })
  has(page, { object: 'list', has_more: false, url: '/v1/refunds' })
  assert.deepEqual(ids(page.data), refunds)
  assert.deepEqual(ids((await stripe.refunds.list({ charge: made.latest_charge, limit: 2 })).data), refunds.slice(0, 2))
})
test('a charge expands its refunds', async () => {
  const made = await paid()
  const refund = await stripe.refunds.create({ payment_intent: made.id, amount: 100 })
  assert.equal((await stripe.charges.retrieve(made.latest_charge)).refunds, undefined)
  const charge = await stripe.charges.retrieve(made.latest_charge, { expand: ['refunds'] })
  assert.deepEqual(ids(charge.refunds.data), [refund.id])
})
test('a refund expands its balance transaction and charge', async () => {
  const params = { payment_intent: (await paid()).id, amount: 500, expand: ['balance_transaction', 'charge'] }
  const refund = await stripe.refunds.create(params)
  has(refund.balance_transaction, { object: 'balance_transaction', amount: -500, type: 'refund', source: refund.id })
  has(refund.charge, { object: 'charge', amount_refunded: 500 })
})
test('a refund that fails later gives the money back to the balance', async () => {
  const made = await paid({ payment_method: 'pm_card_pendingRefund' })
  const refund = await stripe.refunds.create({ payment_intent: made.id })
  has(refund, { status: 'pending' })
  await act(`refunds/${refund.id}/finish`, { outcome: 'failed' })
  const read = await stripe.refunds.retrieve(refund.id)
  has(read, { status: 'failed' })
  assert.ok(read.failure_reason)
  has(await stripe.charges.retrieve(made.latest_charge), { refunded: false, amount_refunded: 0 })
})
test('a refund is delivered as events of the refund and the charge', async () => {
  const made = await paid()
  const refund = await stripe.refunds.create({ payment_intent: made.id })
  for (const [type, id] of [['refund.created', refund.id], ['charge.refunded', made.latest_charge]]) {
    await eventually(() => hooks.webhooks.some(({ event }) => event.type === type && event.data.object.id === id), type)
  }
})
test('a refund that does not exist is missing', async () => {
  has(await refused(stripe.refunds.retrieve('re_nonsense')), { statusCode: 404, code: 'resource_missing' })
})
