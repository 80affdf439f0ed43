// Receives Paywright's webhooks: verifies each, stores it once, and only then answers with success.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import { Webhook } from 'standardwebhooks'

const { WEBHOOK_SECRET, EVENTS_FILE = 'events.jsonl', PORT = '9000', SPREE } = process.env
const BODY_BYTES_MAX = 1024 * 1024

if (!WEBHOOK_SECRET?.startsWith('whsec_')) {
  console.error('set WEBHOOK_SECRET to the secret of the endpoint (whsec_...)')
  process.exit(1)
}
const webhook = new Webhook(WEBHOOK_SECRET)
const lines = existsSync(EVENTS_FILE) ? readFileSync(EVENTS_FILE, 'utf8').split('\n').filter(Boolean) : []
const stored = new Set(lines.map(line => JSON.parse(line).webhook_id))

// Spree's signature: its key is the text of the secret, and the raw body is what is signed.
const isSignedAsBySpree = (body, signature = '') => {
  const expected = createHmac('sha256', WEBHOOK_SECRET).update(body).digest()
  const given = Buffer.from(signature, 'base64')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

// Writes an event to the disk. No other request runs meanwhile, so a repeat cannot come between check and write.
const store = (id, event) => {
  if (stored.has(id)) return
  const file = openSync(EVENTS_FILE, 'a')
  try {
    writeSync(file, JSON.stringify({ webhook_id: id, event }) + '\n')
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  stored.add(id)
  console.log(`stored ${id} ${event.type ?? event.event_type}`)
}

const receive = async request => {
  if (request.method !== 'POST') return 405
  if (!(Number(request.headers['content-length']) <= BODY_BYTES_MAX)) return 413
  // Raw bytes of the body: the signature is over these, not over parsed and rewritten JSON.
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (SPREE && !isSignedAsBySpree(body, request.headers['x-spree-hmac-sha256'])) return 400
  let event
  try {
    event = webhook.verify(body, request.headers)
  } catch (error) {
    console.error(`refused: ${error.message}`)
    return 400
  }
  store(request.headers['webhook-id'], event)
  return 204
}

const server = createServer(async (request, response) => {
  const status = await receive(request).catch(error => {
    console.error(error)
    return 500
  })
  response.writeHead(status).end()
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on port ${server.address().port}`))
