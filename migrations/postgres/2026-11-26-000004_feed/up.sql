-- The feed of public facts, and the endpoints of other programs that receive it. The version before works on it too: it
-- writes facts without rows here, and these stay out of the feed.

-- The order in a version with public facts, as events of the feed show it.
CREATE TABLE order_snapshots (
    order_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    view text NOT NULL,
    -- NULL once the personal fields are erased.
    personal text,
    livemode boolean NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- Public facts without a position. Each row lives for a moment, so it is vacuumed often.
CREATE TABLE unpositioned_facts (
    order_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    position integer NOT NULL CHECK (position >= 0),
    kind text NOT NULL,
    PRIMARY KEY (order_id, version, position)
) WITH (
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0
);

-- Events at their positions. Of one order, the order of versions and indexes is that of the positions.
CREATE TABLE feed (
    position bigint NOT NULL PRIMARY KEY CHECK (position >= 1),
    order_id uuid NOT NULL,
    version bigint NOT NULL,
    fact_position integer NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (order_id, version, fact_position)
);

-- One row: the last position, the last deleted one, and the lease of the relay.
CREATE TABLE feed_head (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    position bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0 CHECK (deleted BETWEEN 0 AND position),
    taken bigint NOT NULL DEFAULT 0,
    leased_by uuid,
    leased_until timestamptz CHECK ((leased_until IS NULL) = (leased_by IS NULL))
) WITH (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
INSERT INTO feed_head DEFAULT VALUES;

CREATE TABLE webhook_endpoints (
    id uuid NOT NULL PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    url text NOT NULL,
    description text NOT NULL,
    -- Types of the events that are sent; all types if empty.
    kinds text[] NOT NULL,
    secret_generation bigint NOT NULL CHECK (secret_generation >= 1),
    previous_secret_until timestamptz,
    secret_key_id text NOT NULL,
    created_at timestamptz NOT NULL,
    disabled_reason text,
    disabled_at timestamptz CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    failing_since timestamptz,
    failing_told bigint CHECK ((failing_told IS NULL) = (failing_since IS NULL)),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 70, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

CREATE INDEX endpoints_by_position ON webhook_endpoints (position);

-- What is left to deliver of one order to one endpoint: the positions after `done` up to `last`, and resends. Both have
-- failed attempts and a due time of their own. The foreign key also deletes rows that are inserted while their endpoint is
-- being deleted.
CREATE TABLE webhook_queues (
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    order_id uuid NOT NULL,
    done bigint NOT NULL CHECK (done >= 0),
    last bigint NOT NULL CHECK (last >= done),
    resends bigint[] NOT NULL DEFAULT '{}',
    tries bigint NOT NULL DEFAULT 0 CHECK (tries >= 0),
    -- NULL without a position after `done`.
    next_due_at timestamptz,
    resend_tries bigint NOT NULL DEFAULT 0 CHECK (resend_tries >= 0),
    -- NULL without resends.
    resend_due_at timestamptz,
    -- NULL if the endpoint is disabled.
    due_at timestamptz GENERATED ALWAYS AS (least(next_due_at, resend_due_at)) STORED,
    taken bigint NOT NULL DEFAULT 0,
    leased_by uuid,
    leased_until timestamptz CHECK ((leased_until IS NULL) = (leased_by IS NULL)),
    PRIMARY KEY (endpoint_id, order_id)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 1000, autovacuum_analyze_scale_factor = 0.02
);

CREATE INDEX queues_by_time ON webhook_queues (due_at, endpoint_id, order_id);
CREATE INDEX queues_of_an_order ON webhook_queues (order_id);
-- The queues of an endpoint that are due at no time, or at any.
CREATE INDEX queues_of_an_endpoint ON webhook_queues (endpoint_id, due_at);

CREATE TABLE webhook_attempts (
    endpoint_id uuid NOT NULL,
    at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    kind text NOT NULL,
    position bigint,
    order_id uuid CHECK ((order_id IS NULL) = (position IS NULL)),
    number bigint NOT NULL,
    duration_ms bigint NOT NULL,
    status bigint,
    error text,
    answer text NOT NULL,
    outcome text NOT NULL,
    PRIMARY KEY (endpoint_id, at, event_id)
);

CREATE INDEX attempts_by_age ON webhook_attempts (at);
