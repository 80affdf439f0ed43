-- The application of a key is null where the key is its first one. Networks are separated by spaces. The version before
-- works on these tables too: it knows nothing of networks and of limits.
ALTER TABLE api_keys
    ADD COLUMN application uuid,
    ADD COLUMN replaced_by uuid,
    ADD COLUMN networks text NOT NULL DEFAULT '',
    ADD COLUMN calls_per_minute bigint;

-- Last use of each scope by each key: the start of its day.
CREATE TABLE api_key_uses (
    key_id uuid NOT NULL REFERENCES api_keys (id),
    scope text NOT NULL,
    last_used timestamptz NOT NULL,
    PRIMARY KEY (key_id, scope)
);
