import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  ada, api, bearer_token, cartToPay, client, eventually, must, pay, refusal, stripe, stripeRefusal, submit, twin
} from './shop.mjs'

const payment_intent = { off_session: false }
const NOT_FOUND = [404, 'The resource you were looking for could not be found.']

test('a guest fills a cart, checks out and pays', async () => {
  const created = must(await client.cart.create())
  assert.equal(created.data.type, 'cart')
  assert.equal(created.data.attributes.state, 'cart')
  assert.equal(created.data.attributes.total, '0.0')
  const order_token = created.data.attributes.token
  const cart = { order_token }
  const filled = must(await client.cart.addItem({ ...cart, variant_id: 'teapot', quantity: 1, include: 'line_items.variant' }))
  assert.deepEqual(filled.included.map(it => it.type).sort(), ['line_item', 'variant'])
  must(await client.cart.addItem({ ...cart, variant_id: 'mug', quantity: 5 }))
  const two = must(await client.cart.show({ ...cart, include: 'line_items' }))
  const mugs = two.included.find(it => it.attributes.name === 'Enamel mug')
  must(await client.cart.setQuantity({ ...cart, line_item_id: mugs.id, quantity: 2 }))
  must(await client.cart.addItem({ ...cart, variant_id: 'spoon', quantity: 1 }))
  const spoon = must(await client.cart.show({ ...cart, include: 'line_items' })).included.find(it => it.attributes.name === 'Measuring spoon')
  const sum = must(await client.cart.removeItem({ ...cart, id: spoon.id })).data.attributes
  assert.deepEqual([sum.item_count, sum.item_total, sum.display_item_total, sum.total_cents], [3, '77.0', '$77.00', 7700])

  assert.deepEqual(refusal(await client.checkout.orderNext({ order_token: 'pwc_forged' })), NOT_FOUND)
  assert.equal(must(await client.checkout.orderNext(cart)).data.attributes.state, 'address')
  assert.deepEqual(refusal(await client.checkout.orderNext(cart)), [422, "Ship address can't be blank"])
  const order = { email: 'ada@example.com', bill_address_attributes: ada, use_billing: true, special_instructions: 'Ring twice' }
  must(await client.checkout.orderUpdate({ ...cart, order }))
  const atDelivery = must(await client.checkout.orderNext(cart)).data.attributes
  assert.deepEqual([atDelivery.state, atDelivery.ship_total, atDelivery.additional_tax_total], ['delivery', '5.9', '6.83'])
  const rates = must(await client.checkout.shippingRates(cart))
  const methods = rates.included.filter(it => it.type === 'shipping_rate').map(it => it.attributes.shipping_method_id)
  assert.deepEqual(methods, ['post', 'courier'])
  must(await client.checkout.selectShippingMethod({ ...cart, shipping_method_id: 'courier' }))
  const atPayment = must(await client.checkout.orderNext(cart)).data.attributes
  assert.deepEqual([atPayment.state, atPayment.total, atPayment.payment_state], ['payment', '102.83', null])
  const [method] = must(await client.checkout.paymentMethods(cart)).data
  assert.equal(method.attributes.name, 'Stripe')
  assert.deepEqual(refusal(await client.checkout.complete(cart)), [422, 'No payment found'])

  const intent = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  assert.equal(intent.data.attributes.amount, '102.83')
  assert.deepEqual(refusal(await client.checkout.complete(cart)), [422, 'Payment intent requires payment method'])
  assert.equal((await pay(intent, 'pm_card_visa')).status, 'succeeded')
  const done = must(await client.checkout.complete(cart)).data.attributes
  assert.deepEqual([done.state, done.payment_state, done.total], ['complete', 'paid', '102.83'])
  assert.match(done.completed_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const status = must(await client.order.status({ ...cart, order_number: done.number, include: 'payments,line_items.variant,shipping_address' }))
  assert.deepEqual(status.included.filter(it => it.type === 'variant').map(it => it.id), ['teapot', 'mug'])
  const payment = status.included.find(it => it.type === 'payment')
  assert.deepEqual([payment.attributes.state, payment.attributes.response_code], ['completed', intent.data.attributes.stripe_id])
  assert.equal(status.included.find(it => it.type === 'address').attributes.country_name, 'United States of America')
  assert.deepEqual(refusal(await client.cart.show(cart)), NOT_FOUND, 'what is complete is no cart')
})

test('what a line carries, how a country and a state are named, and a form', async () => {
  const order_token = must(await client.cart.create({ public_metadata: { source: 'sdk' } })).data.attributes.token
  const cart = { order_token, include: 'line_items,line_items.variant' }
  const engraved = { public_metadata: { engraving: 'For Ada' } }
  const filled = must(await client.cart.addItem({ ...cart, variant_id: 'mug', quantity: 1, ...engraved }))
  const line = filled.included.find(it => it.type === 'line_item')
  assert.deepEqual(line.attributes.public_metadata, engraved.public_metadata)
  const variant = filled.included.find(it => it.type === 'variant').attributes
  assert.deepEqual([variant.currency, variant.purchasable, variant.is_master], ['USD', true, true])
  const hidden = { variant_id: 'mug', quantity: 1, private_metadata: { cost: 3 } }
  assert.equal(refusal(await client.cart.addItem({ ...cart, ...hidden }))[0], 422)

  const noAddress = 'To generate Shipping Rates Order needs to have a Shipping Address'
  assert.deepEqual(refusal(await client.checkout.shippingRates({ order_token })), [422, noAddress])
  const anywhere = must(await client.cart.estimateShippingRates({ order_token }))
  const there = must(await client.cart.estimateShippingRates({ order_token, country_iso: 'USA' }))
  assert.deepEqual(anywhere.data.map(it => it.id), there.data.map(it => it.id), 'the default country is the United States')
  const notApplied = "The coupon code you entered doesn't exist. Please try again."
  assert.deepEqual(refusal(await client.cart.removeCouponCode({ order_token, code: 'none' })), [422, notApplied])
  const none = "No coupon code provided and the Order doesn't have any coupon code promotions applied"
  assert.deepEqual(refusal(await client.cart.removeAllCoupons({ order_token })), [422, none])

  const form = new URLSearchParams({ 'order[email]': 'ada@example.com', include: 'shipping_address' })
  for (const [name, value] of Object.entries({ ...ada, country_iso: 'USA', state_name: 'NY' })) {
    form.set(`order[ship_address_attributes][${name}]`, value)
  }
  const { status, body } = await submit('PATCH', 'checkout/', order_token, form)
  assert.equal(status, 200, body.error)
  const address = body.included.find(it => it.type === 'address').attributes
  assert.deepEqual([address.country_iso, address.state_name, address.state_code], ['US', 'New York', 'NY'])
  const head = await fetch(`${api}/api/v2/storefront/cart/`, { method: 'HEAD', headers: { 'X-Spree-Order-Token': order_token } })
  assert.deepEqual([head.status, await head.text()], [200, ''])

  must(await client.checkout.advance({ order_token }))
  const include = 'order,order.line_items,payment,payment.source,payment_method'
  const intent = await stripe('post', 'payment_intents', { order_token, payment_intent, include })
  assert.equal(intent.included.find(it => it.type === 'order').attributes.total, intent.data.attributes.amount)
  assert.equal((await pay(intent, 'pm_card_mastercard')).status, 'succeeded')
  const paid = await stripe('patch', `payment_intents/${intent.data.id}/confirm`, { order_token, include })
  assert.deepEqual(paid.included.find(it => it.type === 'line_item').attributes.public_metadata, engraved.public_metadata)
  const order_number = paid.included.find(it => it.type === 'order').attributes.number
  const done = must(await client.order.status({ order_token, order_number, include: 'payments.source' }))
  const card = done.included.find(it => it.type === 'credit_card')
  assert.deepEqual([card.attributes.cc_type, card.attributes.last_digits], ['mastercard', '4444'])
  assert.equal(done.included.find(it => it.type === 'payment').relationships.source.data.id, card.id)
})

test('the webhook alone completes an order', async () => {
  const order_token = await cartToPay()
  const { number } = must(await client.cart.show({ order_token })).data.attributes
  const intent = await stripe('post', 'payment_intents', { order_token, payment_intent })
  await pay(intent, 'pm_card_mastercard')
  const status = await eventually(async () => {
    const result = await client.order.status({ order_token, order_number: number })
    return result.isSuccess() && result.success()
  })
  assert.equal(status.data.attributes.payment_state, 'paid')
  assert.deepEqual(refusal(await client.order.status({ order_token, order_number: 'R1' })), NOT_FOUND)
})

test('a customer pays with a new card, then with the one that was saved', async () => {
  const who = { bearer_token }
  const first = await cartToPay(who)
  const intent = await stripe('post', 'payment_intents', { order_token: first, bearer: bearer_token, payment_intent })
  const { customer_id, ephemeral_key_secret } = intent.data.attributes
  assert.match(customer_id, /^cus_/)
  assert.match(ephemeral_key_secret, /^ek_/)
  await pay(intent, 'pm_card_visa')
  must(await client.checkout.complete({ order_token: first }))

  const listed = must(await client.account.creditCardsList({ ...who, per_page: 1 }))
  const cards = listed.data
  assert.deepEqual([cards.length, listed.meta.count], [1, 1])
  assert.ok(listed.meta.total_count >= 1 && listed.links.self.includes('/account/credit_cards?page=1&per_page=1'))
  const [card] = cards
  assert.deepEqual([card.attributes.cc_type, card.attributes.last_digits, card.attributes.default], ['visa', '4242', true])
  assert.equal(must(await client.account.defaultCreditCard(who)).data.id, card.id)

  const second = await cartToPay(who)
  assert.notEqual(second, first)
  const stripe_payment_method_id = card.attributes.gateway_payment_profile_id
  const saved = await stripe('post', 'payment_intents', {
    order_token: second, payment_intent: { off_session: false, stripe_payment_method_id }
  })
  assert.equal(saved.data.attributes.customer_id, customer_id, 'one customer at Stripe')
  assert.equal(saved.data.attributes.stripe_payment_method_id, stripe_payment_method_id)
  assert.equal((await pay(saved, stripe_payment_method_id)).status, 'succeeded')
  const done = must(await client.checkout.complete({ order_token: second })).data.attributes

  const list = must(await client.account.completedOrdersList({ ...who, page: 1, per_page: 1, include: 'line_items' }))
  assert.deepEqual([list.data.length, list.data[0].type, list.data[0].attributes.number], [1, 'order', done.number])
  assert.ok(list.meta.total_count >= 2 && list.meta.total_pages >= 2)
  const one = must(await client.account.completedOrder({ ...who, order_number: done.number })).data
  assert.equal(one.attributes.state, 'complete')
  // Nobody else pays with it: Stripe refuses it, and the cart is paid with another card.
  const order_token = await cartToPay()
  const others = { order_token, payment_intent: { off_session: false, stripe_payment_method_id } }
  assert.equal((await stripeRefusal('post', 'payment_intents', others))[0], 422)
  const guests = await stripe('post', 'payment_intents', { order_token, payment_intent })
  assert.equal(guests.data.attributes.stripe_payment_method_id, null)
  assert.equal((await stripeRefusal('patch', `payment_intents/${guests.data.id}`, others))[0], 422)
  const source_attributes = { gateway_payment_profile_id: stripe_payment_method_id }
  const payment = { order_token, payment_method_id: 'stripe', source_attributes }
  assert.equal(refusal(await client.checkout.addPayment(payment))[0], 422)
  const existing = { order_token, order: { existing_card: stripe_payment_method_id } }
  assert.deepEqual(refusal(await client.checkout.orderUpdate(existing)), NOT_FOUND)
  const payments_attributes = [{ payment_method_id: 'stripe', source_attributes }]
  assert.equal(refusal(await client.checkout.orderUpdate({ order_token, order: { payments_attributes } }))[0], 422)
  assert.equal((await pay(guests, 'pm_card_visa')).status, 'succeeded')

  must(await client.account.removeCreditCard({ ...who, id: card.id }))
  const left = must(await client.account.creditCardsList(who)).data
  assert.ok(!left.some(it => it.id === card.id))
  assert.deepEqual(refusal(await client.account.creditCardsList({ bearer_token: 'x' })), [401, 'The access token is invalid'])
})

test('a declined card leaves the cart as it was, to be paid with another', async () => {
  const order_token = await cartToPay()
  const intent = await stripe('post', 'payment_intents', { order_token, payment_intent })
  const declined = await pay(intent, 'pm_card_chargeDeclined')
  assert.equal(declined.error.code, 'card_declined')
  const [status, body] = await stripeRefusal('patch', `payment_intents/${intent.data.id}/confirm`, { order_token })
  assert.deepEqual([status, body], [422, { error: 'Payment intent requires payment method' }])
  assert.deepEqual(refusal(await client.checkout.complete({ order_token })), [422, 'Payment intent requires payment method'])
  const again = await stripe('post', 'payment_intents', { order_token, payment_intent })
  assert.equal(again.data.attributes.stripe_id, intent.data.attributes.stripe_id, 'the same intent')
  await pay(again, 'pm_card_visa')
  const confirmed = await stripe('patch', `payment_intents/${intent.data.id}/confirm`, { order_token })
  assert.equal(confirmed.data.relationships.payment.data.type, 'payment')
})

test('a coupon takes something off, before and after the payment was begun', async () => {
  const order_token = await cartToPay()
  const cart = { order_token }
  const [status, text] = refusal(await client.cart.applyCouponCode({ ...cart, coupon_code: 'nonsense' }))
  assert.deepEqual([status, text], [422, "The coupon code you entered doesn't exist. Please try again."])
  const before = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  const applied = must(await client.cart.applyCouponCode({ ...cart, coupon_code: 'WELCOME', include: 'promotions' }))
  const { promo_total, total, promo_total_cents } = applied.data.attributes
  assert.deepEqual([promo_total, promo_total_cents], ['-7.7', 770])
  assert.deepEqual(applied.included.map(it => it.attributes.code), ['welcome'])
  const after = await stripe('get', 'payment_intents', cart)
  assert.equal(after.data.attributes.amount, total)
  assert.equal(after.data.attributes.stripe_id, before.data.attributes.stripe_id, 'Stripe was told the new amount')
  const removed = must(await client.cart.removeCouponCode({ ...cart, coupon_code: 'welcome' })).data.attributes
  assert.equal(removed.promo_total, '0.0')
  must(await client.cart.applyCouponCode({ ...cart, coupon_code: 'five' }))
  const paid = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  assert.equal((await pay(paid, 'pm_card_visa')).status, 'succeeded')
  const done = must(await client.checkout.complete(cart)).data.attributes
  assert.deepEqual([done.promo_total, done.state], ['-5.0', 'complete'])
})

test('a cart that was left is found again: by its token, and by the customer who owns it', async () => {
  const guest = must(await client.cart.create()).data.attributes.token
  must(await client.cart.addItem({ order_token: guest, variant_id: 'leaves', quantity: 3 }))
  const later = must(await client.cart.show({ order_token: guest })).data
  assert.equal(later.attributes.item_count, 3)
  const order = { email: 'ada@example.com', ship_address_attributes: ada }
  must(await client.checkout.orderUpdate({ order_token: guest, order }))
  must(await client.checkout.advance({ order_token: guest }))
  await stripe('post', 'payment_intents', { order_token: guest, payment_intent })
  must(await client.cart.associateGuestCart({ bearer_token, guest_order_token: guest }))
  const own = must(await client.cart.show({ bearer_token })).data
  assert.equal(own.id, later.id)
  assert.equal(must(await client.cart.create({ bearer_token })).data.id, later.id, 'nobody gets a second cart')
  const intent = await stripe('post', 'payment_intents', { bearer: bearer_token, payment_intent })
  assert.match(intent.data.attributes.customer_id, /^cus_/, 'the guest has become a customer')
  const emptied = must(await client.cart.emptyCart({ bearer_token })).data.attributes
  assert.deepEqual([emptied.state, emptied.total], ['cart', '0.0'])
  assert.equal((await pay(intent, 'pm_card_visa')).error.code, 'payment_intent_unexpected_state', 'what was in it cannot be paid')
  must(await client.cart.addItem({ bearer_token, variant_id: 'spoon', quantity: 1 }))
  must(await client.checkout.advance({ bearer_token }))
  const other = await stripe('post', 'payment_intents', { bearer: bearer_token, payment_intent })
  assert.notEqual(other.data.attributes.stripe_id, intent.data.attributes.stripe_id)
  must(await client.cart.remove({ bearer_token }))
  assert.deepEqual(refusal(await client.cart.show({ bearer_token })), NOT_FOUND)
})

test('an intent waits for email, address and rate, and is gone when the rate is lost', async () => {
  const order_token = must(await client.cart.create()).data.attributes.token
  const cart = { order_token }
  must(await client.cart.addItem({ ...cart, variant_id: 'mug', quantity: 2 }))
  const [status, body] = await stripeRefusal('post', 'payment_intents', { ...cart, payment_intent })
  const blank = ["can't be blank"]
  assert.deepEqual([status, body.errors], [422, { email: blank, ship_address: blank, shipping_method: blank }])
  const countryAlone = { email: 'ada@example.com', ship_address_attributes: { country_iso: 'US' } }
  const refused = (await client.checkout.orderUpdate({ ...cart, order: countryAlone })).fail()
  assert.deepEqual([refused.serverResponse.status, refused.serverResponse.data.errors['ship_address.state']], [422, blank])

  // As a wallet tells it: an incomplete address first, as often as it changes, the rest when its customer has confirmed.
  const wallet = { quick_checkout: true, city: ada.city, zipcode: ada.zipcode, country_iso: 'US' }
  for (const shipping_method_id of [undefined, 'courier', 'post']) {
    const order = { ship_address_attributes: wallet, bill_address_id: 'CLEAR' }
    must(await client.checkout.orderUpdate({ ...cart, order }))
    const include = 'shipments.shipping_rates,line_items.vendor'
    const sheet = must(await client.checkout.advance({ ...cart, state: 'delivery', quick_checkout: true, shipping_method_id, include }))
    const rates = sheet.included.filter(it => it.type === 'shipping_rate')
    assert.deepEqual([sheet.data.attributes.state, rates.map(it => it.id)], ['delivery', ['post', 'courier']])
    assert.deepEqual(rates.filter(it => it.attributes.selected).map(it => it.id), [shipping_method_id ?? 'post'])
  }
  const validate = { method: 'post', url: 'api/v2/storefront/checkout/validate_order_for_payment?skip_state=true' }
  const headers = { 'X-Spree-Order-Token': order_token }
  const validated = await client.cart.fetcher.fetch({ ...validate, headers, params: {} })
  assert.equal(validated.data.data.attributes.total, '36.39')
  const full = { email: 'ada@example.com', bill_address_attributes: ada, ship_address_attributes: ada }
  must(await client.checkout.orderUpdate({ ...cart, order: full }))
  assert.equal(must(await client.checkout.advance({ ...cart, state: 'payment' })).data.attributes.state, 'payment')
  const intent = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  assert.equal(intent.data.attributes.amount, '36.39')

  const abroad = { ...ada, country_iso: 'DE', state_name: '' }
  must(await client.checkout.orderUpdate({ ...cart, order: { ship_address_attributes: abroad } }))
  assert.equal((await pay(intent, 'pm_card_visa')).error.code, 'payment_intent_unexpected_state', 'it cannot be paid')
  assert.deepEqual((await stripeRefusal('post', 'payment_intents', { ...cart, payment_intent }))[1].errors, { shipping_method: blank })
  must(await client.checkout.advance(cart))
  const again = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  assert.equal(again.data.attributes.amount, '37.9')
  assert.equal((await pay(again, 'pm_card_visa')).status, 'succeeded')
  const done = must(await client.checkout.complete({ ...cart, include: 'line_items,shipments' }))
  const included = kind => done.included.filter(it => it.type === kind).map(it => it.attributes.included_tax_total)
  assert.deepEqual([included('line_item'), included('shipment')], [['4.47'], ['1.58']], 'each has its own tax')
  assert.deepEqual([done.data.attributes.included_tax_total, done.data.attributes.state], ['6.05', 'complete'])
})

test('a bank debit is a complete order that awaits its money, and is paid again where it fails', async () => {
  const order_token = await cartToPay()
  const cart = { order_token }
  const intent = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  const { stripe_id } = intent.data.attributes
  const finish = outcome => fetch(`${twin}/_twin/payment_intents/${stripe_id}/finish`, {
    method: 'POST', headers: { Authorization: 'Bearer sk_test_twin' }, body: new URLSearchParams({ outcome })
  })
  assert.equal((await pay(intent, 'pm_usBankAccount_processing')).status, 'processing')
  await stripe('patch', `payment_intents/${intent.data.id}/confirm`, cart)
  const placed = must(await client.checkout.complete({ ...cart, include: 'payments' }))
  const shown = it => [it.data.attributes.state, it.data.attributes.payment_state, it.included[0].attributes.state]
  assert.deepEqual(shown(placed), ['complete', 'balance_due', 'processing'])
  const { number } = placed.data.attributes
  const status = must(await client.order.status({ ...cart, order_number: number, include: 'payments' }))
  assert.deepEqual(shown(status), ['complete', 'balance_due', 'processing'])
  await finish('failed')
  await eventually(async () => must(await client.cart.show(cart)).data.attributes.state === 'payment')
  assert.deepEqual(refusal(await client.checkout.complete(cart)), [422, 'Payment intent requires payment method'])
  const again = await stripe('post', 'payment_intents', { ...cart, payment_intent })
  assert.equal(again.data.attributes.stripe_id, stripe_id)
  assert.equal((await pay(again, 'pm_usBankAccount_processing')).status, 'processing')
  await finish('succeeded')
  const paid = await eventually(async () => {
    const result = await client.order.status({ ...cart, order_number: number, include: 'payments' })
    return result.isSuccess() && result.success().data.attributes.payment_state === 'paid' && result.success()
  })
  assert.deepEqual(shown(paid), ['complete', 'paid', 'completed'])
})

test('a customer finds what is complete without its token, and nobody has two carts', async () => {
  const made = await Promise.all(Array.from({ length: 8 }, () => client.cart.create({ bearer_token })))
  assert.equal(new Set(made.map(it => must(it).data.id)).size, 1)
  const order_token = await cartToPay({ bearer_token })
  const { number } = must(await client.cart.show({ bearer_token })).data.attributes
  const intent = await stripe('post', 'payment_intents', { bearer: bearer_token, payment_intent })
  await pay(intent, 'pm_card_visa')
  await eventually(async () => (await client.order.status({ order_token, order_number: number })).isSuccess())
  for (const who of [{ bearer_token }, { order_token }, { bearer_token }, { order_token, bearer_token }]) {
    const done = must(await client.checkout.complete(who)).data.attributes
    assert.deepEqual([done.number, done.state, done.payment_state], [number, 'complete', 'paid'])
  }
})

test('the Stripe paths answer in their shapes', async () => {
  const order_token = await cartToPay()
  const none = await stripeRefusal('get', 'payment_intents', { order_token })
  assert.deepEqual(none, [404, { error: NOT_FOUND[1] }])
  for (const empty of [{}, { payment_intent: {} }]) {
    const [status, body] = await stripeRefusal('post', 'payment_intents', { order_token, ...empty })
    assert.equal(status, 400)
    assert.match(body.error, /^param is missing or the value is empty.*payment_intent$/)
  }
  const wrong = await stripeRefusal('post', 'payment_intents', { order_token, payment_intent: { amount: '0.5' } })
  assert.equal(wrong[0], 422)
  assert.match(wrong[1].errors.amount[0], /^must be \d+\.\d\d, the amount due$/)
  assert.deepEqual((await stripeRefusal('get', 'payment_intents', { order_token }))[0], 404, 'what was refused made nothing')

  const unknown = { off_session: false, stripe_payment_method_id: 'pm_none' }
  const noCard = await stripeRefusal('post', 'payment_intents', { order_token, payment_intent: unknown })
  assert.equal(noCard[0], 422)
  assert.match(noCard[1].error, /No such PaymentMethod/, "Stripe's own words")

  const intent = await stripe('post', 'payment_intents', { order_token, payment_intent })
  const names = ['amount', 'client_secret', 'customer_id', 'ephemeral_key_secret', 'stripe_id', 'stripe_payment_method_id']
  assert.deepEqual(Object.keys(intent.data.attributes).sort(), names)
  assert.equal(intent.data.type, 'payment_intent')
  assert.deepEqual(Object.keys(intent.data.relationships).sort(), ['order', 'payment', 'payment_method'])
  assert.equal(intent.data.attributes.customer_id, null)
  const { stripe_id, client_secret, amount } = intent.data.attributes
  assert.match(client_secret, new RegExp(`^${stripe_id}_secret_`))
  for (const path of ['payment_intents', `payment_intents/${intent.data.id}`, `payment_intents/${stripe_id}`]) {
    assert.deepEqual(await stripe('get', path, { order_token }), intent)
  }
  const patched = await stripe('patch', `payment_intents/${intent.data.id}`, {
    order_token, payment_intent: { amount, stripe_payment_method_id: 'pm_card_visa' }
  })
  assert.equal(patched.data.attributes.stripe_payment_method_id, 'pm_card_visa')
  const noSuch = await stripeRefusal('patch', `payment_intents/${intent.data.id}`, { order_token, payment_intent: unknown })
  assert.match(noSuch[1].error, /No such PaymentMethod/)
  const kept = await stripe('get', 'payment_intents', { order_token })
  assert.equal(kept.data.attributes.stripe_payment_method_id, 'pm_card_visa', 'what is refused changes nothing')
  const [status] = await stripeRefusal('patch', `payment_intents/${intent.data.id}`, { order_token, payment_intent: { amount: 1 } })
  assert.equal(status, 422)
  const other = await cartToPay()
  const stranger = await stripeRefusal('patch', `payment_intents/${intent.data.id}/confirm`, { order_token: other })
  assert.equal(stranger[0], 404, 'nobody learns of another order')
  await pay(patched, 'pm_card_visa')
  const confirmed = await stripe('post', `payment_intents/${stripe_id}/confirm`, { order_token })
  const repeated = await stripe('patch', `payment_intents/${stripe_id}/confirm`, { order_token })
  // Once Stripe has confirmed the payment, to this call or to the worker before it, the answer is made of what is
  // stored, and a client secret is not stored.
  assert.ok([client_secret, null].includes(confirmed.data.attributes.client_secret))
  assert.equal(repeated.data.attributes.client_secret, null)
  confirmed.data.attributes.client_secret = null
  assert.deepEqual(repeated, confirmed, 'a repeat has the same answer')

  assert.equal((await stripeRefusal('post', 'setup_intents', { order_token }))[0], 403)
  const setup = await stripe('post', 'setup_intents', { bearer: bearer_token })
  assert.deepEqual(Object.keys(setup).sort(), ['customer_id', 'ephemeral_key_secret', 'setup_intent_client_secret'])
})
