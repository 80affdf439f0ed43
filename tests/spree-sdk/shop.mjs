// The official client over plain fetch, and what a browser does at Stripe.
import sdk from '@spree/storefront-api-v2-sdk'

import { undeclared } from './description.mjs'

const needed = name => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: these tests are run by scripts/test, which starts the server`)
  return value
}

export const api = needed('PAYWRIGHT_URL')
export const twin = needed('STRIPE_TWIN_URL')
export const bearer_token = needed('CUSTOMER_TOKEN')

// The client wants a fetcher; this is the least one that there can be.
const createFetcher = ({ host }) => ({
  async fetch({ url, method, params = {}, headers }) {
    const target = new URL(url, host)
    const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
    const init = { method: method.toUpperCase(), headers: { 'Content-Type': 'application/json', ...headers } }
    if (init.method === 'GET') target.search = sdk.objectToQuerystring(given)
    else init.body = JSON.stringify(given)
    const response = await fetch(target, init)
    const text = await response.text()
    const data = text ? JSON.parse(text) : ''
    const type = response.headers.get('content-type')
    if (text && type !== 'application/vnd.api+json') throw new Error(`${method} ${url} answers with ${type}`)
    if (!response.ok) {
      throw new sdk.FetchError({ status: response.status, data }, { url: target.href }, data, `HTTP ${response.status}`)
    }
    // Sparse fields leave attributes out, and a SetupIntent is no resource.
    const differs = 'fields' in given || !data.data ? [] : undeclared(target.pathname, data)
    if (differs.length) throw new Error(`${method} ${url} differs from Spree's description: ${differs.join(', ')}`)
    return { data }
  }
})

export const client = sdk.makeClient({ host: `${api}/`, createFetcher })

// What a call gave, or the refusal as an error.
export const must = result => {
  if (result.isSuccess()) return result.success()
  const failure = result.fail()
  throw new Error(`${failure.serverResponse?.status} ${failure.summary ?? failure.message}`)
}

// How a call was refused: its status, and its text.
export const refusal = result => {
  if (result.isSuccess()) throw new Error(`not refused: ${JSON.stringify(result.success())}`)
  const failure = result.fail()
  return [failure.serverResponse.status, failure.summary]
}

// The paths that the client has no calls for, through its own fetcher.
export const stripe = async (method, path, { order_token, bearer, ...params } = {}) => {
  const headers = {}
  if (order_token) headers['X-Spree-Order-Token'] = order_token
  if (bearer) headers.Authorization = `Bearer ${bearer}`
  const url = `api/v2/storefront/stripe/${path}`
  return (await client.cart.fetcher.fetch({ method, url, headers, params })).data
}

// As above, of a refusal.
export const stripeRefusal = async (...call) => {
  try {
    await stripe(...call)
  } catch (error) {
    if (error.response) return [error.response.status, error.response.data]
    throw error
  }
  throw new Error('not refused')
}

// What Stripe.js does in the browser, with the client secret and a card.
export const pay = async (intent, card) => {
  const { stripe_id } = intent.data.attributes
  const response = await fetch(`${twin}/v1/payment_intents/${stripe_id}/confirm`, {
    method: 'POST',
    headers: { Authorization: 'Bearer sk_test_twin' },
    body: new URLSearchParams({ payment_method: card, return_url: 'https://shop.example/' })
  })
  return response.json()
}

// A call as a page makes it that submits a form.
export const submit = async (method, path, order_token, form) => {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'X-Spree-Order-Token': order_token }
  const response = await fetch(`${api}/api/v2/storefront/${path}`, { method, headers, body: form })
  return { status: response.status, body: await response.json() }
}

// Tries until it is so: webhooks come when they come.
export const eventually = async check => {
  for (let left = 200; ; left--) {
    const found = await check()
    if (found) return found
    if (left === 0) throw new Error('it does not come')
    await new Promise(done => setTimeout(done, 50))
  }
}

export const ada = {
  firstname: 'Ada', lastname: 'Lovelace', address1: '1 Analytical Way', city: 'New York', zipcode: '10001',
  phone: '555-0100', state_name: 'New York', country_iso: 'US'
}

// A cart with a teapot and two mugs, at the step of paying.
export const cartToPay = async (who = {}) => {
  const order_token = must(await client.cart.create({ ...who })).data.attributes.token
  const cart = { order_token, ...who }
  must(await client.cart.addItem({ ...cart, variant_id: 'teapot', quantity: 1 }))
  must(await client.cart.addItem({ ...cart, variant_id: 'mug', quantity: 2 }))
  const order = { email: 'ada@example.com', bill_address_attributes: ada, ship_address_attributes: ada }
  must(await client.checkout.orderUpdate({ ...cart, order }))
  must(await client.checkout.advance({ ...cart }))
  return order_token
}
