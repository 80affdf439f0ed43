-- The name of this database of orders, and how it was restored from a backup.

-- One row. The epoch is the second since 1970 at which the last restore was recovered from; 0 before the first.
CREATE TABLE installation (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295)
) STRICT;
INSERT INTO installation VALUES (1, randomblob(16), 0);

-- The epoch in which each request was decided; NULL in those from before this migration.
ALTER TABLE orders ADD COLUMN requested_epoch INTEGER;
ALTER TABLE refunds ADD COLUMN epoch INTEGER;
-- Digest of the idempotency key with which a refund was asked for.
ALTER TABLE refunds ADD COLUMN request BLOB;

-- Orders that a restore lost, as Stripe knows them. The tail is what follows the time in an order's id: it is made of
-- the request's idempotency key, so that a repeat of the request is known again.
CREATE TABLE lost_orders (
    tail BLOB NOT NULL PRIMARY KEY CHECK (length(tail) = 10),
    order_id BLOB NOT NULL CHECK (length(order_id) = 16),
    found_at INTEGER NOT NULL,
    -- What is done about it: the first decision stands.
    decision TEXT CHECK (decision IN ('recreate', 'refund'))
) STRICT, WITHOUT ROWID;
