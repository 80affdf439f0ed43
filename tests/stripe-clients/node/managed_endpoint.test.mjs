// The endpoint that `paywright webhooks ensure` and `rotate` make, as Stripe's client sees it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { all, apiVersion, eventually, has, paid, receiver, Stripe, stripe, twin } from './twin.mjs'

const { PAYWRIGHT = '../../target/debug/paywright' } = process.env
const folder = mkdtempSync(join(tmpdir(), 'paywright-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'webhook_secrets')
const env = {
  PATH: process.env.PATH,
  PAYWRIGHT__DATABASE__URL: `sqlite:${join(folder, 'orders.db')}`,
  PAYWRIGHT__STRIPE__API_BASE: twin.origin,
  PAYWRIGHT__STRIPE__SECRET_KEY: 'rk_test_managed',
  PAYWRIGHT__STRIPE__WEBHOOK_SECRETS_FILE: file
}
const command = (...words) => execFileSync(PAYWRIGHT, words, { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' })
const secrets = () => readFileSync(file, 'utf8').trim().split(',')
const ours = async () => (await all(stripe.webhookEndpoints.list({ limit: 2 }))).filter(it => it.metadata.paywright)
const verified = (webhook, secret) => {
  try {
    return stripe.webhooks.constructEvent(webhook.body, webhook.headers['stripe-signature'], secret).type
  } catch (error) {
    assert.ok(error instanceof Stripe.errors.StripeSignatureVerificationError)
    return null
  }
}
const own = await receiver()
const delivered = (id, count) =>
  eventually(() => {
    const found = own.webhooks.filter(it => it.event.data.object.id === id && /succeeded/.test(it.event.type))
    return found.length === count && found
  }, `${count} deliveries of ${id}`)

command('migrate')
const other = await stripe.webhookEndpoints.create({ url: `${own.url}/other`, enabled_events: ['plan.created'] })

test('ensure makes one endpoint with the documented events, whose deliveries its secret verifies', async () => {
  const said = command('webhooks', 'ensure', '--url', `${own.url}/webhooks/stripe`)
  const [made, ...more] = await ours()
  assert.equal(more.length, 0)
  has(made, { api_version: apiVersion, status: 'enabled', url: `${own.url}/webhooks/stripe` })
  assert.equal(made.enabled_events.length, 28)
  assert.equal(made.secret, undefined)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const [secret] = secrets()
  assert.ok(!said.includes(secret))
  const [webhook] = await delivered((await paid()).id, 1)
  assert.equal(verified(webhook, secret), 'payment_intent.succeeded')
  has(await stripe.webhookEndpoints.retrieve(other.id), { url: other.url, enabled_events: ['plan.created'], metadata: {} })
})
test('rotate signs with both secrets, and after the end with the new one alone', async () => {
  const [old] = secrets()
  command('webhooks', 'rotate', '--overlap-hours', '0')
  const [fresh, ...rest] = secrets()
  assert.deepEqual(rest, [old])
  const both = await delivered((await paid()).id, 2)
  for (const secret of [old, fresh]) assert.equal(both.filter(it => verified(it, secret)).length, 1)
  command('webhooks', 'rotate')
  assert.deepEqual(secrets(), [fresh])
  assert.equal((await ours()).length, 1)
  const [last] = await delivered((await paid()).id, 1)
  assert.ok(verified(last, fresh))
})
