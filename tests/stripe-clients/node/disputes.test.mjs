import assert from 'node:assert/strict'
import { test } from 'node:test'

import { act, eventually, has, hooks, ids, paid, refused, stripe } from './twin.mjs'

const disputed = async (params = {}) => {
  const made = await paid({ payment_method: 'pm_card_createDispute', ...params })
  return eventually(async () => (await stripe.disputes.list({ payment_intent: made.id })).data[0], 'the dispute')
}

test('a disputed payment has a dispute that needs a response', async () => {
  const dispute = await disputed()
  assert.match(dispute.id, /^(du|dp)_/)
  has(dispute, {
    object: 'dispute', amount: 1099, currency: 'usd', is_charge_refundable: false, livemode: false, metadata: {},
    reason: 'fraudulent', status: 'needs_response'
  })
  has(dispute.evidence_details, { has_evidence: false, past_due: false, submission_count: 0 })
  assert.ok(dispute.evidence_details.due_by > dispute.created)
  has(await stripe.charges.retrieve(dispute.charge), { disputed: true, payment_intent: dispute.payment_intent })
})
test('a dispute takes the payment and a fee from the balance', async () => {
  const dispute = await disputed()
  const [withdrawn] = (await stripe.disputes.retrieve(dispute.id)).balance_transactions
  has(withdrawn, { object: 'balance_transaction', amount: -1099, type: 'adjustment', reporting_category: 'dispute' })
  assert.equal(withdrawn.net, withdrawn.amount - withdrawn.fee)
  assert.ok(withdrawn.fee > 0)
})
test('staged evidence is kept and not submitted', async () => {
  const { id } = await disputed()
  const evidence = { customer_name: 'Ada', product_description: 'A mug', uncategorized_text: 'She has it.' }
  const updated = await stripe.disputes.update(id, { evidence, submit: false })
  has(updated, { status: 'needs_response' })
  has(updated.evidence, { ...evidence, receipt: null })
  has(updated.evidence_details, { has_evidence: true, submission_count: 0 })
})
test('submitted evidence puts a dispute under review', async () => {
  const { id } = await disputed()
  const updated = await stripe.disputes.update(id, { evidence: { customer_name: 'Ada' }, submit: true })
  has(updated, { status: 'under_review' })
  has(updated.evidence_details, { has_evidence: true, submission_count: 1 })
})
for (const [word, status] of [['winning_evidence', 'won'], ['losing_evidence', 'lost']]) {
  test(`${word} decides a dispute: it is ${status}`, async () => {
    const { id } = await disputed()
    await stripe.disputes.update(id, { evidence: { uncategorized_text: word }, submit: true })
    await eventually(async () => (await stripe.disputes.retrieve(id)).status === status, status)
  })
}
test('a card may be disputed twice', async () => {
  const { id } = await paid({ payment_method: 'pm_card_createMultipleDisputes' })
  const { data } = await eventually(async () => {
    const list = await stripe.disputes.list({ payment_intent: id })
    return list.data.length === 2 && list
  }, 'two disputes')
  assert.equal(data[0].amount + data[1].amount, 1099)
  for (const dispute of data) {
    await act(`disputes/${dispute.id}/close`, { outcome: 'won' })
    has(await stripe.charges.retrieve(dispute.charge), { disputed: dispute.id === data[0].id })
  }
})
test('escalate_inquiry_evidence makes an inquiry a dispute', async () => {
  const { id } = await disputed({ payment_method: 'pm_card_createDisputeInquiry' })
  has(await stripe.disputes.retrieve(id), { status: 'warning_needs_response', balance_transactions: [] })
  await stripe.disputes.update(id, { evidence: { uncategorized_text: 'escalate_inquiry_evidence' } })
  const read = await stripe.disputes.retrieve(id)
  has(read, { status: 'needs_response', is_charge_refundable: false })
  assert.equal(read.balance_transactions[0].amount, -1099)
})
test('metadata of a dispute are merged', async () => {
  const { id } = await disputed()
  await stripe.disputes.update(id, { metadata: { a: '1' }, submit: false })
  has(await stripe.disputes.update(id, { metadata: { b: '2' }, submit: false }), { metadata: { a: '1', b: '2' } })
})
test('a closed dispute is lost', async () => {
  const { id } = await disputed()
  has(await stripe.disputes.close(id), { id, status: 'lost' })
  has(await stripe.disputes.retrieve(id), { status: 'lost' })
})
test('a lost dispute cannot be closed again', async () => {
  const { id } = await disputed()
  await stripe.disputes.close(id)
  has(await refused(stripe.disputes.close(id)), { type: 'StripeInvalidRequestError', statusCode: 400 })
})
test('a disputed charge cannot be refunded', async () => {
  const dispute = await disputed()
  const error = await refused(stripe.refunds.create({ charge: dispute.charge }))
  has(error, { type: 'StripeInvalidRequestError', statusCode: 400, code: 'charge_disputed' })
})
test('a won dispute reinstates the funds', async () => {
  const { id } = await disputed()
  await act(`disputes/${id}/close`, { outcome: 'won' })
  const read = await stripe.disputes.retrieve(id)
  has(read, { status: 'won' })
  const back = read.balance_transactions.find(it => it.amount === 1099)
  has(back, { type: 'adjustment', reporting_category: 'dispute_reversal' })
})
test('disputes are listed newest first, by charge and by intent', async () => {
  const made = [await disputed(), await disputed()]
  const page = await stripe.disputes.list({ limit: 2 })
  has(page, { object: 'list', url: '/v1/disputes', has_more: true })
  assert.deepEqual(ids(page.data), ids(made).reverse())
  assert.deepEqual(ids((await stripe.disputes.list({ charge: made[0].charge })).data), [made[0].id])
})
test('a dispute expands its charge and intent', async () => {
  const { id } = await disputed()
  const read = await stripe.disputes.retrieve(id, { expand: ['charge', 'payment_intent'] })
  has(read.charge, { object: 'charge', disputed: true })
  has(read.payment_intent, { object: 'payment_intent', status: 'succeeded' })
})
test('a dispute is delivered as events', async () => {
  const { id } = await disputed()
  await stripe.disputes.close(id)
  for (const type of ['created', 'funds_withdrawn', 'closed']) {
    await eventually(
      () => hooks.webhooks.some(({ event }) => event.type === `charge.dispute.${type}` && event.data.object.id === id), type
    )
  }
})
