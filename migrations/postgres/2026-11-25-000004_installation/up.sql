-- The name of this database of orders, and how it was restored from a backup.

-- One row. The epoch is the second since 1970 at which the last restore was recovered from; 0 before the first.
CREATE TABLE installation (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    id uuid NOT NULL,
    epoch bigint NOT NULL DEFAULT 0 CHECK (epoch BETWEEN 0 AND 4294967295)
);
INSERT INTO installation (id) VALUES (gen_random_uuid());

-- The epoch in which each request was decided; NULL in those from before this migration.
ALTER TABLE orders ADD COLUMN requested_epoch bigint;
ALTER TABLE refunds ADD COLUMN epoch bigint;
-- Digest of the idempotency key with which a refund was asked for.
ALTER TABLE refunds ADD COLUMN request uuid;

-- Orders that a restore lost, as Stripe knows them. The tail is what follows the time in an order's id: it is made of
-- the request's idempotency key, so that a repeat of the request is known again.
CREATE TABLE lost_orders (
    tail bytea NOT NULL PRIMARY KEY CHECK (length(tail) = 10),
    order_id uuid NOT NULL,
    found_at timestamptz NOT NULL,
    -- What is done about it: the first decision stands.
    decision text CHECK (decision IN ('recreate', 'refund'))
);
