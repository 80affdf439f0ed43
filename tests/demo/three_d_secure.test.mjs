// The twin's page for 3-D Secure in a browser: a twin alone, and a shop to which the customer returns.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { fits, needed, newPage, picture, press, text, until } from './browser.mjs'

const program = spawn(needed('PAYWRIGHT'), ['twin', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
after(() => program.kill())
const [line] = await once(createInterface(program.stdout), 'line')
const twin = line.match(/http:\/\/[^ ;]+/)[0]

const shop = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Shop</title><p id="shop">Welcome back')
})
await once(shop.listen(0, '127.0.0.1'), 'listening')
after(() => {
  shop.closeAllConnections()
  shop.close()
})
const return_url = `http://127.0.0.1:${shop.address().port}/done?order=7`

const call = async (path, form) => {
  const body = form && new URLSearchParams(form)
  const answer = await fetch(`${twin}/v1/${path}`, { method: form ? 'POST' : 'GET', headers: { authorization: 'Bearer sk_test_x' }, body })
  assert.equal(answer.status, 200, await answer.clone().text())
  return answer.json()
}
const payment = form => call('payment_intents', {
  amount: 2000, currency: 'usd', confirm: true, payment_method: 'pm_card_threeDSecure2Required', ...form
})
const returned = async (page, id, outcome) => {
  await page.waitForSelector('#shop')
  const { searchParams } = new URL(page.url())
  assert.deepEqual([...searchParams.keys()].filter(it => !it.endsWith('_client_secret')),
    ['order', id.startsWith('seti_') ? 'setup_intent' : 'payment_intent', ...(outcome ? ['redirect_status'] : [])])
  assert.deepEqual([searchParams.get('order'), searchParams.get('redirect_status')], ['7', outcome])
  assert.ok([...searchParams.values()].includes(id))
}

for (const [button, outcome, status] of [
  ['#complete', 'succeeded', 'succeeded'], ['#fail', 'failed', 'requires_payment_method']
]) {
  test(`${button} ends the authentication of a payment: it has ${outcome}`, async () => {
    const { id, next_action } = await payment({ return_url })
    const page = await newPage(360)
    await page.goto(next_action.redirect_to_url.url)
    await until(page, 'p', 'a payment of $20.00')
    await fits(page)
    await picture(page, `3ds-${outcome}`)
    await press(page, button)
    await returned(page, id, outcome)
    assert.equal((await call(`payment_intents/${id}`)).status, status)
    await page.goto(next_action.redirect_to_url.url)
    await until(page, 'p', 'No payment waits')
    await press(page, '#return')
    await returned(page, id, null)
    assert.deepEqual(page.mistakes, [])
  })
}

test('a customer returns to the shop without authenticating', async () => {
  const { id, next_action } = await payment({ return_url })
  const page = await newPage(1280)
  await page.goto(next_action.redirect_to_url.url)
  await press(page, '#return')
  await returned(page, id, null)
  assert.equal((await call(`payment_intents/${id}`)).status, 'requires_action')
})

test('a card is set up', async () => {
  const setup = await call('setup_intents', { confirm: true, payment_method: 'pm_card_authenticationRequired', return_url })
  const page = await newPage(1280)
  await page.goto(setup.next_action.redirect_to_url.url)
  await until(page, 'p', 'the setup of a card')
  await press(page, '#complete')
  await returned(page, setup.id, 'succeeded')
  assert.equal((await call(`setup_intents/${setup.id}`)).status, 'succeeded')
})

test('without a return_url the page says that it can be closed', async () => {
  const { next_action } = await payment({ 'payment_method_types[]': 'card' })
  const page = await newPage(1280)
  await page.goto(next_action.use_stripe_sdk.stripe_js)
  assert.equal(await page.$('#return'), null)
  await press(page, '#complete')
  await until(page, 'p', 'has succeeded')
  assert.match(await text(page, 'p'), /You can close this page/)
})
