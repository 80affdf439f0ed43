-- Audit trail: every act that moves money or changes access. It is append only. The version before works without it, and
-- adds nothing to it.
CREATE TABLE audit_entries (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    act text NOT NULL,
    subject text NOT NULL,
    actor jsonb,
    -- Key of the actor, if it is an application.
    key_id uuid,
    address text,
    request text,
    details jsonb NOT NULL
);
CREATE INDEX audit_entries_by_subject ON audit_entries (subject, id);
CREATE INDEX audit_entries_by_key ON audit_entries (key_id, id) WHERE key_id IS NOT NULL;

CREATE FUNCTION refuse_change_of_audit_trail() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''% is append only'', TG_TABLE_NAME; END';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_trail();
