-- Feed of public facts, and the endpoints that receive it. Facts from before this migration are not in the feed. The
-- version before works on this schema too; what it commits is not in the feed either.

-- Public facts in the order of their commits. SQLite has one writer at a time, so a commit knows the positions that the
-- relay will give its facts, and stores them there: those after `feed_head.position` have no position yet, and are no
-- events. `fact_position` is the fact's index in its commit.
CREATE TABLE feed (
    position INTEGER NOT NULL PRIMARY KEY CHECK (position >= 1),
    order_id BLOB NOT NULL,
    version INTEGER NOT NULL,
    fact_position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- Position of the snapshot.
    snapshot INTEGER NOT NULL CHECK (snapshot >= position)
) STRICT;

-- With the row id at its end, this has an order's facts by position.
CREATE INDEX feed_of_an_order ON feed (order_id);

-- JSON of an order in a version with public facts, at the position of the last of these, with which it is deleted.
-- Personal fields are apart, so that they can be erased.
CREATE TABLE order_snapshots (
    position INTEGER NOT NULL PRIMARY KEY,
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    view TEXT NOT NULL,
    personal TEXT
) STRICT;

-- One row: the positions of the last event and of the last deleted one, and the lease of the relay.
CREATE TABLE feed_head (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    position INTEGER NOT NULL CHECK (position >= deleted),
    deleted INTEGER NOT NULL CHECK (deleted >= 0),
    taken INTEGER NOT NULL,
    leased_by BLOB,
    leased_until INTEGER CHECK ((leased_until IS NULL) = (leased_by IS NULL))
) STRICT;
INSERT INTO feed_head VALUES (1, 0, 0, 0, NULL, NULL);

CREATE TABLE webhook_endpoints (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    version INTEGER NOT NULL CHECK (version >= 1),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    -- JSON array of event types; empty for all types.
    kinds TEXT NOT NULL,
    secret_generation INTEGER NOT NULL CHECK (secret_generation >= 1),
    previous_secret_until INTEGER,
    secret_key_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_reason TEXT,
    disabled_at INTEGER CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    failing_since INTEGER,
    failing_told INTEGER CHECK ((failing_told IS NULL) = (failing_since IS NULL)),
    position INTEGER NOT NULL CHECK (position >= 0)
) STRICT, WITHOUT ROWID;

-- Deliveries that are left of an order to an endpoint: the events after `done` up to `last`, and `resends`, a JSON array
-- of positions. Both have failed attempts and a due time of their own, which is NULL if there is none of them. `due_at` is
-- NULL while the endpoint is disabled.
CREATE TABLE webhook_queues (
    endpoint_id BLOB NOT NULL,
    order_id BLOB NOT NULL,
    done INTEGER NOT NULL,
    last INTEGER NOT NULL,
    resends TEXT NOT NULL DEFAULT '[]',
    tries INTEGER NOT NULL DEFAULT 0,
    next_due_at INTEGER,
    resend_tries INTEGER NOT NULL DEFAULT 0,
    resend_due_at INTEGER,
    due_at INTEGER GENERATED ALWAYS AS (
        min(ifnull(next_due_at, resend_due_at), ifnull(resend_due_at, next_due_at))
    ) VIRTUAL,
    taken INTEGER NOT NULL DEFAULT 0,
    leased_by BLOB,
    leased_until INTEGER CHECK ((leased_until IS NULL) = (leased_by IS NULL)),
    PRIMARY KEY (endpoint_id, order_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_queues_by_time ON webhook_queues (due_at, endpoint_id, order_id);
CREATE INDEX webhook_queues_of_an_endpoint ON webhook_queues (endpoint_id, due_at);
CREATE INDEX webhook_queues_of_an_order ON webhook_queues (order_id);

CREATE TABLE webhook_attempts (
    endpoint_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    position INTEGER,
    order_id BLOB CHECK ((order_id IS NULL) = (position IS NULL)),
    number INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    answer TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, at, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_attempts_by_time ON webhook_attempts (at);
