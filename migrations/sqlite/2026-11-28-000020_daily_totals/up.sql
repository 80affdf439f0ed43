-- What the facts of the feed add up to, by day, mode and currency.
CREATE TABLE daily_totals (
    -- In the time zone of the books.
    day TEXT NOT NULL,
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    currency TEXT NOT NULL,
    placed INTEGER NOT NULL,
    placed_amount INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    paid_amount INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    refunded_amount INTEGER NOT NULL,
    PRIMARY KEY (day, livemode, currency)
) STRICT, WITHOUT ROWID;

-- One row: the last position of the feed that is in the totals.
CREATE TABLE daily_totals_head (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    position INTEGER NOT NULL CHECK (position >= 0)
) STRICT;
INSERT INTO daily_totals_head (only_one, position) VALUES (1, 0);
