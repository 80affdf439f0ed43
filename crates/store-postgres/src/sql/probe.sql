-- Writes a test row, and returns whether this version can work with the schema: its newest migration was run, and no
-- table is missing.
WITH written AS (
    INSERT INTO marks (name, due_at) VALUES ('probe', now())
    ON CONFLICT (name) DO UPDATE SET due_at = now()
    RETURNING name
)
SELECT
    EXISTS (SELECT FROM __diesel_schema_migrations WHERE version = :migration::text)
    AND NOT EXISTS (SELECT FROM unnest(:tables::text[]) AS name WHERE to_regclass(name) IS NULL)
FROM written
