-- Audit trail: every act that moves money or changes access. It is append only.
CREATE TABLE audit_entries (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    actor TEXT,
    -- Key of the actor, if it is an application.
    key_id BLOB,
    address TEXT,
    request TEXT,
    details TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_entries_by_subject ON audit_entries (subject, id);
CREATE INDEX audit_entries_by_key ON audit_entries (key_id, id) WHERE key_id IS NOT NULL;

CREATE TRIGGER audit_entries_are_not_changed BEFORE UPDATE ON audit_entries
    BEGIN SELECT RAISE (ABORT, 'audit_entries is append only'); END;
CREATE TRIGGER audit_entries_are_not_deleted BEFORE DELETE ON audit_entries
    BEGIN SELECT RAISE (ABORT, 'audit_entries is append only'); END;
-- `REPLACE` deletes a row without the trigger before.
CREATE TRIGGER audit_entries_are_not_replaced BEFORE INSERT ON audit_entries
    WHEN EXISTS (SELECT 1 FROM audit_entries WHERE id = NEW.id)
    BEGIN SELECT RAISE (ABORT, 'audit_entries is append only'); END;
