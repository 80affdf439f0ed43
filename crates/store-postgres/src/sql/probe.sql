-- Writes a row of its own, as an order would be, and says whether the schema is one that this version can work on:
-- its newest migration was made, and no table is missing.
WITH written AS (
    INSERT INTO marks (name, due_at) VALUES ('probe', now())
    ON CONFLICT (name) DO UPDATE SET due_at = now()
    RETURNING name
)
SELECT
    EXISTS (SELECT FROM __diesel_schema_migrations WHERE version = $1::text)
    AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS name WHERE to_regclass(name) IS NULL)
FROM written
