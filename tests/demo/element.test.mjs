// The demo shop front with a publishable key: it pays by Stripe's Payment Element. Stripe.js itself is played here, by what
// Stripe documents of it; what it does with a real card needs a network.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { needed, open, paid, picture, press, seen, toPayment, until } from './browser.mjs'

const STRIPE_JS = `window.Stripe = key => ({
  elements: ({ clientSecret }) => ({
    create: kind => ({ mount: where => { document.querySelector(where).textContent = key + ' ' + kind; window.opened = clientSecret } }),
    fetchUpdates: async () => { window.updated = true }
  }),
  confirmPayment: async ({ elements, redirect }) => window.confirmAtStripe(window.opened, Boolean(elements), redirect)
})`

// What Stripe.js would send to Stripe.
async function confirmAtStripe(clientSecret, elements, redirect) {
  assert.deepEqual([elements, redirect], [true, 'if_required'])
  const [intent] = clientSecret.split('_secret_')
  const response = await fetch(`${needed('STRIPE_TWIN_URL')}/v1/payment_intents/${intent}/confirm`, {
    method: 'POST', headers: { Authorization: 'Bearer pk_test_demo' },
    body: new URLSearchParams({ client_secret: clientSecret, payment_method: 'pm_card_visa' })
  })
  const answer = await response.json()
  return response.ok ? { paymentIntent: answer } : { error: answer.error }
}

const playing = answer => async page => {
  await page.exposeFunction('confirmAtStripe', confirmAtStripe)
  await page.setRequestInterception(true)
  page.on('request', request => request.url().startsWith('https://js.stripe.com/') ? answer(request) : request.continue())
}

test('with a publishable key, the Payment Element is shown and pays', async () => {
  const page = await open(800, playing(it => it.respond({ contentType: 'text/javascript', body: STRIPE_JS })))
  await toPayment(page, 'Enter payment details')
  assert.equal(await seen(page, '#cards'), false, 'no test cards')
  await press(page, '#pay-now')
  await until(page, '#element', 'pk_test_demo payment')
  await until(page, '#pay-now', 'Pay $')
  await picture(page, 'element')
  await press(page, '#pay-now')
  await paid(page)
  assert.equal(await page.evaluate('window.updated'), true, 'of the amount as it is now')
})

test('where Stripe.js cannot be loaded, that is said in words', async () => {
  const page = await open(800, playing(it => it.abort()))
  await toPayment(page, 'Enter payment details')
  await press(page, '#pay-now')
  await until(page, '[data-problem=payment]', 'Stripe.js cannot be loaded')
  await until(page, '#state', 'open') // and nothing was paid
})
