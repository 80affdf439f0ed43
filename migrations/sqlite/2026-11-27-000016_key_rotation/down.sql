DROP TABLE api_key_uses;
ALTER TABLE api_keys DROP COLUMN calls_per_minute;
ALTER TABLE api_keys DROP COLUMN networks;
ALTER TABLE api_keys DROP COLUMN replaced_by;
ALTER TABLE api_keys DROP COLUMN application;
