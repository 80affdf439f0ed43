// The console in a browser: every page in light and dark and at three sizes, judged by axe-core, and what people do with it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { fits, needed, newPage, picture } from '../demo/browser.mjs'

const base = needed('PAYWRIGHT_URL')
// Links to sign in, and the orders that the pages show.
const links = { administer: needed('LINK_ADMINISTER'), view: needed('LINK_VIEW') }
const [paid, authorized, open, held, returned] = ['PAID', 'AUTHORIZED', 'OPEN', 'HELD', 'RETURNED'].map(needed)
const endpoint = needed('ENDPOINT')
const payout = needed('PAYOUT')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const SIZES = [[360, 740], [768, 1024], [1440, 900]]
const BYTES_MAX = 60_000

// Sessions of the roles, by their cookies: a link can be used once.
const cookies = {}
async function signedIn(role, width = 1440) {
  const page = await newPage(width)
  if (cookies[role]) {
    await page.browserContext().setCookie(cookies[role])
  } else {
    await page.goto(links[role])
    await Promise.all([page.waitForNavigation(), page.click('main form button')])
    cookies[role] = (await page.browserContext().cookies()).find(it => it.name === 'paywright_console')
  }
  return page
}

// What axe-core finds on a page. Its own script is injected past the policy of the page, as an extension would.
async function judged(page, name) {
  const session = await page.createCDPSession()
  await session.send('Runtime.evaluate', { expression: axe })
  const { violations } = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] })
    return { violations: violations.map(it => `${it.id}: ${it.help}: ${it.nodes.map(node => node.target).join(', ')}`) }
  })
  await session.detach()
  assert.deepEqual(violations, [], name)
}

test('the libraries are those of their packages, byte by byte', () => {
  assert.match(execFileSync('node', ['vendor.mjs', '--check'], { encoding: 'utf8' }), /are those of their packages/)
})

test('a link shows for whom it is, signs in once, and sets a cookie that no script reads', async () => {
  const preview = await fetch(links.administer)
  assert.equal(preview.status, 200, 'a preview spends nothing')
  const page = await signedIn('administer')
  assert.equal(new URL(page.url()).pathname, '/console/today')
  const { httpOnly, sameSite, path } = cookies.administer
  assert.deepEqual({ httpOnly, sameSite, path }, { httpOnly: true, sameSite: 'Strict', path: '/console' })
  assert.equal(await page.evaluate(() => document.cookie), '')
  await page.goto(links.administer)
  assert.match(await page.$eval('h1', it => it.textContent), /cannot be used/)
  await signedIn('view')
})

test('today has the figures of the day, a plot of the days, and refreshes by itself', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console`)
  assert.equal(new URL(page.url()).pathname, '/console/today')
  const placed = () => page.$eval('#today-USD ~ dl dd', it => Number.parseInt(it.textContent))
  // The orders of this run are counted within seconds.
  for (let tries = 0; tries < 60 && !(await page.$('#today-USD')); tries++) {
    await new Promise(resolve => setTimeout(resolve, 500))
    await page.reload()
  }
  const before = await placed()
  assert.ok(before > 0, before)
  assert.ok(await page.$('.plot canvas'), 'the plot is drawn')
  const days = await page.$$eval('#recent-USD ~ details tbody tr', all => all.length)
  assert.ok(days >= 1 && days <= 2, `${days} days, unless midnight is near`)
  // What a browser does when its tab is shown again, and every 30 seconds.
  const shown = () => page.$eval('#now time', it => it.dateTime)
  const first = await shown()
  await page.focus('#now a')
  const focused = () => page.evaluate(() => document.activeElement.outerHTML)
  const link = await focused()
  await new Promise(resolve => setTimeout(resolve, 1100))
  const [answer] = await Promise.all([
    page.waitForResponse(it => it.request().headers()['hx-request'] === 'true'),
    page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  ])
  assert.equal(answer.status(), 200)
  await page.waitForFunction(it => document.querySelector('#now time').dateTime !== it, {}, first)
  assert.ok((await placed()) >= before)
  assert.equal(await focused(), link, 'the keyboard stays where it was')
  assert.ok(await page.$('.plot canvas'), 'the plot stays')
  await judged(page, 'refreshed')
  assert.deepEqual(page.mistakes, [])
})

test('today says when its figures cannot be refreshed', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/today`)
  const answers = {
    ended: request => request.respond({ status: 401, contentType: 'text/html', body: '<h1>No session</h1>' }),
    unreachable: request => request.abort('connectionrefused'),
    replaced: request => request.respond({ status: 200, contentType: 'text/html', body: '<h1>Maintenance</h1>' }),
    none: request => request.continue()
  }
  let answer = answers.none
  await page.setRequestInterception(true)
  page.on('request', request => request.headers()['hx-request'] ? answer(request) : request.continue())
  const notices = () => page.$$eval('.notice', all => all.filter(it => !it.hidden).map(it => it.id))
  assert.deepEqual(await notices(), [])
  const days = await page.$$eval('#now section', all => all.length)
  for (const [name, told] of [['ended', ['ended']], ['unreachable', ['late']], ['none', []], ['replaced', ['late']], ['none', []]]) {
    answer = answers[name]
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    const wanted = JSON.stringify(told)
    const seen = it => JSON.stringify([...document.querySelectorAll('.notice')].filter(it => !it.hidden).map(it => it.id)) === it
    await page.waitForFunction(seen, {}, wanted)
    assert.equal(await page.$$eval('#now section', all => all.length), days, `${name}: the figures stay`)
    if (told.length) await judged(page, name)
  }
})

