-- Orders and what hangs on them. Times are microseconds since 1970, money is minor units of ISO 4217, and
-- ids are 16 bytes. The checks repeat what the domain guarantees: they are the last wall, not the first.

CREATE TABLE orders (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    number TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL CHECK (version >= 1),
    customer TEXT,
    email TEXT,
    currency TEXT NOT NULL,
    total INTEGER NOT NULL CHECK (total > 0),
    capture TEXT NOT NULL CHECK (capture IN ('automatic', 'manual')),
    metadata TEXT NOT NULL,
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    revision INTEGER NOT NULL CHECK (revision >= 1),
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'canceled')),
    paid_by TEXT CHECK ((paid_by IS NOT NULL) = (state = 'paid')),
    cancel_reason TEXT CHECK ((cancel_reason IS NOT NULL) = (state = 'canceled')),
    state_at INTEGER CHECK ((state_at IS NOT NULL) = (state <> 'open')),
    requested_revision INTEGER,
    requested_attempt INTEGER CHECK ((requested_attempt IS NULL) = (requested_revision IS NULL)),
    placed_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_of_a_customer ON orders (customer, id) WHERE customer IS NOT NULL;

CREATE TABLE order_lines (
    order_id BLOB NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    sku TEXT,
    unit_amount INTEGER NOT NULL CHECK (unit_amount > 0),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE order_adjustments (
    order_id BLOB NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('discount', 'shipping', 'tax', 'tax_included')),
    label TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_intents (
    order_id BLOB NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    status TEXT NOT NULL,
    received INTEGER NOT NULL CHECK (received >= 0),
    capturable INTEGER NOT NULL CHECK (capturable >= 0),
    last_error TEXT,
    as_of INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, position)
) STRICT, WITHOUT ROWID;

-- At most one intent that a customer could pay.
CREATE UNIQUE INDEX one_payable_intent ON payment_intents (order_id) WHERE status NOT IN ('succeeded', 'canceled');

CREATE TABLE anomalies (
    order_id BLOB NOT NULL REFERENCES orders (id),
    position INTEGER NOT NULL,
    intent_id TEXT NOT NULL,
    name TEXT NOT NULL,
    payload TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, position),
    UNIQUE (order_id, intent_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE facts (
    order_id BLOB NOT NULL REFERENCES orders (id),
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (order_id, version, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    order_id BLOB NOT NULL REFERENCES orders (id),
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,
    leased_by BLOB,
    leased_until INTEGER CHECK ((leased_until IS NULL) = (leased_by IS NULL)),
    PRIMARY KEY (order_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_by_time ON tasks (due_at);

CREATE TABLE idempotency_records (
    scope BLOB NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    order_id BLOB NOT NULL REFERENCES orders (id),
    answer TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
