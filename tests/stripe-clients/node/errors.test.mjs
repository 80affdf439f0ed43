import assert from 'node:assert/strict'
import { test } from 'node:test'

import { authorized, client, fault, has, intent, paid, refused, Stripe, stripe, twin } from './twin.mjs'

const create = (params, options) => stripe.paymentIntents.create(params, options)

for (const [name, params, expected] of [
  ['a missing amount', { currency: 'usd' }, { code: 'parameter_missing', param: 'amount' }],
  ['a missing currency', { amount: 500 }, { code: 'parameter_missing', param: 'currency' }],
  ['an unknown parameter', { nonsense: '1' }, { code: 'parameter_unknown', param: 'nonsense' }],
  ['an unknown nested parameter', { shipping: { name: 'A', address: { line1: 'x', planet: 'y' } } },
    { code: 'parameter_unknown', param: 'shipping[address][planet]' }],
  ['an amount that is not whole', { amount: '10.5' }, { code: 'parameter_invalid_integer', param: 'amount' }],
  ['an amount that is a word', { amount: 'ten' }, { code: 'parameter_invalid_integer', param: 'amount' }],
  ['an amount below the minimum', { amount: 49 }, { code: 'amount_too_small', param: 'amount' }],
  ['an amount above the maximum', { amount: 100_000_000 }, { code: 'amount_too_large', param: 'amount' }],
  ['an unknown currency', { currency: 'xyz' }, { param: 'currency' }],
  ['a boolean that is a word', { confirm: 'maybe' }, { param: 'confirm' }],
  ['an unknown capture_method', { capture_method: 'never' }, { param: 'capture_method' }],
  ['a customer that does not exist', { customer: 'cus_nonsense' }, { code: 'resource_missing', param: 'customer' }],
  ['a payment method that does not exist', { payment_method: 'pm_nonsense' },
    { code: 'resource_missing', param: 'payment_method' }],
  ['a description that is too long', { description: 'x'.repeat(1001) }, { param: 'description' }],
  ['an invalid receipt_email', { receipt_email: 'nonsense' }, { code: 'email_invalid', param: 'receipt_email' }],
  ['a suffix that is too long', { statement_descriptor_suffix: 'X'.repeat(23) }, { param: 'statement_descriptor_suffix' }],
  ['off_session without confirm', { off_session: true }, {}],
  ['too much metadata', { metadata: Object.fromEntries(Array.from({ length: 51 }, (_, it) => [`k${it}`, 'v'])) }, {}],
  ['a metadata key that is too long', { metadata: { ['k'.repeat(41)]: 'v' } }, {}],
  ['a metadata value that is too long', { metadata: { k: 'v'.repeat(501) } }, {}]
]) {
  test(`${name} is refused`, async () => {
    const needed = name.startsWith('a missing') ? {} : { amount: 1099, currency: 'usd' }
    const error = await refused(create({ ...needed, ...params }))
    has(error, { type: 'StripeInvalidRequestError', rawType: 'invalid_request_error', statusCode: 400, ...expected })
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError)
    assert.match(error.requestId, /^req_/)
  })
}
test('the message of a missing parameter names it', async () => {
  const error = await refused(create({ currency: 'usd' }))
  assert.equal(error.message, 'Missing required param: amount.')
  assert.equal(error.doc_url, 'https://stripe.com/docs/error-codes/parameter-missing')
})
test('the message of an unknown parameter names it', async () => {
  const error = await refused(create({ amount: 1099, currency: 'usd', nonsense: '1' }))
  assert.equal(error.message, 'Received unknown parameter: nonsense')
  assert.equal(error.doc_url, 'https://stripe.com/docs/error-codes/parameter-unknown')
})
test('the message of an invalid integer quotes it', async () => {
  assert.equal((await refused(create({ amount: 'ten', currency: 'usd' }))).message, 'Invalid integer: ten')
})
for (const [amount, currency, code, message] of [
  [0, 'usd', 'parameter_invalid_integer', 'This value must be greater than or equal to 1.'],
  [-100, 'usd', 'parameter_invalid_integer', 'This value must be greater than or equal to 1.'],
  [49, 'usd', 'amount_too_small', 'Amount must be at least $0.50 usd'],
  [29, 'gbp', 'amount_too_small', 'Amount must be at least £0.30 gbp'],
  [100_000_000, 'usd', 'amount_too_large', 'Amount must be no more than $999,999.99']
]) {
  test(`an amount of ${amount} ${currency} is refused in Stripe's words`, async () => {
    has(await refused(create({ amount, currency })), { code, param: 'amount', message })
  })
}
test('an amount of nothing is refused in a refund and a capture', async () => {
  const expected = { code: 'parameter_invalid_integer', message: 'This value must be greater than or equal to 1.' }
  const refund = { payment_intent: (await paid()).id, amount: 0 }
  has(await refused(stripe.refunds.create(refund)), { ...expected, param: 'amount' })
  const capture = stripe.paymentIntents.capture((await authorized()).id, { amount_to_capture: 0 })
  has(await refused(capture), { ...expected, param: 'amount_to_capture' })
})
test('a body of JSON is refused', async () => {
  const answer = await fetch(`${twin.origin}/v1/customers`, {
    method: 'POST', headers: { authorization: 'Bearer sk_test_x', 'content-type': 'application/json' }, body: '{"name":"Ada"}'
  })
  assert.equal(answer.status, 400)
  const { error } = await answer.json()
  has(error, { type: 'invalid_request_error' })
  assert.match(error.message, /^Invalid request \(check that your POST content type is application\/x-www-form-urlencoded\)/)
})
test('HEAD is answered as GET without a body', async () => {
  const { id } = await stripe.customers.create()
  for (const [path, status] of [[`customers/${id}`, 200], ['customers/cus_nonsense', 404]]) {
    const headers = { authorization: 'Bearer sk_test_x' }
    const answer = await fetch(`${twin.origin}/v1/${path}`, { method: 'HEAD', headers })
    assert.deepEqual([answer.status, await answer.text()], [status, ''])
    assert.match(answer.headers.get('request-id'), /^req_/)
  }
})
test('an intent that does not exist is missing', async () => {
  const error = await refused(stripe.paymentIntents.retrieve('pi_nonsense'))
  has(error, {
    type: 'StripeInvalidRequestError', statusCode: 404, code: 'resource_missing', param: 'intent',
    message: "No such payment_intent: 'pi_nonsense'", doc_url: 'https://stripe.com/docs/error-codes/resource-missing'
  })
})
test('a decline has its class, codes, texts and intent', async () => {
  const error = await refused(paid({ payment_method: 'pm_card_chargeDeclinedInsufficientFunds' }))
  assert.ok(error instanceof Stripe.errors.StripeCardError)
  has(error, {
    type: 'StripeCardError', rawType: 'card_error', statusCode: 402, code: 'card_declined',
    decline_code: 'insufficient_funds', doc_url: 'https://stripe.com/docs/error-codes/card-declined',
    message: 'Your card has insufficient funds.'
  })
  assert.match(error.requestId, /^req_/)
  assert.equal(error.headers['request-id'], error.requestId)
  has(error.payment_intent, { object: 'payment_intent', status: 'requires_payment_method', next_action: null })
  const { last_payment_error } = await stripe.paymentIntents.retrieve(error.payment_intent.id)
  has(last_payment_error, {
    charge: error.charge, code: 'card_declined', decline_code: 'insufficient_funds', type: 'card_error',
    message: 'Your card has insufficient funds.', doc_url: 'https://stripe.com/docs/error-codes/card-declined'
  })
  has(last_payment_error.payment_method, { object: 'payment_method', type: 'card' })
})
test('a declined confirmation can be repeated with another card', async () => {
  const made = await intent()
  await refused(stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_chargeDeclined' }))
  has(await stripe.paymentIntents.retrieve(made.id), { status: 'requires_payment_method', payment_method: null })
  const paid = await stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_visa' })
  has(paid, { status: 'succeeded', last_payment_error: null })
})
test('a key that is not valid is not authenticated', async () => {
  const error = await refused(client({}, 'nonsense').customers.list())
  has(error, { type: 'StripeAuthenticationError', statusCode: 401 })
  assert.match(error.message, /^Invalid API Key provided/)
})
test('another account is refused', async () => {
  const error = await refused(stripe.customers.list({}, { stripeAccount: 'acct_other' }))
  has(error, { type: 'StripePermissionError', statusCode: 403, code: 'account_invalid' })
})
test('an API version that the twin does not implement is refused', async () => {
  const error = await refused(stripe.customers.list({}, { apiVersion: '2015-01-01' }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400 })
  assert.match(error.message, /2026-05-27\.dahlia/)
})
test('an unknown URL is not recognized', async () => {
  const answer = await fetch(`${twin.origin}/v1/nonsense`, { headers: { authorization: 'Bearer sk_test_x' } })
  const { error } = await answer.json()
  assert.equal(answer.status, 404)
  has(error, { type: 'invalid_request_error' })
  assert.match(error.message, /^Unrecognized request URL \(GET: \/v1\/nonsense\)/)
})
test('an answer has a request id and the version', async () => {
  const { lastResponse } = await stripe.customers.create()
  assert.match(lastResponse.requestId, /^req_/)
  has(lastResponse, { statusCode: 200, apiVersion: '2026-05-27.dahlia' })
})
test('a repeated key gets the first answer', async () => {
  const options = { idempotencyKey: 'repeat-1' }
  const first = await intent({}, options)
  const second = await intent({}, options)
  assert.equal(second.id, first.id)
  assert.equal(first.lastResponse.headers['idempotent-replayed'], undefined)
  has(second.lastResponse.headers, { 'idempotent-replayed': 'true', 'idempotency-key': 'repeat-1' })
  assert.equal(second.lastResponse.headers['original-request'], first.lastResponse.requestId)
})
test('a repeated key gets the first decline', async () => {
  const made = await intent()
  const confirm = () =>
    refused(stripe.paymentIntents.confirm(made.id, { payment_method: 'pm_card_chargeDeclined' }, { idempotencyKey: 'decline' }))
  const [first, second] = [await confirm(), await confirm()]
  assert.deepEqual([first.charge, second.charge], [first.charge, first.charge])
  assert.equal(second.headers['idempotent-replayed'], 'true')
})
test('a key with other parameters is refused', async () => {
  await intent({ amount: 500 }, { idempotencyKey: 'other' })
  const error = await refused(intent({ amount: 501 }, { idempotencyKey: 'other' }))
  has(error, { type: 'StripeIdempotencyError', rawType: 'idempotency_error', statusCode: 400 })
  assert.match(error.message, /^Keys for idempotent requests can only be used with the same parameters/)
})
test('a key with another call is refused', async () => {
  await intent({}, { idempotencyKey: 'call' })
  const error = await refused(stripe.customers.create({}, { idempotencyKey: 'call' }))
  has(error, { type: 'StripeIdempotencyError', statusCode: 400 })
})
test('a request that was refused for its parameters does not use its key up', async () => {
  await refused(create({ currency: 'usd' }, { idempotencyKey: 'invalid' }))
  has(await create({ amount: 500, currency: 'usd' }, { idempotencyKey: 'invalid' }), { amount: 500 })
})
test('a key that is too long is refused', async () => {
  has(await refused(intent({}, { idempotencyKey: 'k'.repeat(256) })), { statusCode: 400 })
})
test('the client repeats a request whose answer was lost', async () => {
  const description = 'lost'
  await fault({ kind: 'drop_after', path: '/v1/customers', times: 1 })
  const made = await client({ maxNetworkRetries: 2 }).customers.create({ description })
  const same = (await stripe.customers.list({ limit: 100 })).data.filter(it => it.description === description)
  assert.deepEqual(same.map(it => it.id), [made.id])
})
test('the client repeats a request that was lost', async () => {
  await fault({ kind: 'drop_before', path: '/v1/customers', times: 1 })
  has(await client({ maxNetworkRetries: 2 }).customers.create({ name: 'Ada' }), { name: 'Ada' })
})
test('too many requests have an error of their own', async () => {
  await fault({ kind: 'status_before', status: 429, path: '/v1/customers', times: 1 })
  has(await refused(stripe.customers.create()), { type: 'StripeRateLimitError', statusCode: 429 })
})
test('a failure of the server has an error of its own', async () => {
  await fault({ kind: 'status_before', status: 500, path: '/v1/customers', times: 1 })
  has(await refused(stripe.customers.create()), { type: 'StripeAPIError', statusCode: 500 })
})
