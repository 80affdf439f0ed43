import assert from 'node:assert/strict'
import { test } from 'node:test'

import { all, has, ids, refused, stripe } from './twin.mjs'

const address = { city: 'London', country: 'GB', line1: '12 Street', line2: null, postal_code: 'N1', state: null }

test('a customer without parameters has the fields of a new one', async () => {
  const made = await stripe.customers.create()
  assert.match(made.id, /^cus_/)
  has(made, {
    object: 'customer', address: null, description: null, email: null, livemode: false, metadata: {}, name: null,
    phone: null, shipping: null
  })
})
test('every parameter of a customer is kept', async () => {
  const kept = {
    address, description: 'A reader', email: 'ada@example.com', metadata: { shop_id: '5' }, name: 'Ada Lovelace',
    phone: '+4420', preferred_locales: ['en', 'de'], tax_exempt: 'exempt'
  }
  const made = await stripe.customers.create({ ...kept, shipping: { name: 'Ada', phone: '+44', address } })
  const read = await stripe.customers.retrieve(made.id)
  has(read, kept)
  has(read.shipping, { name: 'Ada', phone: '+44', address })
})
test('an update changes what it names', async () => {
  const made = await stripe.customers.create({ email: 'one@example.com', name: 'One', metadata: { a: '1' } })
  const updated = await stripe.customers.update(made.id, { email: 'two@example.com', address, metadata: { b: '2' } })
  has(updated, { email: 'two@example.com', name: 'One', address, metadata: { a: '1', b: '2' } })
})
test('an empty text clears a field', async () => {
  const made = await stripe.customers.create({ name: 'One', phone: '+1', address })
  has(await stripe.customers.update(made.id, { name: '', phone: '', address: '' }), { name: null, phone: null, address: null })
})
test('a deleted customer is answered as deleted', async () => {
  const { id } = await stripe.customers.create()
  has(await stripe.customers.del(id), { id, object: 'customer', deleted: true })
  assert.deepEqual(JSON.parse(JSON.stringify(await stripe.customers.retrieve(id))), { id, object: 'customer', deleted: true })
})
test('a deleted customer cannot be updated or pay', async () => {
  const { id } = await stripe.customers.create()
  await stripe.customers.del(id)
  has(await refused(stripe.customers.update(id, { name: 'X' })), { statusCode: 404, code: 'resource_missing' })
  const params = { amount: 500, currency: 'usd', customer: id }
  const error = await refused(stripe.paymentIntents.create(params))
  has(error, { statusCode: 400, code: 'resource_missing', param: 'customer' })
})
test('customers are listed newest first, without deleted ones', async () => {
  const made = []
  for (let round = 0; round < 11; round++) made.push(await stripe.customers.create())
  await stripe.customers.del(made[5].id)
  const expected = ids(made).reverse()
  expected.splice(5, 1)
  const page = await stripe.customers.list({ limit: 10 })
  has(page, { object: 'list', url: '/v1/customers', has_more: true })
  assert.deepEqual(ids(page.data), expected)
})
test('customers are listed by e-mail, exactly', async () => {
  const email = 'grace@example.com'
  const first = await stripe.customers.create({ email })
  const second = await stripe.customers.create({ email })
  await stripe.customers.create({ email: 'grace@example.org' })
  assert.deepEqual(ids((await stripe.customers.list({ email })).data), [second.id, first.id])
  assert.deepEqual((await stripe.customers.list({ email: 'Grace@example.com' })).data, [])
})
test('auto-paging visits all customers of an e-mail', async () => {
  const email = 'many@example.com'
  const made = []
  for (let round = 0; round < 5; round++) made.push((await stripe.customers.create({ email })).id)
  assert.deepEqual(ids(await all(stripe.customers.list({ email, limit: 2 }))), made.reverse())
})
test('an invalid e-mail address is refused', async () => {
  const error = await refused(stripe.customers.create({ email: 'nonsense' }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, code: 'email_invalid', param: 'email' })
  assert.match(error.message, /^Invalid email address/)
})
test('a customer created with a payment method has it attached', async () => {
  const made = await stripe.customers.create({ payment_method: 'pm_card_visa' })
  const { data } = await stripe.customers.listPaymentMethods(made.id)
  assert.equal(data.length, 1)
  has(data[0], { customer: made.id, type: 'card' })
})
test('a customer keeps its default payment method', async () => {
  const { id } = await stripe.customers.create()
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: id })
  const updated = await stripe.customers.update(id, { invoice_settings: { default_payment_method: card.id } })
  assert.equal(updated.invoice_settings.default_payment_method, card.id)
  const read = await stripe.customers.retrieve(id, { expand: ['invoice_settings.default_payment_method'] })
  assert.equal(read.invoice_settings.default_payment_method.card.last4, '4242')
})
test('a payment method of no customer cannot be the default', async () => {
  const { id } = await stripe.customers.create()
  const card = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } })
  const settings = { invoice_settings: { default_payment_method: card.id } }
  has(await refused(stripe.customers.update(id, settings)), { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a customer that does not exist is missing', async () => {
  const error = await refused(stripe.customers.retrieve('cus_nonsense'))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 404, code: 'resource_missing' })
  assert.equal(error.message, "No such customer: 'cus_nonsense'")
})