test('every page fits, is accessible, small and free of errors, in light and dark and at three sizes', async () => {
  const pages = {
    'no session': ['/console', null],
    today: ['/console/today', 'administer'],
    orders: ['/console/orders', 'administer'],
    'no orders': ['/console/orders?q=nobody%40example.com', 'administer'],
    'a paid order': [`/console/orders/${paid}`, 'administer'],
    'an authorized order': [`/console/orders/${authorized}`, 'administer'],
    'an order held for review': [`/console/orders/${held}`, 'administer'],
    'an order with a failed refund': [`/console/orders/${returned}`, 'administer'],
    'an order for a role that views': [`/console/orders/${paid}`, 'view'],
    attention: ['/console/attention', 'administer'],
    endpoints: ['/console/endpoints', 'administer'],
    endpoint: [`/console/endpoints/${endpoint}`, 'administer'],
    books: ['/console/books', 'administer'],
    'books of a time before': ['/console/books?period=2020-01', 'administer'],
    payout: [`/console/books/payouts/${payout}`, 'administer'],
    keys: ['/console/keys', 'administer'],
    'audit trail': ['/console/audit', 'administer'],
    settings: ['/console/settings', 'administer'],
    'nothing here': ['/console/orders/nope', 'administer'],
    'wrong filter': ['/console/orders?state=nope', 'administer']
  }
  for (const [name, [path, role]] of Object.entries(pages)) {
    const page = role ? await signedIn(role) : await newPage(1440)
    let bytes = 0
    const sizes = []
    page.on('response', response => sizes.push(response.buffer().then(it => gzipSync(it).length, () => 0)))
    page.on('dialog', () => assert.fail('a text of a customer ran as a script'))
    for (const scheme of ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
      for (const [width, height] of SIZES) {
        await page.setViewport({ width, height })
        await page.goto(base + path)
        bytes ||= (await Promise.all(sizes)).reduce((sum, it) => sum + it, 0)
        await fits(page)
        await judged(page, `${name}, ${scheme}, ${width}`)
        await picture(page, `${name.replaceAll(' ', '-')}-${width}-${scheme}`)
      }
    }
    assert.ok(bytes > 1000 && bytes < BYTES_MAX, `${name} has ${bytes} bytes with all that it loads`)
    assert.deepEqual(page.mistakes, [], name)
    await page.browserContext().close()
  }
})

test('texts of customers are shown as they are, and run nothing', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/orders/${paid}`)
  const shown = await page.$$eval('#bought ~ table tbody bdi', all => all.map(it => it.textContent))
  assert.ok(shown.includes('<script>alert(1)</script>'), shown)
  assert.ok(shown.some(it => [...it].length === 250), 'a name of 250 emoji is whole')
  assert.ok(shown.some(it => it.includes('\u200f')), 'right-to-left marks are kept')
})

test('a payout is found by its id, and shows what it contains, order by order', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/orders?q=${payout}`)
  assert.match(await page.$eval('h1', it => it.textContent), /^Payout of [\d.]+ [A-Z]{3}$/)
  const orders = await page.$$eval('#members ~ table tbody th a', all => all.map(it => it.textContent))
  assert.ok(orders.length > 0 && orders.every(it => it.startsWith('ORD-')), orders)
  await page.goto(`${base}/console/books`)
  assert.match(await page.$eval('pre', it => it.textContent), /^Balance statement \d{4}-\d\d\n/)
})

