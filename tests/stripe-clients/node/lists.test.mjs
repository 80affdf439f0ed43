import assert from 'node:assert/strict'
import { test } from 'node:test'

import { all, has, ids, intent, paid, refused, stripe } from './twin.mjs'

const customer = await stripe.customers.create({ email: 'lists@example.com' })
const made = []
for (let amount = 1001; amount <= 1012; amount++) made.push(await intent({ amount, customer: customer.id }))
const newestFirst = ids(made).reverse()
const list = params => stripe.paymentIntents.list({ customer: customer.id, ...params })

test('a list has ten items by default, newest first', async () => {
  const page = await list()
  has(page, { object: 'list', has_more: true, url: '/v1/payment_intents' })
  assert.deepEqual(ids(page.data), newestFirst.slice(0, 10))
})
test('a list of all has no more', async () => {
  const page = await list({ limit: 100 })
  has(page, { has_more: false })
  assert.deepEqual(ids(page.data), newestFirst)
})
test('starting_after goes on behind an item', async () => {
  const page = await list({ limit: 3, starting_after: newestFirst[3] })
  has(page, { has_more: true })
  assert.deepEqual(ids(page.data), newestFirst.slice(4, 7))
})
test('ending_before goes back to newer items', async () => {
  const page = await list({ limit: 3, ending_before: newestFirst[6] })
  has(page, { has_more: true })
  assert.deepEqual(ids(page.data), newestFirst.slice(3, 6))
})
test('the page before the second item has one item and no more', async () => {
  const page = await list({ limit: 3, ending_before: newestFirst[1] })
  has(page, { has_more: false })
  assert.deepEqual(ids(page.data), newestFirst.slice(0, 1))
})
test('auto-paging visits all items once, newest first', async () => {
  assert.deepEqual(ids(await all(list({ limit: 5 }))), newestFirst)
})
test('auto-paging with ending_before visits newer items, oldest first', async () => {
  const oldest = newestFirst.at(-1)
  assert.deepEqual(ids(await all(list({ limit: 5, ending_before: oldest }))), newestFirst.slice(0, -1).reverse())
})
test('the filter of customers leaves out other intents', async () => {
  const other = await intent()
  assert.ok(!ids(await all(list({ limit: 100 }))).includes(other.id))
  assert.deepEqual((await stripe.paymentIntents.list({ customer: customer.id, limit: 1 })).data[0].customer, customer.id)
})
test('the filter of times takes ranges', async () => {
  const [from, to] = [made[0].created, made.at(-1).created]
  assert.equal((await all(list({ created: { gte: from, lte: to }, limit: 100 }))).length, 12)
  assert.deepEqual((await list({ created: { gt: to } })).data, [])
  assert.deepEqual((await list({ created: { lt: from } })).data, [])
})
test('the filter of times takes one second', async () => {
  const page = await list({ created: made[0].created, limit: 100 })
  assert.ok(ids(page.data).includes(made[0].id))
  assert.deepEqual((await list({ created: made[0].created - 5 })).data, [])
})
test('a list of a customer without intents is empty', async () => {
  const { id } = await stripe.customers.create()
  has(await stripe.paymentIntents.list({ customer: id }), { data: [], has_more: false })
})
test('limits outside 1 to 100 are refused', async () => {
  for (const limit of [0, 101]) has(await refused(list({ limit })), { statusCode: 400, param: 'limit' })
})
test('an unknown cursor is refused', async () => {
  const error = await refused(list({ starting_after: 'pi_nonsense' }))
  has(error, { type: 'StripeInvalidRequestError', code: 'resource_missing', param: 'starting_after' })
})
test('both cursors at once are refused', async () => {
  const error = await refused(list({ starting_after: newestFirst[0], ending_before: newestFirst[5] }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('an unknown filter is refused', async () => {
  has(await refused(list({ status: 'succeeded' })), { statusCode: 400, code: 'parameter_unknown', param: 'status' })
})
test('a list expands the customer of each item', async () => {
  const page = await list({ limit: 2, expand: ['data.customer'] })
  assert.deepEqual(page.data.map(it => it.customer.email), ['lists@example.com', 'lists@example.com'])
})
test('charges, refunds and balance transactions are listed newest first', async () => {
  const charges = []
  const refunds = []
  for (let round = 0; round < 4; round++) {
    const { latest_charge } = await paid({ customer: customer.id })
    charges.push(latest_charge)
    refunds.push((await stripe.refunds.create({ charge: latest_charge, amount: 100 })).id)
  }
  const { data } = await stripe.charges.list({ customer: customer.id, limit: 4 })
  assert.deepEqual(ids(data), [...charges].reverse())
  assert.deepEqual(ids((await stripe.refunds.list({ limit: 4 })).data), [...refunds].reverse())
  const transactions = (await stripe.balanceTransactions.list({ limit: 100 })).data
  const times = transactions.map(it => it.created)
  assert.deepEqual(times, [...times].sort((one, other) => other - one))
  const sources = transactions.map(it => it.source).filter(it => refunds.includes(it))
  assert.deepEqual(sources, [...refunds].reverse())
})
