import assert from 'node:assert/strict'
import { test } from 'node:test'

import { authorized, has, intent, paid, refused, stripe } from './twin.mjs'

test('a created intent waits for a payment method and has the fields of a new one', async () => {
  const made = await intent({ amount: 2000 })
  assert.match(made.id, /^pi_/)
  assert.ok(made.client_secret.startsWith(`${made.id}_secret_`))
  has(made, {
    object: 'payment_intent', amount: 2000, amount_capturable: 0, amount_received: 0, canceled_at: null,
    cancellation_reason: null, capture_method: 'automatic_async', confirmation_method: 'automatic', currency: 'usd',
    customer: null, description: null, last_payment_error: null, latest_charge: null, livemode: false, metadata: {},
    next_action: null, payment_method: null, payment_method_types: ['card'], receipt_email: null,
    setup_future_usage: null, shipping: null, statement_descriptor: null, statement_descriptor_suffix: null,
    status: 'requires_payment_method', transfer_group: null
  })
  assert.ok(Math.abs(made.created - Date.now() / 1000) < 60)
})
test('an intent without types has automatic payment methods', async () => {
  const made = await stripe.paymentIntents.create({ amount: 1099, currency: 'usd' })
  has(made, { automatic_payment_methods: { allow_redirects: 'always', enabled: true } })
  assert.ok(made.payment_method_types.includes('card'))
})
test('an intent keeps allow_redirects=never', async () => {
  const automatic_payment_methods = { enabled: true, allow_redirects: 'never' }
  const made = await stripe.paymentIntents.create({ amount: 1099, currency: 'usd', automatic_payment_methods })
  has(made, { automatic_payment_methods: { allow_redirects: 'never', enabled: true } })
})
test('an intent with redirects needs a return_url to be confirmed', async () => {
  const params = { amount: 1099, currency: 'usd', payment_method: 'pm_card_visa', confirm: true }
  const error = await refused(stripe.paymentIntents.create(params))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.match(error.message, /return_url/)
  has(await stripe.paymentIntents.create({ ...params, return_url: 'https://shop.example/done' }), { status: 'succeeded' })
})
test('types and automatic payment methods exclude each other', async () => {
  const params = { payment_method_types: ['card'], automatic_payment_methods: { enabled: true } }
  has(await refused(intent(params)), { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a currency in upper case is accepted and answered in lower case', async () => {
  has(await intent({ currency: 'USD' }), { currency: 'usd' })
})
test('every descriptive parameter is kept', async () => {
  const address = { city: 'Berlin', country: 'DE', line1: 'Allee 1', line2: null, postal_code: '10115', state: null }
  const shipping = { address, name: 'Ada', phone: '+4930', carrier: 'DHL', tracking_number: 'T1' }
  const kept = {
    description: 'Order 7', metadata: { order_id: '7', 'order.number': 'R7' }, receipt_email: 'ada@example.com',
    setup_future_usage: 'off_session', statement_descriptor_suffix: 'R7', transfer_group: 'G7'
  }
  const sent = { ...shipping, address: { city: 'Berlin', country: 'DE', line1: 'Allee 1', postal_code: '10115' } }
  const made = await intent({ ...kept, shipping: sent })
  has(await stripe.paymentIntents.retrieve(made.id), { ...kept, shipping })
})
test('several payment method types are kept', async () => {
  const made = await intent({ payment_method_types: ['card', 'link'] })
  assert.deepEqual(made.payment_method_types, ['card', 'link'])
})
test('confirmation_method=manual is kept', async () => {
  has(await intent({ confirmation_method: 'manual' }), { confirmation_method: 'manual' })
})
test('payment_method_options of cards are kept', async () => {
  const made = await intent({ payment_method_options: { card: { request_three_d_secure: 'any' } } })
  has(made.payment_method_options.card, { request_three_d_secure: 'any' })
})
test('a payment method makes an intent wait for its confirmation', async () => {
  const made = await intent({ payment_method: 'pm_card_visa' })
  has(made, { status: 'requires_confirmation', latest_charge: null })
  assert.match(made.payment_method, /^pm_/)
})
test('an update changes amount, currency and description', async () => {
  const made = await intent({ amount: 500 })
  const updated = await stripe.paymentIntents.update(made.id, { amount: 700, currency: 'eur', description: 'Two' })
  has(updated, { id: made.id, amount: 700, currency: 'eur', description: 'Two' })
})
test('an update merges metadata, and an empty value removes a key', async () => {
  const made = await intent({ metadata: { a: '1', b: '2' } })
  has(await stripe.paymentIntents.update(made.id, { metadata: { b: '', c: '3' } }), { metadata: { a: '1', c: '3' } })
})
test('an empty text clears all metadata', async () => {
  const made = await intent({ metadata: { a: '1', b: '2' } })
  has(await stripe.paymentIntents.update(made.id, { metadata: '' }), { metadata: {} })
})
test('an empty text clears receipt_email, shipping and setup_future_usage', async () => {
  const shipping = { name: 'Ada', address: { line1: 'Allee 1' } }
  const made = await intent({ receipt_email: 'a@example.com', setup_future_usage: 'on_session', shipping })
  const cleared = { receipt_email: '', setup_future_usage: '', shipping: '' }
  const updated = await stripe.paymentIntents.update(made.id, cleared)
  has(updated, { receipt_email: null, setup_future_usage: null, shipping: null })
})
test('an update with a payment method makes an intent wait for its confirmation', async () => {
  const made = await intent()
  has(await stripe.paymentIntents.update(made.id, { payment_method: 'pm_card_visa' }), { status: 'requires_confirmation' })
})
test('a confirmation pays', async () => {
  const made = await intent()
  const confirmed = await stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' })
  has(confirmed, { status: 'succeeded', amount_received: 1099, amount_capturable: 0, next_action: null })
  assert.match(confirmed.latest_charge, /^ch_/)
})
test('a confirmation with return_url, receipt_email and shipping keeps them', async () => {
  const made = await intent({ payment_method: 'pm_card_visa' })
  const confirmed = await stripe.paymentIntents.confirm(made.id, {
    return_url: 'https://shop.example/done', receipt_email: 'ada@example.com',
    shipping: { name: 'Ada', address: { line1: 'Allee 1' } }
  })
  has(confirmed, { status: 'succeeded', receipt_email: 'ada@example.com' })
  assert.equal(confirmed.shipping.name, 'Ada')
})
test('a confirmation without a payment method is refused', async () => {
  const made = await intent()
  const error = await refused(stripe.paymentIntents.confirm(made.id))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a succeeded intent cannot be confirmed again', async () => {
  const made = await paid()
  const error = await refused(stripe.paymentIntents.confirm(made.id))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, code: 'payment_intent_unexpected_state' })
  has(error.payment_intent, { id: made.id, status: 'succeeded' })
})
test('the amount of a succeeded intent cannot change', async () => {
  const made = await paid()
  const error = await refused(stripe.paymentIntents.update(made.id, { amount: 5 * 1099 }))
  has(error, { statusCode: 400, code: 'payment_intent_unexpected_state' })
})
test('metadata of a succeeded intent can change', async () => {
  const made = await paid()
  has(await stripe.paymentIntents.update(made.id, { metadata: { packed: 'yes' } }), { metadata: { packed: 'yes' } })
})
test('a manual capture authorises first', async () => {
  has(await authorized(), { status: 'requires_capture', amount_capturable: 1099, amount_received: 0 })
})
test('a capture takes the whole authorised amount', async () => {
  const made = await authorized()
  const captured = await stripe.paymentIntents.capture(made.id)
  has(captured, { status: 'succeeded', amount_capturable: 0, amount_received: 1099 })
})
test('a partial capture releases the rest', async () => {
  const made = await authorized({ amount: 1000 })
  const captured = await stripe.paymentIntents.capture(made.id, { amount_to_capture: 400 })
  has(captured, { status: 'succeeded', amount: 1000, amount_capturable: 0, amount_received: 400 })
  has(await stripe.charges.retrieve(captured.latest_charge), { amount: 1000, amount_captured: 400, captured: true })
})
test('a capture with final_capture=false leaves the rest capturable', async () => {
  const payment_method_options = { card: { request_multicapture: 'if_available' } }
  const made = await authorized({ amount: 1000, payment_method_options })
  const first = await stripe.paymentIntents.capture(made.id, { amount_to_capture: 300, final_capture: false })
  has(first, { status: 'requires_capture', amount_capturable: 700, amount_received: 300 })
  const last = await stripe.paymentIntents.capture(made.id, { amount_to_capture: 700 })
  has(last, { status: 'succeeded', amount_capturable: 0, amount_received: 1000 })
})
test('a capture keeps metadata and the suffix of the statement descriptor', async () => {
  const made = await authorized()
  const params = { metadata: { shipped: '1' }, statement_descriptor_suffix: 'S1' }
  has(await stripe.paymentIntents.capture(made.id, params), params)
})
test('a capture of more than is authorised is refused', async () => {
  const made = await authorized()
  const error = await refused(stripe.paymentIntents.capture(made.id, { amount_to_capture: 1100 }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('an intent that is not authorised cannot be captured', async () => {
  const error = await refused(stripe.paymentIntents.capture((await intent()).id))
  has(error, { statusCode: 400, code: 'payment_intent_unexpected_state' })
  assert.equal(error.payment_intent.status, 'requires_payment_method')
})
test('a cancellation keeps its reason and time', async () => {
  const made = await intent()
  const canceled = await stripe.paymentIntents.cancel(made.id, { cancellation_reason: 'abandoned' })
  has(canceled, { status: 'canceled', cancellation_reason: 'abandoned' })
  assert.ok(canceled.canceled_at >= made.created)
})
test('a cancellation releases an authorisation', async () => {
  const canceled = await stripe.paymentIntents.cancel((await authorized()).id)
  has(canceled, { status: 'canceled', amount_capturable: 0, amount_received: 0, cancellation_reason: null })
  has(await stripe.charges.retrieve(canceled.latest_charge), { captured: false, amount_captured: 0 })
})
test('a succeeded intent cannot be canceled', async () => {
  const error = await refused(stripe.paymentIntents.cancel((await paid()).id))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, code: 'payment_intent_unexpected_state' })
  assert.match(error.message, /^You cannot cancel this PaymentIntent because it has a status of succeeded/)
})
test('a canceled intent cannot be confirmed', async () => {
  const made = await intent()
  await stripe.paymentIntents.cancel(made.id)
  const error = await refused(stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' }))
  has(error, { statusCode: 400, code: 'payment_intent_unexpected_state' })
})
test('parts of an amount are kept', async () => {
  const amount_details = {
    line_items: [
      { product_name: 'Mug', quantity: 2, unit_cost: 400 }, { product_name: 'Tea', quantity: 1, unit_cost: 200 }
    ],
    shipping: { amount: 99 }
  }
  const made = await intent({ amount: 1099, amount_details })
  assert.equal(made.amount_details.shipping.amount, 99)
  has(await stripe.paymentIntents.retrieve(made.id, { expand: ['amount_details.line_items'] }), { amount: 1099 })
})
