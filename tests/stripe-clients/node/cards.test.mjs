// Test cards, by Stripe's page https://docs.stripe.com/testing.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { eventually, has, paid, refused, stripe } from './twin.mjs'

for (const [payment_method, brand, funding] of [
  ['pm_card_visa', 'visa', 'credit'],
  ['pm_card_visa_debit', 'visa', 'debit'],
  ['pm_card_mastercard', 'mastercard', 'credit'],
  ['pm_card_mastercard_debit', 'mastercard', 'debit'],
  ['pm_card_mastercard_prepaid', 'mastercard', 'prepaid'],
  ['pm_card_amex', 'amex', 'credit'],
  ['pm_card_discover', 'discover', 'credit'],
  ['pm_card_diners', 'diners', 'credit'],
  ['pm_card_jcb', 'jcb', 'credit'],
  ['pm_card_unionpay', 'unionpay', 'credit'],
  ['pm_card_visa_debit_eftposAuCoBranded', 'visa', 'debit'],
  ['pm_card_mastercard_debit_mastercardFsaProductCode', 'mastercard', 'debit']
]) {
  test(`${payment_method} pays`, async () => {
    const done = await paid({ payment_method, expand: ['payment_method', 'latest_charge'] })
    has(done, { status: 'succeeded' })
    has(done.payment_method.card, { brand, funding })
    has(done.latest_charge.payment_method_details.card, { brand, funding })
  })
}
for (const [payment_method, country] of [
  ['pm_card_us', 'US'], ['pm_card_ca', 'CA'], ['pm_card_mx', 'MX'], ['pm_card_br', 'BR'], ['pm_card_at', 'AT'],
  ['pm_card_de', 'DE'], ['pm_card_fr', 'FR'], ['pm_card_gb', 'GB'], ['pm_card_au', 'AU'], ['pm_card_jp', 'JP'],
  ['pm_card_ie', 'IE'], ['pm_card_ae_mastercard', 'AE'], ['pm_card_th_debit', 'TH']
]) {
  test(`${payment_method} is a card of its country`, async () => {
    const done = await paid({ payment_method, expand: ['payment_method'] })
    assert.equal(done.payment_method.card.country, country)
  })
}
for (const [payment_method, code, decline_code, message] of [
  ['pm_card_chargeDeclined', 'card_declined', 'generic_decline', 'Your card was declined.'],
  ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline', 'Your card was declined.'],
  ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds', 'Your card has insufficient funds.'],
  ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds',
    'Your card has insufficient funds.'],
  ['pm_card_visa_chargeDeclinedLostCard', 'card_declined', 'lost_card'],
  ['pm_card_visa_chargeDeclinedStolenCard', 'card_declined', 'stolen_card'],
  ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', 'card_declined', 'card_velocity_exceeded'],
  ['pm_card_chargeDeclinedFraudulent', 'card_declined', 'fraudulent', 'Your card was declined.'],
  ['pm_card_radarBlock', 'card_declined', 'fraudulent', 'Your card was declined.'],
  ['pm_card_chargeCustomerFail', 'card_declined', 'generic_decline', 'Your card was declined.'],
  ['pm_card_chargeDeclinedExpiredCard', 'expired_card', undefined, 'Your card has expired.'],
  ['pm_card_visa_chargeDeclinedExpiredCard', 'expired_card', undefined, 'Your card has expired.'],
  ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', undefined, "Your card's security code is incorrect."],
  ['pm_card_chargeDeclinedProcessingError', 'processing_error', undefined,
    'An error occurred while processing your card. Try again in a little bit.']
]) {
  test(`${payment_method} is declined`, async () => {
    const error = await refused(paid({ payment_method }))
    has(error, { type: 'StripeCardError', rawType: 'card_error', statusCode: 402, code })
    if (decline_code) has(error, { decline_code })
    if (message) has(error, { message })
    assert.match(error.charge, /^ch_/)
    has(error.payment_intent, { status: 'requires_payment_method' })
    has(error.payment_intent.last_payment_error, { code, type: 'card_error' })
    const charge = await stripe.charges.retrieve(error.charge)
    has(charge, { status: 'failed', paid: false, failure_code: code, payment_intent: error.payment_intent.id })
  })
}
test('a charge that Radar blocked says so in its outcome', async () => {
  const error = await refused(paid({ payment_method: 'pm_card_radarBlock' }))
  const { outcome } = await stripe.charges.retrieve(error.charge)
  has(outcome, { type: 'blocked', network_status: 'not_sent_to_network', risk_level: 'highest' })
})
test('a charge that the issuer declined says so in its outcome', async () => {
  const error = await refused(paid({ payment_method: 'pm_card_chargeDeclinedInsufficientFunds' }))
  const { outcome } = await stripe.charges.retrieve(error.charge)
  has(outcome, { type: 'issuer_declined', network_status: 'declined_by_network', reason: 'insufficient_funds' })
})
test('pm_card_riskLevelElevated pays with an elevated risk', async () => {
  const done = await paid({ payment_method: 'pm_card_riskLevelElevated', expand: ['latest_charge'] })
  has(done.latest_charge.outcome, { risk_level: 'elevated', type: 'authorized' })
})
test('pm_card_cvcCheckFailElevatedRisk pays with a failed check and an elevated risk', async () => {
  const done = await paid({ payment_method: 'pm_card_cvcCheckFailElevatedRisk', expand: ['latest_charge'] })
  has(done.latest_charge.outcome, { risk_level: 'elevated' })
  has(done.latest_charge.payment_method_details.card.checks, { cvc_check: 'fail' })
})
test('the balance of pm_card_bypassPending is available at once', async () => {
  const done = await paid({ payment_method: 'pm_card_bypassPending' })
  const transaction = await eventually(async () => {
    const charge = await stripe.charges.retrieve(done.latest_charge, { expand: ['balance_transaction'] })
    return charge.balance_transaction
  }, 'the balance transaction')
  has(transaction, { status: 'available' })
})
test('pm_card_authenticationRequiredOnSetup authenticates for a payment', async () => {
  has(await paid({ payment_method: 'pm_card_authenticationRequiredOnSetup' }), { status: 'requires_action' })
})
test('a token of a declined card makes a payment method that is declined', async () => {
  const { id } = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_chargeDeclined' } })
  has(await refused(paid({ payment_method: id })), { type: 'StripeCardError', code: 'card_declined' })
})
test('an unknown card is missing', async () => {
  const error = await refused(paid({ payment_method: 'pm_card_nonsense' }))
  has(error, { type: 'StripeInvalidRequestError', code: 'resource_missing', param: 'payment_method' })
})
