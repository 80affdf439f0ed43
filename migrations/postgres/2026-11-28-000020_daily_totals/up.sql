-- What the facts of the feed add up to, by day, mode and currency. The version before works on it too.
CREATE TABLE daily_totals (
    -- In the time zone of the books.
    day date NOT NULL,
    livemode boolean NOT NULL,
    currency text NOT NULL,
    placed bigint NOT NULL,
    placed_amount bigint NOT NULL,
    paid bigint NOT NULL,
    paid_amount bigint NOT NULL,
    refunded bigint NOT NULL,
    refunded_amount bigint NOT NULL,
    PRIMARY KEY (day, livemode, currency)
) WITH (fillfactor = 70);

-- One row: the last position of the feed that is in the totals.
CREATE TABLE daily_totals_head (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 70);
INSERT INTO daily_totals_head (position) VALUES (0);
