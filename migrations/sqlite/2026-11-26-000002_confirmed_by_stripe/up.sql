-- When Stripe itself has answered that the money of a payment was received; NULL as long as only events told it, and in
-- payments from before this migration: Stripe is asked once when a callback asks for them.
ALTER TABLE payment_intents ADD COLUMN confirmed_at INTEGER;
