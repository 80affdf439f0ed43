// A storefront's checkout, tested with `paywright twin` in place of Stripe.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import Stripe from 'stripe'

const SECRET = 'whsec_test'
const received = []

// The storefront's receiver of webhooks: verifies the signature over the raw body.
const shop = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray())
  try {
    received.push(stripe.webhooks.constructEvent(body, request.headers['stripe-signature'], SECRET))
    response.writeHead(200).end()
  } catch {
    response.writeHead(400).end()
  }
})
await once(shop.listen(0, '127.0.0.1'), 'listening')

const webhook = `http://127.0.0.1:${shop.address().port}/webhooks`
const twin = spawn(
  process.env.PAYWRIGHT ?? 'paywright', ['twin', '--port', '0', '--webhook', webhook],
  { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, STRIPE_TWIN_WEBHOOK_SECRET: SECRET } }
)
const [line] = await once(createInterface(twin.stdout), 'line')
const { hostname: host, port, origin } = new URL(line.match(/http:[^;]+/)[0])
const apiVersion = '2026-05-27.dahlia'
const stripe = new Stripe('sk_test_shop', { protocol: 'http', host, port, apiVersion, telemetry: false })
after(() => {
  twin.kill()
  shop.close()
})

// The storefront's own code under test: one call here, to keep the example short.
const checkout = payment_method =>
  stripe.paymentIntents.create({
    amount: 1099, currency: 'usd', payment_method, payment_method_types: ['card'], confirm: true,
    return_url: 'https://shop.example/done', metadata: { order_id: '7' }
  })

test('a card pays, and the webhook says so', async () => {
  const { id, status } = await checkout('pm_card_visa')
  assert.equal(status, 'succeeded')
  const paid = () => received.find(it => it.type === 'payment_intent.succeeded' && it.data.object.id === id)
  for (let round = 0; round < 100 && !paid(); round++) await new Promise(resolve => setTimeout(resolve, 20))
  assert.equal(paid()?.data.object.metadata.order_id, '7')
})

test('a declined card says why', async () => {
  const decline = { type: 'StripeCardError', code: 'card_declined', decline_code: 'insufficient_funds' }
  await assert.rejects(checkout('pm_card_chargeDeclinedInsufficientFunds'), decline)
})

test('a card pays after 3-D Secure', async () => {
  const { id, next_action } = await checkout('pm_card_threeDSecure2Required')
  assert.equal(next_action.type, 'redirect_to_url')
  // The customer's part; a test in a browser opens next_action.redirect_to_url.url instead.
  const headers = { authorization: 'Bearer sk_test_shop' }
  const body = new URLSearchParams({ outcome: 'succeeded' })
  await fetch(`${origin}/_twin/payment_intents/${id}/finish`, { method: 'POST', headers, body })
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'succeeded')
})