test('the books of a month are downloaded for an accounting program, which finds them right', async () => {
  const page = await signedIn('view')
  await page.goto(`${base}/console/books`)
  const period = await page.$eval('[name=period]', it => it.value)
  const get = path => page.evaluate(async path => {
    const answer = await fetch(path)
    const { status, headers } = answer
    return { status, name: headers.get('content-disposition'), kind: headers.get('content-type'), text: await answer.text() }
  }, path)
  const address = await page.$eval('#downloads ~ form', it => `${it.action}?${new URLSearchParams(new FormData(it))}`)
  const journal = await get(address)
  assert.deepEqual([journal.status, journal.name], [200, `attachment; filename="paywright-${period}.journal"`])
  execFileSync('hledger', ['-f', '-', 'check'], { input: journal.text })
  const entries = execFileSync('hledger', ['-f', '-', 'print'], { input: journal.text, encoding: 'utf8' })
  assert.ok(entries.includes(`payout:${payout}`), entries)
  const taxes = await get(await page.$eval('#downloads ~ p a', it => it.href))
  assert.deepEqual([taxes.status, taxes.kind], [200, 'text/csv; charset=utf-8'])
  assert.ok(taxes.text.split('\n').length > 1, taxes.text)
  for (const wrong of [`format=nope&period=${period}`, 'format=csv', 'format=csv&period=2020-01', 'format=csv&period=x']) {
    const { status, text } = await get(`/console/books/export?${wrong}`)
    assert.ok([400, 422].includes(status) && text.startsWith('<!doctype html>'), `${wrong}: ${status}`)
  }
})

// With SCREENSHOTS, docs/console.webp is made here: a copy of what it writes.
test('an order as a shop has it is shown on one screen', async () => {
  const page = await signedIn('administer')
  await page.setViewport({ width: 1180, height: 820 })
  await page.goto(`${base}/console/orders/${needed('SHOWN')}`)
  const words = await page.$eval('main', it => it.textContent)
  for (const wanted of ['Teapot, cast iron', 'partly refunded, 111.38 USD left', 'Refund 111.38 USD']) assert.ok(words.includes(wanted), wanted)
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/console.webp`, type: 'webp', quality: 70 })
})

test('with the keyboard alone, an order is found and refunded in part', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/orders`)
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
  await page.focus('#q')
  await page.keyboard.type(paid)
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  assert.equal(await page.$eval('h1', it => it.textContent), paid)
  await page.focus('details:has(form.part) summary')
  await page.keyboard.press('Enter')
  await page.focus('[id^=refund-amount]')
  await page.keyboard.down('Control')
  await page.keyboard.press('a')
  await page.keyboard.up('Control')
  await page.keyboard.type('12.50')
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  assert.match(await page.$eval('#result', it => it.textContent), /Refund 1: 12\.50 USD/)
  await page.reload()
  assert.equal((await page.$$('#refunds ~ table tbody tr')).length, 1, 'a reload refunds nothing')
})

// The fields of a form on a page, as its browser would send them.
const fieldsOf = (page, action) => page.$eval(`form[action$="${action}"]`, it => Object.fromEntries(new FormData(it)))
const post = (page, path, fields) => page.evaluate(async (path, fields) => {
  const answer = await fetch(path, { method: 'POST', body: new URLSearchParams(fields) })
  return { status: answer.status, url: answer.url, text: await answer.text() }
}, path, fields)

test('a form that is sent many times at once is one refund', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/orders/${paid}`)
  const fields = { ...await fieldsOf(page, '/refund'), amount: '1.00' }
  const path = await page.$eval('form[action$="/refund"]', it => it.getAttribute('action'))
  const answers = await Promise.all(Array.from({ length: 8 }, () => post(page, path, fields)))
  assert.deepEqual([...new Set(answers.map(it => it.url))], [`${base}${path.replace('/refund', '')}?done=refund-2`])
  const wrong = await post(page, path, { ...fields, amount: '2.00' })
  assert.match(wrong.text, /Nothing was changed/, 'the same form with another amount')
  await page.reload()
  assert.equal((await page.$$('#refunds ~ table tbody tr')).length, 2)
})

test('money of another amount is accepted with the keyboard alone, and the page says what became of it', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/attention`)
  await Promise.all([page.waitForNavigation(), page.click(`a[href$="${held}"]`)])
  const accept = 'details:has(form[action$="/accept"])'
  assert.match(await page.$eval(accept, it => it.textContent), /56\.00 USD is due, and 50\.00 USD was received: 6\.00 USD less\./)
  await page.focus(`${accept} summary`)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await page.keyboard.type('a voucher of 6.00')
  await judged(page, 'accept')
  await picture(page, 'accept-1440-light')
  await page.keyboard.press('Tab')
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  assert.match(await page.$eval('#result', it => it.textContent), /The payment was accepted/)
  assert.match(await page.$eval('#anomalies ~ table', it => it.textContent), /amount differs[^]*accepted/)
  assert.equal(await page.$(accept), null)
  await page.goto(`${base}/console/attention`)
  assert.equal(await page.$(`a[href$="${held}"]`), null, 'nobody needs to decide any more')
})

