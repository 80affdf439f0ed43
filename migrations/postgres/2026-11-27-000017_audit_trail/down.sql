DROP TABLE audit_entries;
DROP FUNCTION refuse_change_of_audit_trail;
