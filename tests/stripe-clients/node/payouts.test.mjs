import assert from 'node:assert/strict'
import { test } from 'node:test'

import { act, all, eventually, has, hooks, paid, refused, stripe } from './twin.mjs'

const DAY = 24 * 3600
const sum = rows => rows.reduce((total, it) => total + it.net, 0)
const members = payout => all(stripe.balanceTransactions.list({ payout: payout.id, limit: 100 }))
const settled = async () => {
  await act('clock', { advance: 4 * DAY })
  return (await stripe.payouts.list({ limit: 1 })).data[0]
}

test('money is pending first, and available two days later', async () => {
  const before = (await stripe.balance.retrieve()).pending[0].amount
  await paid({ amount: 12450 })
  const { available, pending, livemode } = await stripe.balance.retrieve()
  assert.equal(livemode, false)
  assert.equal(pending[0].amount - before, 12059)
  has(pending[0], { currency: 'usd', source_types: { card: pending[0].amount } })
  await act('clock', { advance: 2 * DAY })
  const later = await stripe.balance.retrieve()
  assert.equal(later.available[0].amount, available[0].amount + pending[0].amount)
  assert.equal(later.pending[0].amount, 0)
})
test('a payout by a request takes its amount off the available balance, and gives it back if it is canceled', async () => {
  const [{ amount: available }] = (await stripe.balance.retrieve()).available
  const payout = await stripe.payouts.create({ amount: available, currency: 'usd', metadata: { a: '1' } })
  has(payout, {
    object: 'payout', amount: available, automatic: false, metadata: { a: '1' }, method: 'standard', status: 'pending',
    reconciliation_status: 'not_applicable'
  })
  assert.equal((await stripe.balance.retrieve()).available[0].amount, 0)
  const error = await refused(stripe.payouts.create({ amount: 1, currency: 'usd' }))
  assert.equal(error.code, 'balance_insufficient')
  assert.equal((await refused(members(payout))).param, 'payout')
  const canceled = await stripe.payouts.cancel(payout.id, { expand: ['failure_balance_transaction'] })
  has(canceled, { status: 'canceled' })
  has(canceled.failure_balance_transaction, {
    amount: available, reporting_category: 'payout_reversal', source: payout.id, type: 'payout_cancel'
  })
  assert.equal((await stripe.balance.retrieve()).available[0].amount, available)
})
test('an automatic payout consists of all that is available, and its rows add up to it', async () => {
  await act('account', { payouts: 'daily' })
  await paid({ amount: 2000 })
  const payout = await settled()
  has(payout, { automatic: true, reconciliation_status: 'completed', status: 'paid', failure_code: null })
  assert.ok(payout.trace_id.value)
  const rows = await members(payout)
  assert.equal(sum(rows), 0)
  assert.equal(sum(rows.filter(it => it.type !== 'payout')), payout.amount)
  for (const type of ['payout.created', 'payout.reconciliation_completed', 'payout.paid']) {
    await eventually(() => hooks.webhooks.some(it => it.event.type === type && it.event.data.object.id === payout.id), type)
  }
  assert.equal((await stripe.payouts.list({ status: 'paid' })).data[0].id, payout.id)
})
test('a payout may fail after it was paid, and its amount is paid out again', async () => {
  await paid({ amount: 3000 })
  const payout = await settled()
  has(await act(`payouts/${payout.id}/fail`, { failure_code: 'no_account' }), { status: 'failed', failure_code: 'no_account' })
  const failed = await stripe.payouts.retrieve(payout.id, { expand: ['failure_balance_transaction'] })
  has(failed.failure_balance_transaction, { amount: payout.amount, reporting_category: 'payout_reversal', type: 'payout_failure' })
  const again = await settled()
  assert.notEqual(again.id, payout.id)
  assert.equal(again.amount, payout.amount)
})
test('a payment in another currency is on the balance at the rate of the account', async () => {
  await act('account', { settlement_currency: 'usd', 'exchange_rates[eur]': '1.0837' })
  const { latest_charge: charge } = await paid({ amount: 10000, currency: 'eur' })
  const { data: [row] } = await stripe.balanceTransactions.list({ source: charge })
  has(row, { amount: 10837, currency: 'usd', exchange_rate: 1.0837, fee: 344, net: 10493 })
})
test('a partial capture may have the two rows that it had in older versions', async () => {
  await act('account', { partial_capture_rows: 'two' })
  const intent = await paid({ amount: 10000, capture_method: 'manual' })
  const { latest_charge: source } = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 4000 })
  await act('account', { partial_capture_rows: 'one' })
  const { data: [reversal, charge] } = await stripe.balanceTransactions.list({ source, expand: ['data.source'] })
  has(charge, { amount: 10000, fee: 320, net: 9680, reporting_category: 'charge', type: 'charge' })
  has(reversal, { amount: -6000, fee: -174, net: -5826, reporting_category: 'partial_capture_reversal', type: 'refund' })
  has(reversal.source, { id: source, amount: 10000, amount_captured: 4000, amount_refunded: 0 })
})
test('balances of other types are apart from the ordinary one', async () => {
  const before = await stripe.balance.retrieve()
  for (const [balance_type, amount] of [['refund_and_dispute_prefunding', 5000], ['issuing', 700], ['risk_reserved', 90]]) {
    const row = await act('balance_transactions', { amount, currency: 'usd', balance_type, type: 'contribution' })
    has(await stripe.balanceTransactions.retrieve(row.id), { amount, balance_type })
  }
  const after = await stripe.balance.retrieve()
  assert.deepEqual(after.available, before.available)
  assert.equal(after.refund_and_dispute_prefunding.available[0].amount, 5000)
  assert.equal(after.issuing.available[0].amount, 700)
})
test('a bank debit is on the balance while the bank decides, and is taken off if it fails', async () => {
  const debit = { amount: 5000, payment_method: 'pm_usBankAccount_success', payment_method_types: ['us_bank_account'] }
  const rows = async source => (await stripe.balanceTransactions.list({ source })).data
  const { id, status, latest_charge: source } = await paid(debit)
  assert.equal(status, 'processing')
  const [charged] = await rows(source)
  has(charged, { amount: 5000, reporting_category: 'charge', type: 'payment', status: 'pending' })
  await act(`payment_intents/${id}/finish`, { outcome: 'failed' })
  has(await stripe.paymentIntents.retrieve(id), { status: 'requires_payment_method', latest_charge: source })
  const { failure_balance_transaction: back } = await stripe.charges.retrieve(source, { expand: ['failure_balance_transaction'] })
  has(back, { amount: -5000, reporting_category: 'charge_failure', source, type: 'payment_failure_refund' })
  assert.deepEqual((await rows(source)).map(it => it.id), [back.id, charged.id])
  const other = await paid(debit)
  await act(`payment_intents/${other.id}/finish`, { outcome: 'succeeded' })
  has(await stripe.charges.retrieve(other.latest_charge), { status: 'succeeded', paid: true, amount_captured: 5000 })
  assert.equal((await rows(other.latest_charge)).length, 1)
})
