-- What is being done to an order's payable intent, what went back, what is disputed, and the provider's messages.
-- It only adds, so that the version before works on it too.

ALTER TABLE orders
    ADD COLUMN operations bigint NOT NULL DEFAULT 0 CHECK (operations >= 0),
    ADD COLUMN operation jsonb;

ALTER TABLE payment_intents
    ADD COLUMN capture_asked bigint CHECK (capture_asked > 0),
    -- What came of it on the shop's balance, in the currency of that.
    ADD COLUMN balance_currency text CHECK (length(balance_currency) = 3),
    ADD COLUMN balance_gross bigint CHECK ((balance_gross IS NULL) = (balance_currency IS NULL)),
    ADD COLUMN balance_fee bigint CHECK ((balance_fee IS NULL) = (balance_currency IS NULL));

-- Money of every live refund is counted in `payment_intents.refunded`, whose check is the last wall.
CREATE TABLE refunds (
    order_id uuid NOT NULL REFERENCES orders (id),
    number bigint NOT NULL CHECK (number >= 1),
    intent_id text NOT NULL,
    provider_id text,
    currency text NOT NULL CHECK (length(currency) = 3),
    amount bigint NOT NULL CHECK (amount > 0),
    reason text CHECK (reason IN ('duplicate', 'fraudulent', 'requested_by_customer')),
    origin text NOT NULL CHECK (origin IN ('shop', 'policy', 'provider')),
    status text NOT NULL CHECK (status IN (
        'requested', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled'
    )),
    attempt bigint NOT NULL CHECK (attempt >= 1),
    failure text,
    requested_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, number),
    FOREIGN KEY (order_id, intent_id) REFERENCES payment_intents (order_id, provider_id)
);

-- A refund at Stripe is one refund here.
CREATE UNIQUE INDEX refund_of_provider ON refunds (order_id, provider_id) WHERE provider_id IS NOT NULL;

-- An intent's money goes back by policy once.
CREATE UNIQUE INDEX one_policy_refund ON refunds (order_id, intent_id) WHERE origin = 'policy';

CREATE TABLE disputes (
    order_id uuid NOT NULL REFERENCES orders (id),
    provider_id text NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    intent_id text NOT NULL,
    currency text NOT NULL CHECK (length(currency) = 3),
    amount bigint NOT NULL CHECK (amount >= 0),
    status text NOT NULL,
    reason text NOT NULL,
    due_by timestamptz,
    withdrawn boolean NOT NULL,
    reinstated boolean NOT NULL,
    PRIMARY KEY (order_id, provider_id)
);

-- One trouble of one kind may come to an intent more than once: two refunds of it that fail.
ALTER TABLE anomalies
    DROP CONSTRAINT anomalies_pkey,
    ADD PRIMARY KEY (order_id, position),
    ADD COLUMN policy text NOT NULL DEFAULT 'hold_for_review'
        CHECK (policy IN ('refund', 'hold_for_review', 'tell')),
    ADD COLUMN reason text;
UPDATE anomalies SET policy = 'refund' WHERE name IN ('paid_after_cancel', 'second_payment');

ALTER TABLE facts ADD COLUMN cause jsonb;

ALTER TABLE tasks ADD COLUMN error text;

-- The provider's messages, each once. By its own name: it is asked for before any order is known.
CREATE TABLE webhook_inbox (
    event_id text NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    created_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    via text NOT NULL CHECK (via IN ('webhook', 'back_fill')),
    headers jsonb NOT NULL,
    news jsonb NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('applied', 'ignored', 'foreign', 'parked', 'given_up')),
    error text,
    order_id uuid,
    due_at timestamptz CHECK ((due_at IS NOT NULL) = (verdict = 'parked')),
    taken integer NOT NULL DEFAULT 0 CHECK (taken >= 0),
    leased_by uuid,
    leased_until timestamptz CHECK ((leased_until IS NULL) = (leased_by IS NULL))
);

CREATE INDEX parked_events ON webhook_inbox (due_at) WHERE verdict = 'parked';
CREATE INDEX events_by_age ON webhook_inbox (received_at);

-- How far walks along the provider's records have come.
CREATE TABLE marks (
    name text NOT NULL PRIMARY KEY,
    value text,
    due_at timestamptz NOT NULL,
    leased_by uuid,
    leased_until timestamptz CHECK ((leased_until IS NULL) = (leased_by IS NULL))
);

-- What the version before left to be done: refunds that its policies wanted, and intents that nobody has looked at.
INSERT INTO refunds (order_id, number, intent_id, currency, amount, origin, status, attempt, requested_at)
SELECT
    order_id, row_number() OVER (PARTITION BY order_id ORDER BY key), payload ->> 'intent',
    payload -> 'amount' ->> 'currency', (payload -> 'amount' ->> 'minor')::bigint, 'policy', 'requested', 1, due_at
FROM tasks
WHERE payload ->> 'kind' = 'refund_intent';

UPDATE payment_intents SET refunded = refunds.amount
FROM refunds
WHERE refunds.order_id = payment_intents.order_id AND refunds.intent_id = payment_intents.provider_id;

DELETE FROM tasks WHERE payload ->> 'kind' = 'refund_intent';

INSERT INTO tasks (order_id, key, payload, due_at)
SELECT order_id, 'refund:' || number, jsonb_build_object('kind', 'refund', 'refund', number), requested_at
FROM refunds
UNION ALL
SELECT
    order_id, 'poll_intent:' || provider_id, jsonb_build_object('kind', 'poll_intent', 'intent', provider_id), now()
FROM payment_intents
WHERE status NOT IN ('succeeded', 'canceled');