test('a failed refund is closed with the keyboard alone, and nobody is asked to refund it again', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/attention`)
  await Promise.all([page.waitForNavigation(), page.click(`a[href$="${returned}"]`)])
  const close = 'details:has(form[action$="/close"])'
  const [, amount] = /refund 1 of ([0-9.]+ USD)/.exec(await page.$eval(close, it => it.textContent))
  await page.focus(`${close} summary`)
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.value), amount.replace(' USD', ''), 'all of it, unless a person says less')
  await page.keyboard.press('Tab')
  await page.keyboard.type('sent to the bank account')
  await judged(page, 'close')
  await picture(page, 'close-1440-light')
  await page.keyboard.press('Tab')
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  assert.match(await page.$eval('#result', it => it.textContent), new RegExp(`Refund 1 of ${amount} is closed`))
  assert.match(await page.$eval('#refunds ~ table', it => it.textContent), /failed[^]*closed/)
  assert.match(await page.$eval('#timeline ~ ol', it => it.textContent), /Note: sent to the bank account/)
  assert.equal(await page.$(close), null)
  await judged(page, 'closed')
  await picture(page, 'closed-1440-light')
  await page.goto(`${base}/console/attention`)
  assert.equal(await page.$(`a[href$="${returned}"]`), null, 'nobody needs to act any more')
})

test('a page that is out of date says so and does nothing', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/orders/${open}`)
  const fields = await fieldsOf(page, '/cancel')
  const path = await page.$eval('form[action$="/cancel"]', it => it.getAttribute('action'))
  const stale = await post(page, path, { ...fields, seen: '1' })
  assert.equal(stale.status, 409)
  assert.match(stale.text, /has changed since this page was loaded\. Nothing was done/)
  assert.match(stale.text, /name="seen" value="[0-9a-f]{16}"/, 'the page shows how it stands now')
  const done = await post(page, path, fields)
  assert.match(done.text, /The order is canceled/)
  const again = await post(page, path, fields)
  assert.match(again.text, /The order is canceled/, 'a repetition is no other act')
})

test('an amount that is too large is refused in words, and the page stays usable', async () => {
  const page = await signedIn('administer')
  await page.goto(`${base}/console/orders/${authorized}`)
  const path = await page.$eval('form[action$="/capture"]', it => it.getAttribute('action'))
  for (const amount of ['9999.00', '0', 'a', '1,5']) {
    const refused = await post(page, path, { ...await fieldsOf(page, '/capture'), amount })
    assert.equal(refused.status, 422, amount)
    assert.match(refused.text, /This was refused\. Nothing was changed\./)
    assert.ok(refused.text.includes(`value="${amount}" aria-invalid="true"`), 'what was typed is kept')
  }
})

test('a role that views has no forms, and its acts are refused', async () => {
  const page = await signedIn('view')
  await page.goto(`${base}/console/orders/${paid}`)
  assert.match(await page.$eval('#acts ~ .empty', it => it.textContent), /changes nothing/)
  const csrf = (await fieldsOf(page, '/sign-out')).csrf
  const order = await page.$eval('#ids ~ dl .id', it => it.textContent)
  for (const path of [`orders/${order}/refund`, `orders/${order}/capture`, `orders/${order}/cancel`, `orders/${order}/accept`, `orders/${order}/close`, `endpoints/${endpoint}/disable`, 'attention/resolve']) {
    const answer = await post(page, `/console/${path}`, { csrf, key: '01a2a7c1-02fb-7b45-89c5-4a6729276452', seen: '1' })
    assert.equal(answer.status, 403, path)
    assert.match(answer.text, /Your role does not allow this/)
  }
})

test('without JavaScript an order is found, and a part of it refunded', async () => {
  const page = await signedIn('administer')
  await page.setJavaScriptEnabled(false)
  await page.goto(`${base}/console/today`)
  assert.match(await page.$eval('#recent-USD ~ details', it => it.textContent), /USD/, 'the table has what the plot shows')
  await page.goto(`${base}/console/orders`)
  await page.type('#q', paid)
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  assert.equal(await page.$eval('h1', it => it.textContent), paid)
  await page.click('details:has(form.part input[id^=refund-amount]) summary')
  await page.click('[id^=refund-amount]', { count: 3 })
  await page.keyboard.type('1.25')
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
  assert.match(await page.$eval('#result', it => it.textContent), /Refund \d: 1\.25 USD/)
})

test('signing out ends the session', async () => {
  const page = await signedIn('view')
  await page.goto(`${base}/console/orders`)
  await Promise.all([page.waitForNavigation(), page.click('form[action$="/sign-out"] button')])
  assert.match(await page.$eval('h1', it => it.textContent), /You are signed out/)
  await page.browserContext().setCookie(cookies.view)
  await page.goto(`${base}/console/orders`)
  assert.match(await page.$eval('h1', it => it.textContent), /You are not signed in/)
})
