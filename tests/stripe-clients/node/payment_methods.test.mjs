import assert from 'node:assert/strict'
import { test } from 'node:test'

import { all, has, ids, paid, refused, stripe } from './twin.mjs'

const customer = async () => (await stripe.customers.create()).id
const card = (token = 'tok_visa', more = {}) => stripe.paymentMethods.create({ type: 'card', card: { token }, ...more })
const attached = async (to, token = 'pm_card_visa') => stripe.paymentMethods.attach(token, { customer: to })

test('a payment method is created from a token', async () => {
  const made = await card()
  assert.match(made.id, /^pm_/)
  has(made, { object: 'payment_method', type: 'card', customer: null, livemode: false, metadata: {} })
  has(made.card, { brand: 'visa', last4: '4242', funding: 'credit', country: 'US' })
  assert.ok(made.card.exp_month >= 1 && made.card.exp_month <= 12 && made.card.exp_year > 2025)
})
test('a payment method keeps billing details and metadata', async () => {
  const address = { city: 'Paris', country: 'FR', line1: '1 Rue', line2: null, postal_code: '75001', state: null }
  const billing_details = { address, email: 'ada@example.com', name: 'Ada', phone: '+33' }
  const made = await card('tok_mastercard', { billing_details, metadata: { nick: 'work' } })
  has(await stripe.paymentMethods.retrieve(made.id), { metadata: { nick: 'work' } })
  has(made.billing_details, billing_details)
  has(made.card, { brand: 'mastercard', last4: '4444' })
})
test('a created payment method pays', async () => {
  const made = await card()
  const done = await paid({ payment_method: made.id })
  has(done, { status: 'succeeded', payment_method: made.id })
})
test('a payment method is attached to a customer', async () => {
  const to = await customer()
  const made = await card()
  has(await stripe.paymentMethods.attach(made.id, { customer: to }), { id: made.id, customer: to })
})
test('a test card is attached as a payment method of its own', async () => {
  const to = await customer()
  const [one, two] = [await attached(to), await attached(to)]
  assert.notEqual(one.id, two.id)
  assert.match(one.id, /^pm_[A-Za-z0-9]+$/)
})
test('payment methods of a customer are listed newest first', async () => {
  const to = await customer()
  const made = []
  for (let round = 0; round < 11; round++) made.push(await attached(to))
  assert.deepEqual(ids(await all(stripe.customers.listPaymentMethods(to, { limit: 4 }))), ids(made).reverse())
  const page = await stripe.paymentMethods.list({ customer: to, type: 'card', limit: 2 })
  has(page, { object: 'list', has_more: true })
  assert.deepEqual(ids(page.data), ids(made).reverse().slice(0, 2))
})
test('the filter of types leaves out cards', async () => {
  const to = await customer()
  await attached(to)
  assert.deepEqual((await stripe.customers.listPaymentMethods(to, { type: 'us_bank_account' })).data, [])
})
test('a payment method of a customer is read through the customer', async () => {
  const to = await customer()
  const made = await attached(to)
  has(await stripe.customers.retrievePaymentMethod(to, made.id), { id: made.id, customer: to })
  const error = await refused(stripe.customers.retrievePaymentMethod(await customer(), made.id))
  has(error, { statusCode: 404, code: 'resource_missing' })
})
test('an update changes billing details, metadata and the expiry', async () => {
  const made = await attached(await customer())
  const updated = await stripe.paymentMethods.update(made.id, {
    billing_details: { name: 'Ada', address: { postal_code: '10115' } }, metadata: { nick: 'home' },
    card: { exp_month: 7, exp_year: 2039 }
  })
  has(updated, { id: made.id, metadata: { nick: 'home' } })
  assert.deepEqual([updated.billing_details.name, updated.billing_details.address.postal_code], ['Ada', '10115'])
  has(updated.card, { exp_month: 7, exp_year: 2039, last4: '4242' })
})
test('allow_redisplay is kept', async () => {
  const made = await card('tok_visa', { allow_redisplay: 'always' })
  has(made, { allow_redisplay: 'always' })
  await stripe.paymentMethods.attach(made.id, { customer: await customer() })
  has(await stripe.paymentMethods.update(made.id, { allow_redisplay: 'limited' }), { allow_redisplay: 'limited' })
})
test('a detached payment method has no customer', async () => {
  const to = await customer()
  const made = await attached(to)
  has(await stripe.paymentMethods.detach(made.id), { id: made.id, customer: null })
  assert.deepEqual((await stripe.customers.listPaymentMethods(to)).data, [])
})
test('a detached payment method cannot be attached again', async () => {
  const to = await customer()
  const made = await attached(to)
  await stripe.paymentMethods.detach(made.id)
  const error = await refused(stripe.paymentMethods.attach(made.id, { customer: to }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.match(error.message, /may not be used again/)
})
test('an attached payment method cannot be attached to another customer', async () => {
  const made = await attached(await customer())
  const error = await refused(stripe.paymentMethods.attach(made.id, { customer: await customer() }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.equal(error.message, 'The payment method you provided has already been attached to a customer.')
})
test('an unattached payment method cannot be detached', async () => {
  const made = await card()
  const error = await refused(stripe.paymentMethods.detach(made.id))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.match(error.message, /not attached to a customer/)
})
test('a declined card cannot be attached', async () => {
  const error = await refused(attached(await customer(), 'pm_card_chargeDeclined'))
  has(error, { type: 'StripeCardError', statusCode: 402, code: 'card_declined', decline_code: 'generic_decline' })
})
test('a card that declines after it is attached can be attached', async () => {
  const to = await customer()
  const made = await attached(to, 'pm_card_chargeCustomerFail')
  const error = await refused(paid({ customer: to, payment_method: made.id }))
  has(error, { type: 'StripeCardError', code: 'card_declined' })
})
test('a payment method cannot be attached to a customer that does not exist', async () => {
  const error = await refused(attached('cus_nonsense'))
  has(error, { type: 'StripeInvalidRequestError', code: 'resource_missing', param: 'customer' })
})
test('a payment method that does not exist is missing', async () => {
  const error = await refused(stripe.paymentMethods.retrieve('pm_nonsense'))
  has(error, { statusCode: 404, code: 'resource_missing' })
  assert.match(error.message, /^No such PaymentMethod: 'pm_nonsense'/)
})
test('a payment saves its card for later payments', async () => {
  const to = await customer()
  const first = await paid({ customer: to, setup_future_usage: 'off_session' })
  const [saved] = (await stripe.customers.listPaymentMethods(to)).data
  assert.equal(saved.id, first.payment_method)
  has(await paid({ customer: to, payment_method: saved.id, off_session: true }), { status: 'succeeded' })
})
test('an unsaved card of a customer pays once only', async () => {
  const to = await customer()
  const first = await paid({ customer: to })
  assert.deepEqual((await stripe.customers.listPaymentMethods(to)).data, [])
  has(await refused(paid({ customer: to, payment_method: first.payment_method })), { statusCode: 400 })
})
test('a payment method of another customer does not pay', async () => {
  const made = await attached(await customer())
  const error = await refused(paid({ customer: await customer(), payment_method: made.id }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a payment method of a customer needs the customer to pay', async () => {
  const made = await attached(await customer())
  has(await refused(paid({ payment_method: made.id })), { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a payment method expands its customer', async () => {
  const to = await customer()
  const made = await attached(to)
  const read = await stripe.paymentMethods.retrieve(made.id, { expand: ['customer'] })
  has(read.customer, { id: to, object: 'customer' })
})
