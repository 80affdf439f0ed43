import assert from 'node:assert/strict'
import { test } from 'node:test'

import { eventually, has, ids, paid, refused, stripe } from './twin.mjs'

// A payment whose fee is known: with automatic_async it is known a moment after the payment.
const booked = async (params = {}) => {
  const made = await paid(params)
  return eventually(async () => {
    const charge = await stripe.charges.retrieve(made.latest_charge)
    return charge.balance_transaction && charge
  }, 'the balance transaction')
}

test('a charge has the fields of a paid one', async () => {
  const customer = await stripe.customers.create()
  const made = await paid({ customer: customer.id, description: 'Order 7', metadata: { order_id: '7' } })
  const charge = await stripe.charges.retrieve(made.latest_charge)
  assert.match(charge.id, /^ch_/)
  has(charge, {
    object: 'charge', amount: 1099, amount_captured: 1099, amount_refunded: 0, captured: true, currency: 'usd',
    customer: customer.id, description: 'Order 7', disputed: false, failure_code: null, failure_message: null,
    livemode: false, metadata: { order_id: '7' }, paid: true, payment_intent: made.id,
    payment_method: made.payment_method, refunded: false, status: 'succeeded'
  })
})
test('a charge describes its card and its outcome', async () => {
  const charge = await stripe.charges.retrieve((await paid()).latest_charge)
  assert.equal(charge.payment_method_details.type, 'card')
  has(charge.payment_method_details.card, { brand: 'visa', last4: '4242', funding: 'credit', country: 'US' })
  has(charge.outcome, {
    network_status: 'approved_by_network', reason: null, risk_level: 'normal', seller_message: 'Payment complete.',
    type: 'authorized'
  })
})
test('a charge has the billing details of its payment method', async () => {
  const billing_details = { name: 'Ada', email: 'ada@example.com' }
  const method = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' }, billing_details })
  const made = await paid({ payment_method: method.id, expand: ['latest_charge'] })
  has(made.latest_charge.billing_details, { name: 'Ada', email: 'ada@example.com', phone: null })
})
test('a charge has a receipt in the browser', async () => {
  const charge = await stripe.charges.retrieve((await paid()).latest_charge)
  assert.ok(URL.canParse(charge.receipt_url))
})
test('a charge has no fee at once, and a balance transaction a moment later', async () => {
  const made = await paid({ expand: ['latest_charge'] })
  assert.equal(made.latest_charge.balance_transaction, null)
  const charge = await booked()
  assert.match(charge.balance_transaction, /^txn_/)
})
test('a charge expands its balance transaction', async () => {
  const { id } = await booked({ amount: 10000 })
  const charge = await stripe.charges.retrieve(id, { expand: ['balance_transaction'] })
  has(charge.balance_transaction, {
    object: 'balance_transaction', amount: 10000, currency: 'usd', fee: 320, net: 9680, source: id, type: 'charge',
    reporting_category: 'charge', status: 'pending'
  })
  assert.deepEqual(charge.balance_transaction.fee_details.map(it => [it.amount, it.type]), [[320, 'stripe_fee']])
})
test('an intent expands the balance transaction of its charge', async () => {
  const { payment_intent } = await booked()
  const read = await stripe.paymentIntents.retrieve(payment_intent, { expand: ['latest_charge.balance_transaction'] })
  has(read.latest_charge.balance_transaction, { amount: 1099, type: 'charge' })
})
test('a list of charges expands their balance transactions', async () => {
  const { id, payment_intent } = await booked()
  const { data } = await stripe.charges.list({ payment_intent, expand: ['data.balance_transaction'] })
  assert.deepEqual(ids(data), [id])
  has(data[0].balance_transaction, { object: 'balance_transaction', source: id })
})
test('a creation expands customer, payment method and charge', async () => {
  const { id } = await stripe.customers.create({ name: 'Ada' })
  const made = await paid({ customer: id, expand: ['customer', 'payment_method', 'latest_charge'] })
  has(made.customer, { id, name: 'Ada' })
  has(made.payment_method, { object: 'payment_method', type: 'card' })
  has(made.latest_charge, { object: 'charge', payment_intent: made.id })
})
test('a property that does not exist cannot be expanded', async () => {
  const made = await paid()
  const error = await refused(stripe.paymentIntents.retrieve(made.id, { expand: ['nonsense'] }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.match(error.message, /This property cannot be expanded \(nonsense\)/)
})
test('charges of an intent show its failed attempts', async () => {
  const made = await stripe.paymentIntents.create({ amount: 500, currency: 'usd', payment_method_types: ['card'] })
  await refused(stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_chargeDeclined' }))
  await stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' })
  const { data } = await stripe.charges.list({ payment_intent: made.id })
  assert.deepEqual(data.map(it => it.status), ['succeeded', 'failed'])
})
test('balance transactions are listed by source and type, and retrieved', async () => {
  const { id, balance_transaction } = await booked()
  assert.deepEqual(ids((await stripe.balanceTransactions.list({ source: id })).data), [balance_transaction])
  const refund = await stripe.refunds.create({ charge: id, amount: 100 })
  const { data } = await stripe.balanceTransactions.list({ type: 'refund' })
  assert.deepEqual(data.map(it => it.source), [refund.id])
  has(await stripe.balanceTransactions.retrieve(balance_transaction), { id: balance_transaction, source: id })
})
test('charges are listed by customer', async () => {
  const { id } = await stripe.customers.create()
  const made = [(await paid({ customer: id })).latest_charge, (await paid({ customer: id })).latest_charge]
  assert.deepEqual(ids((await stripe.charges.list({ customer: id })).data), made.reverse())
})
test('a charge shows the shipping and the suffix of its intent', async () => {
  const shipping = { name: 'Ada', address: { line1: 'Allee 1' } }
  const { latest_charge } = await paid({ shipping, statement_descriptor_suffix: 'R7', expand: ['latest_charge'] })
  assert.deepEqual([latest_charge.shipping.name, latest_charge.statement_descriptor_suffix], ['Ada', 'R7'])
})
test('a charge that does not exist is missing', async () => {
  has(await refused(stripe.charges.retrieve('ch_nonsense')), { statusCode: 404, code: 'resource_missing' })
})
