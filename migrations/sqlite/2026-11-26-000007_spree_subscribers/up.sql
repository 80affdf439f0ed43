-- Endpoints in Spree's format, to which an event is sent in several parts. The version before works on this schema too: it
-- sends nothing to such endpoints, whose secrets have the id of a key that it does not have.
ALTER TABLE webhook_endpoints ADD COLUMN format TEXT NOT NULL DEFAULT 'standard'
    CHECK (format = 'standard' OR format = 'spree');
-- JSON array of the names of Spree's events; empty in the standard format.
ALTER TABLE webhook_endpoints ADD COLUMN subscriptions TEXT NOT NULL DEFAULT '[]';
-- Time of the last change on request; NULL stands for `created_at`.
ALTER TABLE webhook_endpoints ADD COLUMN updated_at INTEGER;

-- Number of parts that are done of the event at the position after `done`.
ALTER TABLE webhook_queues ADD COLUMN part INTEGER NOT NULL DEFAULT 0 CHECK (part >= 0);
-- Number of parts that are done of the first resend.
ALTER TABLE webhook_queues ADD COLUMN resend_part INTEGER NOT NULL DEFAULT 0 CHECK (resend_part >= 0);
