-- Events of the account, which are about no order. The version before works on this schema too, once each of them has its
-- position: it refuses to read their types.

-- An event is in the row of `feed` whose `order_id` is its subject, whose `version` is its number, and whose
-- `fact_position` is 0; that row has its own snapshot, which is what the event shows. Subjects are UUIDs of version 5, and
-- ids of orders are of version 7. It is deleted with its row of `feed`.
CREATE TABLE account_events (
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    number INTEGER NOT NULL CHECK (number >= 1),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    PRIMARY KEY (subject, number)
) STRICT, WITHOUT ROWID;
