DROP TABLE api_key_uses;
ALTER TABLE api_keys
    DROP COLUMN calls_per_minute,
    DROP COLUMN networks,
    DROP COLUMN replaced_by,
    DROP COLUMN application;
