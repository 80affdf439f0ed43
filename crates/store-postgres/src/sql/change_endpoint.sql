-- Replaces an endpoint: returns one row, or none if its version differs. Its queues follow its state: many of them, and
-- those that another transaction has locked, only in `follow_endpoints.sql`.
WITH before AS MATERIALIZED (
    SELECT disabled_at IS NULL AS is_enabled FROM webhook_endpoints WHERE id = :endpoint::uuid
        AND version = :expected_version::bigint FOR UPDATE
), changed AS (
    UPDATE webhook_endpoints AS endpoint
    SET version = version + 1, url = :url::text, description = :description::text, kinds = :kinds::text[],
        subscriptions = :subscriptions::text[], updated_at = :updated_at::timestamptz,
        secret_generation = :secret_generation::bigint, previous_secret_until = :previous_secret_until::timestamptz,
            secret_key_id = :secret_key_id::text,
        disabled_reason = :disabled_reason::text, disabled_at = :disabled_at::timestamptz,
            failing_since = :failing_since::timestamptz,
        failing_told = :failing_told::bigint
    WHERE endpoint.id = :endpoint AND EXISTS (SELECT FROM before)
    RETURNING endpoint.id
), resumed AS MATERIALIZED (
    SELECT ctid AS row
    FROM webhook_queues
    WHERE endpoint_id = :endpoint AND due_at IS NULL AND :disabled_at IS NULL AND (SELECT NOT is_enabled FROM before)
    ORDER BY due_at
    LIMIT 10000
    FOR UPDATE SKIP LOCKED
), paused AS MATERIALIZED (
    SELECT ctid AS row
    FROM webhook_queues
    WHERE endpoint_id = :endpoint AND due_at > '-infinity' AND :disabled_at IS NOT NULL AND EXISTS (SELECT FROM before)
    ORDER BY due_at
    LIMIT 10000
    FOR UPDATE SKIP LOCKED
), due AS (
    UPDATE webhook_queues
    SET tries = 0, next_due_at = CASE WHEN done < last OR resends = '{}' THEN :now::timestamptz END,
        resend_tries = 0, resend_due_at = CASE WHEN resends <> '{}' THEN :now END
    WHERE ctid = ANY (ARRAY(SELECT row FROM resumed))
), not_due AS (
    UPDATE webhook_queues SET next_due_at = NULL, resend_due_at = NULL WHERE ctid = ANY (ARRAY(SELECT row FROM paused))
), {audited}
SELECT FROM changed
