import assert from 'node:assert/strict'
import { test } from 'node:test'

import { act, eventually, has, hooks, intent, paid, refused, stripe } from './twin.mjs'

const card = 'pm_card_threeDSecure2Required'
const return_url = 'https://shop.example/done?order=7'

test('a 3-D Secure card with a return_url redirects the customer', async () => {
  const made = await paid({ payment_method: card, return_url })
  has(made, { status: 'requires_action', amount_received: 0, last_payment_error: null })
  has(made.next_action, { type: 'redirect_to_url' })
  assert.equal(made.next_action.redirect_to_url.return_url, return_url)
  assert.ok(URL.canParse(made.next_action.redirect_to_url.url))
})
test('a 3-D Secure card without a return_url is left to the SDK', async () => {
  const made = await paid({ payment_method: card })
  has(made, { status: 'requires_action' })
  assert.equal(made.next_action.type, 'use_stripe_sdk')
})
test('use_stripe_sdk=true leaves the authentication to the SDK', async () => {
  const made = await paid({ payment_method: card, use_stripe_sdk: true })
  assert.equal(made.next_action.type, 'use_stripe_sdk')
})
test('an authenticated payment succeeds', async () => {
  const made = await paid({ payment_method: card, return_url })
  await act(`payment_intents/${made.id}/finish`, { outcome: 'succeeded' })
  const read = await stripe.paymentIntents.retrieve(made.id, { expand: ['latest_charge'] })
  has(read, { status: 'succeeded', next_action: null, amount_received: 1099 })
  has(read.latest_charge, { paid: true, status: 'succeeded' })
})
test('an authenticated payment with a manual capture is authorised', async () => {
  const made = await paid({ payment_method: card, return_url, capture_method: 'manual' })
  await act(`payment_intents/${made.id}/finish`, { outcome: 'succeeded' })
  has(await stripe.paymentIntents.retrieve(made.id), { status: 'requires_capture', amount_capturable: 1099 })
})
test('a failed authentication asks for another payment method', async () => {
  const made = await paid({ payment_method: card, return_url })
  await act(`payment_intents/${made.id}/finish`, { outcome: 'failed' })
  const read = await stripe.paymentIntents.retrieve(made.id)
  has(read, { status: 'requires_payment_method', next_action: null, amount_received: 0 })
  has(read.last_payment_error, { code: 'payment_intent_authentication_failure', type: 'invalid_request_error' })
  assert.match(read.last_payment_error.payment_method.id, /^pm_/)
})
test('after a failed authentication another card pays', async () => {
  const made = await paid({ payment_method: card, return_url })
  await act(`payment_intents/${made.id}/finish`, { outcome: 'failed' })
  const confirmed = await stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' })
  has(confirmed, { status: 'succeeded', last_payment_error: null })
})
test('a wanted authentication can be canceled', async () => {
  const made = await paid({ payment_method: card, return_url })
  has(await stripe.paymentIntents.cancel(made.id), { status: 'canceled', next_action: null })
})
test('an off-session payment that needs authentication is declined', async () => {
  const customer = await stripe.customers.create()
  const attached = await stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer: customer.id })
  const params = { customer: customer.id, payment_method: attached.id, confirm: true, off_session: true }
  const error = await refused(intent(params))
  has(error, {
    type: 'StripeCardError', statusCode: 402, code: 'authentication_required', decline_code: 'authentication_required'
  })
  has(error.payment_intent, { status: 'requires_payment_method' })
})
test('error_on_requires_action declines instead of asking for an authentication', async () => {
  const error = await refused(paid({ payment_method: card, error_on_requires_action: true }))
  has(error, { type: 'StripeCardError', statusCode: 402, code: 'authentication_required' })
})
test('error_on_requires_action leaves other cards alone', async () => {
  has(await paid({ error_on_requires_action: true }), { status: 'succeeded' })
})
test('off_session=true leaves other cards alone', async () => {
  has(await paid({ off_session: true }), { status: 'succeeded' })
})
test('off_session=one_off is accepted', async () => {
  has(await paid({ off_session: 'one_off' }), { status: 'succeeded' })
})
test('a card with optional 3-D Secure pays without it', async () => {
  has(await paid({ payment_method: 'pm_card_threeDSecureOptional' }), { status: 'succeeded' })
})
test('a card with optional 3-D Secure authenticates on request', async () => {
  const payment_method_options = { card: { request_three_d_secure: 'any' } }
  has(await paid({ payment_method: 'pm_card_threeDSecureOptional', payment_method_options }), { status: 'requires_action' })
})
test('the wanted authentication is delivered as an event', async () => {
  const made = await paid({ payment_method: card, return_url })
  const webhook = await eventually(
    () => hooks.webhooks.find(({ event }) =>
      event.type === 'payment_intent.requires_action' && event.data.object.id === made.id),
    'payment_intent.requires_action'
  )
  has(webhook.event.data.object, { status: 'requires_action' })
})
test('with confirmation_method=manual an authentication needs a second confirmation', async () => {
  const made = await paid({ payment_method: card, return_url, confirmation_method: 'manual' })
  await act(`payment_intents/${made.id}/finish`, { outcome: 'succeeded' })
  has(await stripe.paymentIntents.retrieve(made.id), { status: 'requires_confirmation' })
  has(await stripe.paymentIntents.confirm(made.id), { status: 'succeeded' })
})
