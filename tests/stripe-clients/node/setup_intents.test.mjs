import assert from 'node:assert/strict'
import { test } from 'node:test'

import { act, all, eventually, has, hooks, ids, paid, refused, stripe } from './twin.mjs'

const customer = async () => (await stripe.customers.create()).id
const setup = (params = {}) => stripe.setupIntents.create({ payment_method_types: ['card'], ...params })
const confirmed = (payment_method, more = {}) => setup({ payment_method, confirm: true, ...more })

test('a created setup intent waits for a payment method', async () => {
  const to = await customer()
  const made = await setup({ customer: to })
  assert.match(made.id, /^seti_/)
  assert.ok(made.client_secret.startsWith(`${made.id}_secret_`))
  has(made, {
    object: 'setup_intent', customer: to, cancellation_reason: null, description: null, last_setup_error: null,
    livemode: false, metadata: {}, next_action: null, payment_method: null, payment_method_types: ['card'],
    status: 'requires_payment_method', usage: 'off_session'
  })
})
test('parameters of a setup intent are kept', async () => {
  const kept = { description: 'Save a card', metadata: { cart: '1' }, usage: 'on_session' }
  has(await stripe.setupIntents.retrieve((await setup(kept)).id), kept)
})
test('a confirmed setup intent attaches the card', async () => {
  const to = await customer()
  const made = await setup({ customer: to })
  const done = await stripe.setupIntents.confirm(made.id, { payment_method: 'pm_card_visa' })
  has(done, { status: 'succeeded', next_action: null })
  const { data } = await stripe.customers.listPaymentMethods(to)
  assert.deepEqual(ids(data), [done.payment_method])
})
test('a setup intent is confirmed at its creation', async () => {
  has(await confirmed('pm_card_visa', { customer: await customer() }), { status: 'succeeded' })
})
test('a payment method makes a setup intent wait for its confirmation', async () => {
  const made = await setup({ payment_method: 'pm_card_visa' })
  has(made, { status: 'requires_confirmation' })
  has(await stripe.setupIntents.confirm(made.id), { status: 'succeeded' })
})
test('a declined card is not set up', async () => {
  const to = await customer()
  const made = await setup({ customer: to })
  const error = await refused(stripe.setupIntents.confirm(made.id, { payment_method: 'pm_card_chargeDeclined' }))
  has(error, { type: 'StripeCardError', statusCode: 402, code: 'card_declined', decline_code: 'generic_decline' })
  has(error.setup_intent, { id: made.id, status: 'requires_payment_method' })
  const read = await stripe.setupIntents.retrieve(made.id)
  has(read, { status: 'requires_payment_method' })
  has(read.last_setup_error, { code: 'card_declined', type: 'card_error' })
  assert.deepEqual((await stripe.customers.listPaymentMethods(to)).data, [])
})
test('after a decline another card is set up', async () => {
  const made = await setup()
  await refused(stripe.setupIntents.confirm(made.id, { payment_method: 'pm_card_chargeDeclined' }))
  const done = await stripe.setupIntents.confirm(made.id, { payment_method: 'pm_card_visa' })
  has(done, { status: 'succeeded', last_setup_error: null })
})
test('a card that authenticates on setup asks for an authentication', async () => {
  const to = await customer()
  const return_url = 'https://shop.example/cards'
  const made = await confirmed('pm_card_authenticationRequiredOnSetup', { customer: to, return_url })
  has(made, { status: 'requires_action' })
  assert.equal(made.next_action.type, 'redirect_to_url')
})
test('an authenticated setup intent saves a card that pays off session', async () => {
  const to = await customer()
  const made = await confirmed('pm_card_authenticationRequiredOnSetup', { customer: to })
  await act(`setup_intents/${made.id}/finish`, { outcome: 'succeeded' })
  const done = await stripe.setupIntents.retrieve(made.id)
  has(done, { status: 'succeeded' })
  has(await paid({ customer: to, payment_method: done.payment_method, off_session: true }), { status: 'succeeded' })
})
test('a failed authentication of a setup intent is its last error', async () => {
  const made = await confirmed('pm_card_threeDSecure2Required', { customer: await customer() })
  await act(`setup_intents/${made.id}/finish`, { outcome: 'failed' })
  const read = await stripe.setupIntents.retrieve(made.id)
  has(read, { status: 'requires_payment_method', next_action: null })
  has(read.last_setup_error, { code: 'setup_intent_authentication_failure', type: 'invalid_request_error' })
})
test('a setup intent is canceled with a reason', async () => {
  const made = await setup()
  const canceled = await stripe.setupIntents.cancel(made.id, { cancellation_reason: 'abandoned' })
  has(canceled, { status: 'canceled', cancellation_reason: 'abandoned' })
})
test('a canceled setup intent cannot be confirmed', async () => {
  const made = await setup()
  await stripe.setupIntents.cancel(made.id)
  const error = await refused(stripe.setupIntents.confirm(made.id, { payment_method: 'pm_card_visa' }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, code: 'setup_intent_unexpected_state' })
})
test('a succeeded setup intent cannot be canceled', async () => {
  const error = await refused(stripe.setupIntents.cancel((await confirmed('pm_card_visa')).id))
  has(error, { statusCode: 400, code: 'setup_intent_unexpected_state' })
})
test('an update changes the description and metadata', async () => {
  const made = await setup({ metadata: { a: '1' } })
  const updated = await stripe.setupIntents.update(made.id, { description: 'Two', metadata: { b: '2' } })
  has(updated, { description: 'Two', metadata: { a: '1', b: '2' } })
})
test('setup intents of a customer are listed newest first', async () => {
  const to = await customer()
  const made = []
  for (let round = 0; round < 3; round++) made.push((await setup({ customer: to })).id)
  await setup()
  const page = await stripe.setupIntents.list({ customer: to, limit: 2 })
  has(page, { object: 'list', has_more: true, url: '/v1/setup_intents' })
  assert.deepEqual(ids(page.data), [made[2], made[1]])
  assert.equal((await all(stripe.setupIntents.list({ customer: to, limit: 1 }))).length, 3)
})
test('a setup intent expands its payment method', async () => {
  const done = await confirmed('pm_card_mastercard', { expand: ['payment_method'] })
  assert.equal(done.payment_method.card.brand, 'mastercard')
})
test('a succeeded setup intent is delivered as an event', async () => {
  const { id } = await confirmed('pm_card_visa', { customer: await customer() })
  await eventually(
    () => hooks.webhooks.some(({ event }) => event.type === 'setup_intent.succeeded' && event.data.object.id === id),
    'setup_intent.succeeded'
  )
})
test('a failed setup is delivered as an event', async () => {
  const made = await setup()
  await refused(stripe.setupIntents.confirm(made.id, { payment_method: 'pm_card_chargeDeclined' }))
  await eventually(
    () => hooks.webhooks.some(({ event }) => event.type === 'setup_intent.setup_failed' && event.data.object.id === made.id),
    'setup_intent.setup_failed'
  )
})
