// Parameters that Stripe refuses by their values, together with others, or because they name nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { client, has, intent, paid, refused, stripe, twin } from './twin.mjs'

const invalid = { type: 'StripeInvalidRequestError', rawType: 'invalid_request_error', statusCode: 400 }
const create = params => stripe.paymentIntents.create({ amount: 1099, currency: 'usd', ...params })
const bank = { payment_method_types: ['us_bank_account'] }
const types = { param: 'payment_method_types' }
const wrongType = { ...types, code: 'payment_intent_invalid_parameter' }

for (const [name, params, expected, message] of [
  ['an unknown payment method type', { payment_method_types: ['cash'] }, wrongType, /type "cash" is invalid/],
  ['a type that does not pay in the currency', { payment_method_types: ['card', 'bancontact'] }, wrongType,
    /^The currency provided \(usd\) is invalid. Payments with bancontact support the following currencies: eur/],
  ['a bank account in another currency', { ...bank, currency: 'eur' }, wrongType, /following currencies: usd/],
  ['a bank account with manual capture', { ...bank, capture_method: 'manual' }, wrongType, /capture_method=manual/],
  ['a type that the twin does not model', { currency: 'eur', payment_method_types: ['sepa_debit'] },
    { ...types, code: 'parameter_not_modelled' }, /sepa_debit/],
  ['an empty list of types', { payment_method_types: '' }, { ...types, code: 'parameter_invalid_empty' }, /empty string/],
  ['an object in place of a list of types', { payment_method_types: { a: 'card' } }, types, /^Invalid array$/],
  ['types beside automatic payment methods',
    { payment_method_types: ['card'], automatic_payment_methods: { enabled: true } },
    { ...types, code: 'parameters_exclusive' }, /only specify one/],
  ['a payment method of another type', { payment_method_types: ['card'], payment_method: 'pm_usBankAccount_success' },
    { code: 'payment_intent_incompatible_payment_method', param: 'payment_method' }, /us_bank_account/],
  ['a statement descriptor of a card payment', { statement_descriptor: 'SHOP 7' }, { param: 'statement_descriptor' },
    /^The statement_descriptor parameter is not supported for the payment_method_type `card`/],
  ['a statement descriptor that is too short', { ...bank, statement_descriptor: 'SHOP' },
    { param: 'statement_descriptor' }, /at least 5/],
  ['a statement descriptor without a letter', { ...bank, statement_descriptor: '1234567' },
    { param: 'statement_descriptor' }, /at least one Latin character/],
  ['a suffix without a letter', { statement_descriptor_suffix: '7' }, { param: 'statement_descriptor_suffix' },
    /at least one Latin character/],
  ['a suffix with a forbidden character', { statement_descriptor_suffix: 'R*7' }, { param: 'statement_descriptor_suffix' },
    /cannot include \*/],
  ['a return_url without a scheme', { confirm: true, payment_method: 'pm_card_visa', return_url: 'shop.example/done' },
    { code: 'url_invalid', param: 'return_url' }, /^Not a valid URL$/],
  ['a metadata key with brackets', { metadata: { 'a[b]': 'x' } }, { param: 'metadata' }, /must be a string$/]
]) {
  test(`${name} is refused`, async () => {
    const error = await refused(create(params))
    has(error, { ...invalid, ...expected })
    assert.match(error.message, message)
  })
}
test('a payment by bank account keeps its statement descriptor', async () => {
  has(await create({ ...bank, statement_descriptor: 'SHOP 7' }), { ...bank, statement_descriptor: 'SHOP 7' })
})
test('a URL of an app is a return_url', async () => {
  has(await paid({ return_url: 'shop-app://paid' }), { status: 'succeeded' })
})
test('a form that is not UTF-8 is refused', async () => {
  const headers = { authorization: 'Bearer sk_test_x', 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await fetch(`${twin.origin}/v1/customers`, { method: 'POST', headers, body: 'name=Zo%EB' })
  assert.equal(answer.status, 400)
  assert.match((await answer.json()).error.message, /^Invalid UTF-8/)
})

for (const [list, param, id] of [
  ['paymentIntents', 'customer', 'cus_none'], ['charges', 'customer', 'cus_none'], ['charges', 'payment_intent', 'pi_none'],
  ['refunds', 'payment_intent', 'pi_none'], ['refunds', 'charge', 'ch_none'], ['disputes', 'charge', 'ch_none'],
  ['disputes', 'payment_intent', 'pi_none'], ['setupIntents', 'customer', 'cus_none'],
  ['setupIntents', 'payment_method', 'pm_none'], ['paymentMethods', 'customer', 'cus_none']
]) {
  test(`a list of ${list} by a ${param} that does not exist is refused`, async () => {
    const error = await refused(stripe[list].list({ [param]: id }))
    has(error, { ...invalid, code: 'resource_missing', param })
    assert.match(error.message, new RegExp(`^No such .*: '${id}'$`))
  })
}
test('a list of payment methods of an unknown type is refused', async () => {
  const { id } = await stripe.customers.create()
  const type = 'cash'
  for (const list of [
    () => stripe.paymentMethods.list({ customer: id, type }), () => stripe.customers.listPaymentMethods(id, { type })
  ]) {
    const error = await refused(list())
    has(error, { ...invalid, param: 'type' })
    assert.match(error.message, /^Invalid type: must be one of acss_debit, .*, or zip$/)
  }
  has(await stripe.paymentMethods.list({ customer: id, type: 'sepa_debit' }), { data: [] })
})
test('events are listed by type or by types, not by both', async () => {
  const error = await refused(stripe.events.list({ type: 'charge.*', types: ['charge.updated'] }))
  has(error, { ...invalid, code: 'parameters_exclusive' })
})

test('a setup intent that may redirect needs a return_url to be confirmed', async () => {
  const error = await refused(stripe.setupIntents.create({ payment_method: 'pm_card_visa', confirm: true }))
  has(error, invalid)
  assert.match(error.message, /^This SetupIntent is configured to accept payment methods .*`return_url`/)
  const made = await stripe.setupIntents.create({ payment_method: 'pm_card_visa' })
  has(await refused(stripe.setupIntents.confirm(made.id)), invalid)
  const return_url = 'https://shop.example/cards'
  has(await stripe.setupIntents.confirm(made.id, { return_url }), { status: 'succeeded' })
})
test('a setup intent that never redirects needs no return_url', async () => {
  const automatic_payment_methods = { enabled: true, allow_redirects: 'never' }
  const params = { payment_method: 'pm_card_visa', confirm: true, automatic_payment_methods }
  has(await stripe.setupIntents.create(params), { status: 'succeeded' })
})
test('a setup intent checks its types as a payment intent does', async () => {
  const types = payment_method_types => refused(stripe.setupIntents.create({ payment_method_types }))
  has(await types(['cash']), { ...invalid, code: 'setup_intent_invalid_parameter', param: 'payment_method_types' })
  has(await types(['sepa_debit']), { ...invalid, code: 'parameter_not_modelled', param: 'payment_method_types' })
})

test('a client secret of another intent is refused, whatever the key', async () => {
  const [made, other] = [await intent(), await intent()]
  const secret = { client_secret: other.client_secret }
  const error = await refused(stripe.paymentIntents.retrieve(made.id, secret))
  has(error, { ...invalid, code: 'payment_intent_invalid_parameter', param: 'client_secret' })
  assert.match(error.message, /^The client_secret provided does not match .* PaymentIntent\.$/)
  const confirmation = { ...secret, payment_method: 'pm_card_visa' }
  has(await refused(stripe.paymentIntents.confirm(made.id, confirmation)), { ...invalid, param: 'client_secret' })
  const setup = await stripe.setupIntents.create()
  has(await refused(stripe.setupIntents.retrieve(setup.id, secret)), { ...invalid, param: 'client_secret' })
  has(await stripe.paymentIntents.retrieve(made.id, { client_secret: made.client_secret }), { id: made.id })
  const page = client({}, 'pk_test_page')
  has(await page.paymentIntents.retrieve(made.id, { client_secret: made.client_secret }), { id: made.id })
})
