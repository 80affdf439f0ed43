-- The application of a key is null where the key is its first one. Networks are separated by spaces.
ALTER TABLE api_keys ADD COLUMN application BLOB;
ALTER TABLE api_keys ADD COLUMN replaced_by BLOB;
ALTER TABLE api_keys ADD COLUMN networks TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN calls_per_minute INTEGER;

-- Last use of each scope by each key: the start of its day.
CREATE TABLE api_key_uses (
    key_id BLOB NOT NULL REFERENCES api_keys (id),
    scope TEXT NOT NULL,
    last_used INTEGER NOT NULL,
    PRIMARY KEY (key_id, scope)
) STRICT, WITHOUT ROWID;
