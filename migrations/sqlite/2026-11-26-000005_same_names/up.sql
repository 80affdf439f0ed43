-- Renames the columns with Stripe's id of a PaymentIntent to their names in PostgreSQL. The version before cannot work on
-- this schema: one process serves a file, and is stopped for an update.
ALTER TABLE payment_intents RENAME COLUMN id TO provider_id;
ALTER TABLE anomalies RENAME COLUMN intent_id TO provider_id;
