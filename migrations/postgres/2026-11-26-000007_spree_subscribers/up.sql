-- Endpoints in Spree's format, to which an event is sent in several parts. The version before works on this schema too: it
-- sends nothing to such endpoints, whose secrets have the id of a key that it does not have.
ALTER TABLE webhook_endpoints
    ADD COLUMN format text NOT NULL DEFAULT 'standard' CHECK (format IN ('standard', 'spree')),
    -- Names of Spree's events; empty in the standard format.
    ADD COLUMN subscriptions text[] NOT NULL DEFAULT '{}',
    -- Time of the last change on request; NULL stands for `created_at`.
    ADD COLUMN updated_at timestamptz;

ALTER TABLE webhook_queues
    -- Number of parts that are done of the event at the position after `done`.
    ADD COLUMN part bigint NOT NULL DEFAULT 0 CHECK (part >= 0),
    -- Number of parts that are done of the first resend.
    ADD COLUMN resend_part bigint NOT NULL DEFAULT 0 CHECK (resend_part >= 0);
