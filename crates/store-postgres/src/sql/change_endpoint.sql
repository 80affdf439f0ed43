-- Replaces an endpoint: returns one row, or none if its version differs. Its queues follow its state: many of them, and
-- those that another transaction has locked, only in `follow_endpoints.sql`.
WITH before AS MATERIALIZED (
    SELECT disabled_at IS NULL AS is_enabled FROM webhook_endpoints WHERE id = $1::uuid AND version = $2::bigint FOR UPDATE
), changed AS (
    UPDATE webhook_endpoints AS endpoint
    SET version = version + 1, url = $3::text, description = $4::text, kinds = $5::text[],
        secret_generation = $6::bigint, previous_secret_until = $7::timestamptz, secret_key_id = $8::text,
        disabled_reason = $9::text, disabled_at = $10::timestamptz, failing_since = $11::timestamptz,
        failing_told = $12::bigint
    WHERE endpoint.id = $1 AND EXISTS (SELECT FROM before)
    RETURNING endpoint.id
), resumed AS MATERIALIZED (
    SELECT ctid AS row
    FROM webhook_queues
    WHERE endpoint_id = $1 AND due_at IS NULL AND $10 IS NULL AND (SELECT NOT is_enabled FROM before)
    ORDER BY due_at
    LIMIT 10000
    FOR UPDATE SKIP LOCKED
), paused AS MATERIALIZED (
    SELECT ctid AS row
    FROM webhook_queues
    WHERE endpoint_id = $1 AND due_at > '-infinity' AND $10 IS NOT NULL AND EXISTS (SELECT FROM before)
    ORDER BY due_at
    LIMIT 10000
    FOR UPDATE SKIP LOCKED
), due AS (
    UPDATE webhook_queues
    SET tries = 0, next_due_at = CASE WHEN done < last OR resends = '{}' THEN $13::timestamptz END,
        resend_tries = 0, resend_due_at = CASE WHEN resends <> '{}' THEN $13 END
    WHERE ctid = ANY (ARRAY(SELECT row FROM resumed))
), not_due AS (
    UPDATE webhook_queues SET next_due_at = NULL, resend_due_at = NULL WHERE ctid = ANY (ARRAY(SELECT row FROM paused))
)
SELECT FROM changed
