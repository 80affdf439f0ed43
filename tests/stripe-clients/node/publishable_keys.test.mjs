import assert from 'node:assert/strict'
import { test } from 'node:test'

import { client, has, intent, refused, stripe } from './twin.mjs'

const page = client({}, 'pk_test_page')
const hidden = (object, fields) => {
  for (const field of fields) assert.ok(!(field in object), `${field} in ${JSON.stringify(object)}`)
}
const OF_SERVERS = [
  'amount_capturable', 'amount_received', 'application_fee_amount', 'customer', 'latest_charge', 'metadata', 'on_behalf_of',
  'review', 'statement_descriptor', 'transfer_data', 'transfer_group'
]

test('a publishable key reads an intent without the fields of servers', async () => {
  const customer = (await stripe.customers.create()).id
  const { id, client_secret } = await intent({ customer, metadata: { order: '7' }, description: 'A mug' })
  const read = await page.paymentIntents.retrieve(id, { client_secret })
  has(read, { id, object: 'payment_intent', amount: 1099, client_secret, currency: 'usd', description: 'A mug', shipping: null })
  hidden(read, OF_SERVERS)
  has(await stripe.paymentIntents.retrieve(id), { customer, metadata: { order: '7' } })
})
test('a publishable key confirms an intent, and sees its payment method without metadata', async () => {
  const { id, client_secret } = await intent({ metadata: { order: '7' } })
  const params = { client_secret, payment_method: 'pm_card_visa', expand: ['payment_method'] }
  const confirmed = await page.paymentIntents.confirm(id, params)
  has(confirmed, { id, status: 'succeeded' })
  has(confirmed.payment_method, { object: 'payment_method', customer: null })
  has(confirmed.payment_method.card, { last4: '4242' })
  hidden(confirmed, OF_SERVERS)
  hidden(confirmed.payment_method, ['metadata'])
  hidden(confirmed.payment_method.card, ['fingerprint'])
})
test('the intent of a decline has no more fields for a publishable key', async () => {
  const { id, client_secret } = await intent({ metadata: { order: '7' } })
  const params = { client_secret, payment_method: 'pm_card_chargeDeclined' }
  const error = await refused(page.paymentIntents.confirm(id, params))
  has(error, { type: 'StripeCardError', decline_code: 'generic_decline' })
  has(error.payment_intent, { id, status: 'requires_payment_method' })
  hidden(error.payment_intent, OF_SERVERS)
  hidden(error.payment_intent.last_payment_error.payment_method, ['metadata'])
})
test('a publishable key reads and confirms a setup intent without the fields of servers', async () => {
  const customer = (await stripe.customers.create()).id
  const { id, client_secret } = await stripe.setupIntents.create({ customer, metadata: { a: '1' } })
  const read = await page.setupIntents.retrieve(id, { client_secret })
  has(read, { id, object: 'setup_intent', status: 'requires_payment_method', usage: 'off_session' })
  const confirmed = await page.setupIntents.confirm(id, { client_secret, payment_method: 'pm_card_visa' })
  has(confirmed, { id, status: 'succeeded' })
  for (const shown of [read, confirmed]) hidden(shown, ['application', 'customer', 'latest_attempt', 'mandate', 'metadata'])
})
