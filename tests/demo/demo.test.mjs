// The demo shop front as people use it: with a mouse, with a keyboard, on a telephone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fits, open, paid, picture, press, ready, seen, text, toPayment, until } from './browser.mjs'

for (const [device, width] of [['phone', 360], ['desktop', 1280]]) {
  test(`on a ${device}, a cart is filled and paid, and the order becomes paid`, async () => {
    const page = await open(width)
    await fits(page)
    await picture(page, `${device}-1-shelves`)
    await press(page, '#catalog li:nth-child(2) button')
    await until(page, '#lines', '')
    await page.waitForSelector('#lines li')
    await ready(page, '#coupon button')
    await page.type('#code', 'nonsense')
    await press(page, '#coupon button')
    await until(page, '[data-problem=basket]', "doesn't exist")
    await page.$eval('#code', it => { it.value = '' })
    await page.type('#code', 'welcome')
    await press(page, '#coupon button')
    await until(page, '#totals', 'Coupons')
    await picture(page, `${device}-2-cart`)
    await page.select('[name=country_iso]', 'JP')
    await press(page, '#where button')
    await until(page, '[data-problem=address]', 'unable to calculate shipping rates')
    await page.select('[name=country_iso]', 'US')
    await press(page, '#where button')
    await page.waitForSelector('#rates input')
    await ready(page, '#how button')
    assert.equal((await page.$$('#rates input')).length, 2)
    await page.click('#rates label:nth-child(2)')
    await press(page, '#how button')
    await until(page, '#pay-now', '$')
    for (const row of ['Shipping', 'Tax', 'Coupons']) assert.match(await text(page, '#totals'), new RegExp(row))
    await fits(page)
    await picture(page, `${device}-3-payment`)
    await press(page, '#pay-now')
    await paid(page)
    await fits(page)
    await picture(page, `${device}-4-paid`)
    await press(page, '#again')
    assert.equal(await seen(page, '#nothing'), true)
  })
}

test('a declined card is said in words, and another one pays the same order', async () => {
  const page = await open(800)
  await toPayment(page)
  await page.click('#cards label:nth-of-type(2)')
  await press(page, '#pay-now')
  await until(page, '[data-problem=payment]', 'declined')
  await picture(page, 'declined')
  // What became of the order is asked for after the problem is said.
  await until(page, '#number', 'ORD-')
  const number = await text(page, '#number')
  await page.click('#cards label:nth-of-type(1)')
  await press(page, '#pay-now')
  await paid(page)
  assert.equal(await text(page, '#number'), number)
})

test('a card that needs the bank asks, is refused, asks again and is paid', async () => {
  const page = await open(800)
  await toPayment(page)
  await page.click('#cards label:nth-of-type(3)')
  await press(page, '#pay-now')
  await page.waitForSelector('dialog[open]')
  await picture(page, 'challenge')
  await page.click('#refuse')
  await until(page, '[data-problem=payment]', 'authentication')
  await press(page, '#pay-now')
  await page.waitForSelector('dialog[open]')
  await page.click('#approve')
  await paid(page)
})

test('a cart that was left is there when the page is opened again', async () => {
  const page = await open(800)
  await toPayment(page)
  await page.reload()
  await until(page, '#pay-now', '$')
  assert.equal((await page.$$('#lines li')).length, 1)
  await press(page, '#pay-now')
  await paid(page)
  await page.reload()
  await until(page, '#state', 'paid')
})

test('all of it can be done with a keyboard alone, and a screen reader is told', async () => {
  const page = await open(1280)
  // To a control that says this of itself, as a screen reader would hear it.
  const tabTo = async wanted => {
    for (let left = 60; left > 0; left--) {
      await page.keyboard.press('Tab')
      const said = await page.evaluate(() => {
        const it = document.activeElement
        return it === document.body ? '' : it.getAttribute('aria-label') ?? it.labels?.[0]?.textContent ?? it.textContent
      })
      if (said.includes(wanted)) return
    }
    assert.fail(`no control says ${wanted}`)
  }
  await tabTo('Add Teapot to the cart')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#lines li')
  await ready(page, '#where button')
  await tabTo('Continue to delivery')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#rates input')
  await ready(page, '#how button')
  await tabTo('Continue to payment')
  await page.keyboard.press('Enter')
  await until(page, '#pay-now', '$')
  await ready(page, '#pay-now')
  await tabTo('Visa 4242')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await tabTo('Pay $')
  await page.keyboard.press('Enter')
  await page.waitForSelector('dialog[open]')
  await tabTo('Approve the payment')
  await page.keyboard.press('Enter')
  await paid(page)
  const unnamed = await page.$$eval('main input, main select, main button', all => all
    .filter(it => !(it.getAttribute('aria-label') || it.labels?.length || it.textContent.trim()))
    .map(it => it.outerHTML))
  assert.deepEqual(unnamed, [])
  for (const place of await page.$$eval('[data-problem]', all => all.map(it => it.getAttribute('role')))) assert.equal(place, 'alert')
})
