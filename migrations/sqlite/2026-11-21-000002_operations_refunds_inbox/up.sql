-- What is being done to an order's payable intent, what went back, what is disputed, and the provider's messages.

ALTER TABLE orders ADD COLUMN operations INTEGER NOT NULL DEFAULT 0 CHECK (operations >= 0);
ALTER TABLE orders ADD COLUMN operation TEXT;

ALTER TABLE payment_intents ADD COLUMN capture_asked INTEGER CHECK (capture_asked > 0);
-- What came of it on the shop's balance, in the currency of that.
ALTER TABLE payment_intents ADD COLUMN balance_currency TEXT;
ALTER TABLE payment_intents ADD COLUMN balance_gross INTEGER
    CHECK ((balance_gross IS NULL) = (balance_currency IS NULL));
ALTER TABLE payment_intents ADD COLUMN balance_fee INTEGER
    CHECK ((balance_fee IS NULL) = (balance_currency IS NULL));
-- The money of every live refund: the check is the last wall.
ALTER TABLE payment_intents ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0
    CHECK (refunded BETWEEN 0 AND received);

CREATE TABLE refunds (
    order_id BLOB NOT NULL REFERENCES orders (id),
    number INTEGER NOT NULL CHECK (number >= 1),
    intent_id TEXT NOT NULL REFERENCES payment_intents (id),
    provider_id TEXT,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    reason TEXT CHECK (reason IN ('duplicate', 'fraudulent', 'requested_by_customer')),
    origin TEXT NOT NULL CHECK (origin IN ('shop', 'policy', 'provider')),
    status TEXT NOT NULL CHECK (status IN (
        'requested', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled'
    )),
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    failure TEXT,
    requested_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, number)
) STRICT, WITHOUT ROWID;

-- A refund at Stripe is one refund here.
CREATE UNIQUE INDEX refund_of_provider ON refunds (order_id, provider_id) WHERE provider_id IS NOT NULL;

-- An intent's money goes back by policy once.
CREATE UNIQUE INDEX one_policy_refund ON refunds (order_id, intent_id) WHERE origin = 'policy';

CREATE TABLE disputes (
    order_id BLOB NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    provider_id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    due_by INTEGER,
    withdrawn INTEGER NOT NULL CHECK (withdrawn IN (0, 1)),
    reinstated INTEGER NOT NULL CHECK (reinstated IN (0, 1)),
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

-- One trouble of one kind may come to an intent more than once: two refunds of it that fail.
CREATE TABLE anomalies_of_any_kind (
    order_id BLOB NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    intent_id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    policy TEXT NOT NULL CHECK (policy IN ('refund', 'hold_for_review', 'tell')),
    reason TEXT,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;
INSERT INTO anomalies_of_any_kind
SELECT
    order_id, position, intent_id, name, payload,
    iif(name IN ('paid_after_cancel', 'second_payment'), 'refund', 'hold_for_review'), NULL, found_at
FROM anomalies;
DROP TABLE anomalies;
ALTER TABLE anomalies_of_any_kind RENAME TO anomalies;

ALTER TABLE facts ADD COLUMN cause TEXT;

ALTER TABLE tasks ADD COLUMN error TEXT;

-- The provider's messages, each once.
CREATE TABLE webhook_inbox (
    event_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    via TEXT NOT NULL CHECK (via IN ('webhook', 'back_fill')),
    headers TEXT NOT NULL,
    news TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('applied', 'ignored', 'foreign', 'parked', 'given_up')),
    error TEXT,
    order_id BLOB,
    due_at INTEGER CHECK ((due_at IS NOT NULL) = (verdict = 'parked')),
    taken INTEGER NOT NULL DEFAULT 0,
    leased_by BLOB,
    leased_until INTEGER CHECK ((leased_until IS NULL) = (leased_by IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX parked_events ON webhook_inbox (due_at) WHERE verdict = 'parked';
CREATE INDEX events_by_age ON webhook_inbox (received_at);

-- How far walks along the provider's records have come.
CREATE TABLE marks (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT,
    due_at INTEGER NOT NULL,
    leased_by BLOB,
    leased_until INTEGER CHECK ((leased_until IS NULL) = (leased_by IS NULL))
) STRICT, WITHOUT ROWID;

-- What the version before left to be done: refunds that its policies wanted, and intents that nobody has looked at.
INSERT INTO refunds (order_id, number, intent_id, currency, amount, origin, status, attempt, requested_at)
SELECT
    order_id, row_number() OVER (PARTITION BY order_id ORDER BY key), payload ->> '$.intent',
    payload ->> '$.amount.currency', payload ->> '$.amount.minor', 'policy', 'requested', 1, due_at
FROM tasks
WHERE payload ->> '$.kind' = 'refund_intent';

UPDATE payment_intents SET refunded = refunds.amount
FROM refunds
WHERE refunds.order_id = payment_intents.order_id AND refunds.intent_id = payment_intents.id;

DELETE FROM tasks WHERE payload ->> '$.kind' = 'refund_intent';

INSERT INTO tasks (order_id, key, payload, due_at)
SELECT order_id, 'refund:' || number, json_object('kind', 'refund', 'refund', number), requested_at
FROM refunds
UNION ALL
SELECT order_id, 'poll_intent:' || id, json_object('kind', 'poll_intent', 'intent', id), 0
FROM payment_intents
WHERE status NOT IN ('succeeded', 'canceled');
