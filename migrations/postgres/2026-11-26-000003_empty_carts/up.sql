-- Carts of guests that have nothing in them: anybody can make them, so they are forgotten soon, and found by themselves.
-- The version before works on it too.
CREATE INDEX empty_carts_of_guests ON carts (id)
    WHERE is_open AND customer IS NULL AND payload -> 'lines' = '[]'::jsonb;
