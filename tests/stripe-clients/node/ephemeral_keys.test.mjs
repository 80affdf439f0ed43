import assert from 'node:assert/strict'
import { test } from 'node:test'

import { apiVersion, client, has, refused, stripe } from './twin.mjs'

// The version of a mobile SDK, which is not the server's.
const mobile = { apiVersion: '2020-08-27' }
const customer = await stripe.customers.create()

test('an ephemeral key of a customer lasts an hour', async () => {
  const key = await stripe.ephemeralKeys.create({ customer: customer.id }, mobile)
  has(key, { object: 'ephemeral_key', livemode: false })
  assert.match(key.secret, /^ek_test_/)
  assert.equal(key.expires - key.created, 3600)
})
test('an ephemeral key of an older version names its customer', async () => {
  const key = await stripe.ephemeralKeys.create({ customer: customer.id }, mobile)
  assert.deepEqual(JSON.parse(JSON.stringify(key.associated_objects)), [{ type: 'customer', id: customer.id }])
})
test('a key of an ephemeral key reads its customer and payment methods', async () => {
  const key = await stripe.ephemeralKeys.create({ customer: customer.id }, { apiVersion })
  const phone = client({}, key.secret)
  has(await phone.customers.retrieve(customer.id), { id: customer.id })
  has(await phone.paymentMethods.list({ customer: customer.id, type: 'card' }), { data: [] })
})
test('a key of an ephemeral key reads no other customer', async () => {
  const key = await stripe.ephemeralKeys.create({ customer: customer.id }, { apiVersion })
  const other = await stripe.customers.create()
  const { statusCode } = await refused(client({}, key.secret).customers.retrieve(other.id))
  assert.ok([401, 403, 404].includes(statusCode), `answered ${statusCode}`)
})
test('a deleted ephemeral key is answered and opens nothing', async () => {
  const key = await stripe.ephemeralKeys.create({ customer: customer.id }, { apiVersion })
  has(await stripe.ephemeralKeys.del(key.id), { id: key.id, object: 'ephemeral_key' })
  const { statusCode } = await refused(client({}, key.secret).customers.retrieve(customer.id))
  assert.equal(statusCode, 401)
})
test('an ephemeral key of a customer that does not exist is refused', async () => {
  const error = await refused(stripe.ephemeralKeys.create({ customer: 'cus_nonsense' }, mobile))
  has(error, { type: 'StripeInvalidRequestError', code: 'resource_missing' })
})
