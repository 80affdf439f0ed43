-- Orders and what hangs on them. Money is minor units of ISO 4217. The checks repeat what the domain
-- guarantees: they are the last wall, not the first. Everything that belongs to an order has the order's id
-- first in its primary key; `docs/operations.md` says how this schema is changed.

-- An order is written a few times in its first minutes: room on its page keeps those writes away from the
-- indexes.
CREATE TABLE orders (
    id uuid NOT NULL PRIMARY KEY,
    number text NOT NULL UNIQUE,
    version bigint NOT NULL CHECK (version >= 1),
    customer text,
    email text,
    currency text NOT NULL CHECK (length(currency) = 3),
    total bigint NOT NULL CHECK (total > 0),
    capture text NOT NULL CHECK (capture IN ('automatic', 'manual')),
    metadata jsonb NOT NULL,
    livemode boolean NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 1),
    attempt bigint NOT NULL CHECK (attempt >= 1),
    state text NOT NULL CHECK (state IN ('open', 'paid', 'canceled')),
    paid_by text CHECK ((paid_by IS NOT NULL) = (state = 'paid')),
    cancel_reason text CHECK ((cancel_reason IS NOT NULL) = (state = 'canceled')),
    state_at timestamptz CHECK ((state_at IS NOT NULL) = (state <> 'open')),
    requested_revision bigint,
    requested_attempt bigint CHECK ((requested_attempt IS NULL) = (requested_revision IS NULL)),
    placed_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX orders_of_a_customer ON orders (customer, id) WHERE customer IS NOT NULL;

CREATE TABLE order_lines (
    order_id uuid NOT NULL REFERENCES orders (id),
    position integer NOT NULL CHECK (position >= 0),
    name text NOT NULL,
    description text NOT NULL,
    sku text,
    unit_amount bigint NOT NULL CHECK (unit_amount > 0),
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, position)
);

CREATE TABLE order_adjustments (
    order_id uuid NOT NULL REFERENCES orders (id),
    position integer NOT NULL CHECK (position >= 0),
    kind text NOT NULL CHECK (kind IN ('discount', 'shipping', 'tax', 'tax_included')),
    label text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (order_id, position)
);

-- `provider_id` is Stripe's id of the intent, `position` its place among the order's.
CREATE TABLE payment_intents (
    order_id uuid NOT NULL REFERENCES orders (id),
    provider_id text NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    revision bigint NOT NULL CHECK (revision >= 1),
    currency text NOT NULL CHECK (length(currency) = 3),
    amount bigint NOT NULL CHECK (amount >= 0),
    status text NOT NULL CHECK (status IN (
        'requires_payment_method', 'requires_confirmation', 'requires_action', 'processing', 'requires_capture',
        'succeeded', 'canceled'
    )),
    received bigint NOT NULL CHECK (received >= 0),
    capturable bigint NOT NULL CHECK (capturable >= 0),
    refunded bigint NOT NULL DEFAULT 0 CONSTRAINT refunded_within_received CHECK (refunded BETWEEN 0 AND received),
    last_error jsonb,
    as_of timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, provider_id)
) WITH (fillfactor = 70);

-- An intent is one order's.
CREATE UNIQUE INDEX order_of_an_intent ON payment_intents (provider_id);

-- At most one intent that a customer could pay.
CREATE UNIQUE INDEX one_payable_intent ON payment_intents (order_id) WHERE status NOT IN ('succeeded', 'canceled');

CREATE TABLE anomalies (
    order_id uuid NOT NULL REFERENCES orders (id),
    provider_id text NOT NULL,
    name text NOT NULL,
    position integer NOT NULL CHECK (position >= 0),
    payload jsonb NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, provider_id, name)
);

-- `partition` shares rows out among those who work on them: 256 shares of orders, by the order's id.
CREATE TABLE facts (
    order_id uuid NOT NULL REFERENCES orders (id),
    version bigint NOT NULL CHECK (version >= 1),
    position integer NOT NULL CHECK (position >= 0),
    kind text NOT NULL,
    payload jsonb NOT NULL,
    at timestamptz NOT NULL,
    partition smallint NOT NULL GENERATED ALWAYS AS (get_byte(uuid_send(order_id), 15)) STORED,
    PRIMARY KEY (order_id, version, position)
);

-- The money of one order comes once.
CREATE UNIQUE INDEX paid_once ON facts (order_id) WHERE kind = 'order.paid';

CREATE TABLE tasks (
    order_id uuid NOT NULL REFERENCES orders (id),
    key text NOT NULL,
    payload jsonb NOT NULL,
    due_at timestamptz NOT NULL,
    taken integer NOT NULL DEFAULT 0 CHECK (taken >= 0),
    leased_by uuid,
    leased_until timestamptz CHECK ((leased_until IS NULL) = (leased_by IS NULL)),
    partition smallint NOT NULL GENERATED ALWAYS AS (get_byte(uuid_send(order_id), 15)) STORED,
    PRIMARY KEY (order_id, key)
);

CREATE INDEX tasks_by_time ON tasks (due_at);

-- By the caller's key, not by the order's id: it is asked for before any order is known.
CREATE TABLE idempotency_records (
    scope uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    order_id uuid NOT NULL REFERENCES orders (id),
    answer text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE TABLE api_keys (
    id uuid NOT NULL PRIMARY KEY,
    name text NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
