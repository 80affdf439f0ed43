-- Events of the account, which are about no order. The version before works on this schema too: its relay gives these no
-- positions, and does not see them.

-- An event is at the position in `feed` whose `order_id` is its subject, whose `version` is its number, and whose
-- `fact_position` is 0; what it shows is the row of `order_snapshots` with the same two. Subjects are UUIDs of version 5,
-- and ids of orders are of version 7. It is deleted with its position.
CREATE TABLE account_events (
    subject uuid NOT NULL,
    number bigint NOT NULL CHECK (number >= 1),
    id uuid NOT NULL UNIQUE,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    is_positioned boolean NOT NULL DEFAULT false,
    PRIMARY KEY (subject, number)
);

-- Those without a position. A row is here for a moment.
CREATE INDEX unpositioned_account_events ON account_events (subject, number) WHERE NOT is_positioned;
