// A sale by a client whose types are made from Paywright's OpenAPI description: `npm run generate`, then `npm run build`.
import createClient from 'openapi-fetch'
import type { components, paths, webhooks } from './built/paywright.js'

declare const process: { env: Record<string, string | undefined> }

const setting = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}

type Order = components['schemas']['Order']
type Event = components['schemas']['Event']

const shop = createClient<paths>({
  baseUrl: setting('PAYWRIGHT_URL'),
  headers: { 'X-API-Key': setting('PAYWRIGHT_KEY') }
})

/** The data of an answer, or the code of the refusal as an error. */
const must = <T>(answer: { data?: { data: T }; error?: { error: { code: string; detail: string } } }): T => {
  if (answer.data) return answer.data.data
  throw new Error(answer.error ? `${answer.error.error.code}: ${answer.error.error.detail}` : 'no answer')
}

/** What a browser does at Stripe, with the client secret and a card. */
const confirm = async (intent: string): Promise<void> => {
  const answer = await fetch(`${setting('STRIPE_TWIN_URL')}/v1/payment_intents/${intent}/confirm`, {
    method: 'POST',
    headers: { Authorization: 'Bearer sk_test_twin' },
    body: new URLSearchParams({ payment_method: 'pm_card_visa', return_url: 'https://shop.example/' })
  })
  if (!answer.ok) throw new Error(await answer.text())
}

/** A sentence about an event, whose data has the fields of its type. */
const sentence = (event: Event): string => {
  switch (event.type) {
    case 'order.paid':
      return `${event.data.order.number} was paid with ${event.data.amount} ${event.data.currency}`
    case 'refund.changed':
      return `refund ${event.data.refund} is ${event.data.status}`
    default:
      return event.type
  }
}

/** Handles the body of a webhook. */
export const receive = (body: webhooks['order.paid']['post']['requestBody']['content']['application/json']): string =>
  sentence(body)

const placed = must(
  await shop.POST('/api/v1/shop/orders', {
    params: { header: { 'Idempotency-Key': 'typed-client-1' } },
    body: { currency: 'usd', customer: 'cus-ada', line_items: [{ name: 'Teapot', amount: 4900, quantity: 1 }] }
  })
)
const bearer = { Authorization: `Bearer ${placed.token}` }
const params = { path: { order: placed.id } }
const intent = must(await shop.POST('/api/v1/shop/orders/{order}/payment-intent', { params, headers: bearer }))
if (!intent.client_secret) throw new Error('there is no client secret')
await confirm(intent.id)
const payment = must(await shop.POST('/api/v1/shop/orders/{order}/payment', { params }))
const order: Order = must(await shop.GET('/api/v1/shop/orders/{order}', { params }))
if (payment.status !== 'succeeded' || order.payment_status !== 'paid' || order.amount !== '49.00') {
  throw new Error(`not paid: ${JSON.stringify(order)}`)
}

// A refusal has the codes of its call.
const refused = await shop.POST('/api/v1/shop/orders/{order}/cancel', { params })
if (refused.error?.error.code !== 'order_paid') throw new Error(`not refused: ${JSON.stringify(refused.data)}`)

const page = must(await shop.GET('/api/v1/shop/events', { params: { query: { after: 0, wait: 10 } } }))
const sentences = page.events.map(sentence)
if (!sentences.includes('order.placed')) throw new Error(`no event: ${sentences.join('; ')}`)
console.log(`${order.number} is ${order.payment_status}`)
