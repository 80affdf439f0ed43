// A browser, and what people do in it with the demo shop front and other pages.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { after, before } from 'node:test'
import puppeteer from 'puppeteer-core'

export const needed = name => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: these tests are run by scripts/test, which starts the server`)
  return value
}
// How long anything on the page may take before it is given up, in milliseconds: far more than it takes.
const PATIENCE_MS = 60000
// Where pictures go, if anybody wants to look at them.
const pictures = process.env.SCREENSHOTS
let browser

before(async () => {
  // Without a sandbox of its own: containers have none to give, and it opens nothing but our own page.
  browser = await puppeteer.launch({ executablePath: needed('CHROMIUM'), args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  if (pictures) mkdirSync(pictures, { recursive: true })
})
after(() => browser.close())

// A page of this width in a fresh context, which collects the errors of its scripts.
export async function newPage(width, prepare = async () => {}) {
  const context = await browser.createBrowserContext()
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE_MS)
  page.mistakes = []
  page.on('pageerror', error => page.mistakes.push(String(error)))
  page.on('console', message => { if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) page.mistakes.push(message.text()) })
  await page.setViewport({ width, height: 900 })
  await prepare(page)
  return page
}
// The page of the demo shop front, or another one.
export async function open(width, prepare, { at = `${needed('PAYWRIGHT_URL')}/demo`, ready = '#catalog button' } = {}) {
  const page = await newPage(width, prepare)
  await page.goto(at)
  await page.waitForSelector(ready)
  return page
}
export const picture = async (page, name) => {
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true })
}
export const seen = (page, selector) => page.$eval(selector, it => !it.closest('[hidden]') && it.getClientRects().length > 0)
export const text = (page, selector) => page.$eval(selector, it => it.textContent.trim())
export const until = (page, selector, wanted) => page.waitForFunction(
  (selector, wanted) => document.querySelector(selector)?.textContent.includes(wanted), {}, selector, wanted)
// Nothing is being done, and a button can be pressed.
export const ready = (page, selector) => page.waitForFunction(
  selector => { const it = document.querySelector(selector); return it && !it.disabled && !it.closest('[hidden]') }, {}, selector)
export async function press(page, selector) {
  await ready(page, selector)
  await page.click(selector)
}
export async function fits(page) {
  const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth])
  assert.ok(wide <= inner, `the page is ${wide} wide in a window of ${inner}`)
}

export async function toPayment(page, then = 'Pay $') {
  await press(page, '#catalog li:nth-child(2) button')
  await until(page, '#totals', 'Total')
  await press(page, '#where button')
  await page.waitForSelector('#rates input')
  await press(page, '#how button')
  await until(page, '#pay-now', then)
  await ready(page, '#pay-now')
}

export async function paid(page) {
  await until(page, '#state', 'paid')
  // By the webhook of the payment, or by a read of Stripe that the charge's webhook caused a moment before.
  await until(page, '#how-known', 'Confirmed by')
  assert.ok((await page.$$('#timeline li')).length >= 4)
  assert.deepEqual(page.mistakes, [])
}
