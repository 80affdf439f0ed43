-- Continues `change.sql`: refunds, disputes, anomalies, an idempotency record, entries of the audit trail
-- (`audit_trail.rs`), and the content, which replaces the old.
-- A row that is as it was is not written: an order with hundreds of refunds has hundreds of commits.
, given_back AS (
    INSERT INTO refunds (
        order_id, number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure,
        requested_at, epoch, request, closed_at, closed_amount
    )
    SELECT
        id, number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure, requested_at,
        epoch, request, closed_at, closed_amount
    FROM changed, unnest(
        :refund_numbers::bigint[], :refund_intents::text[], :refund_provider_ids::text[], :refund_currencies::text[],
        :refund_amounts::bigint[], :refund_reasons::text[], :refund_origins::text[], :refund_statuses::text[],
        :refund_attempts::bigint[], :refund_failures::text[], :refund_requested_at::timestamptz[],
        :refund_epochs::bigint[], :refund_requests::uuid[], :refund_closed_at::timestamptz[],
        :refund_closed_amounts::bigint[]
    ) AS it (
        number, intent_id, provider_id, currency, amount, reason, origin, status, attempt, failure, requested_at,
        epoch, request, closed_at, closed_amount
    )
    ON CONFLICT (order_id, number) DO UPDATE
    SET provider_id = excluded.provider_id, amount = excluded.amount, status = excluded.status,
        attempt = excluded.attempt, failure = excluded.failure, closed_at = excluded.closed_at,
        closed_amount = excluded.closed_amount
    WHERE (
        refunds.provider_id, refunds.amount, refunds.status, refunds.attempt, refunds.failure, refunds.closed_at
    ) IS DISTINCT FROM (
        excluded.provider_id, excluded.amount, excluded.status, excluded.attempt, excluded.failure, excluded.closed_at
    )
), disputed AS (
    INSERT INTO disputes (
        order_id, position, provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated
    )
    SELECT
        id, ordinality - 1, provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated
    FROM changed, unnest(
        :dispute_ids::text[], :dispute_intents::text[], :dispute_currencies::text[], :dispute_amounts::bigint[],
        :dispute_statuses::text[], :dispute_reasons::text[], :dispute_due_by::timestamptz[],
        :dispute_withdrawn::boolean[], :dispute_reinstated::boolean[]
    ) WITH ORDINALITY AS it (
        provider_id, intent_id, currency, amount, status, reason, due_by, withdrawn, reinstated, ordinality
    )
    ON CONFLICT (order_id, provider_id) DO UPDATE
    SET amount = excluded.amount, status = excluded.status, due_by = excluded.due_by,
        withdrawn = excluded.withdrawn, reinstated = excluded.reinstated
    WHERE (disputes.amount, disputes.status, disputes.due_by, disputes.withdrawn, disputes.reinstated)
        IS DISTINCT FROM (
            excluded.amount, excluded.status, excluded.due_by, excluded.withdrawn, excluded.reinstated
        )
), misfits AS (
    INSERT INTO anomalies (order_id, position, provider_id, name, payload, policy, reason, found_at, accepted_at)
    SELECT id, ordinality - 1, provider_id, name, payload::jsonb, policy, reason, found_at, accepted_at
    FROM changed, unnest(
        :anomaly_intents::text[], :anomaly_names::text[], :anomaly_payloads::text[], :anomaly_policies::text[],
        :anomaly_reasons::text[], :anomaly_found_at::timestamptz[], :anomaly_accepted_at::timestamptz[]
    ) WITH ORDINALITY AS it (provider_id, name, payload, policy, reason, found_at, accepted_at, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET payload = excluded.payload, accepted_at = excluded.accepted_at
    WHERE anomalies.accepted_at IS DISTINCT FROM excluded.accepted_at
), kept AS (
    INSERT INTO idempotency_records (scope, key, fingerprint, order_id, answer, at)
    SELECT
        :idempotency_scope::uuid, :idempotency_key::text, :idempotency_fingerprint::bytea, id,
        :idempotency_answer::text, :at
    FROM changed
    WHERE :idempotency_key IS NOT NULL
), edited_lines AS (
    INSERT INTO order_lines (order_id, position, name, description, sku, unit_amount, quantity)
    SELECT id, ordinality - 1, name, description, sku, unit_amount, quantity
    FROM changed, unnest(
        :line_names::text[], :line_descriptions::text[], :line_skus::text[], :line_unit_amounts::bigint[],
        :line_quantities::bigint[]
    ) WITH ORDINALITY AS it (name, description, sku, unit_amount, quantity, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET name = excluded.name, description = excluded.description, sku = excluded.sku,
        unit_amount = excluded.unit_amount, quantity = excluded.quantity
    WHERE (order_lines.name, order_lines.description, order_lines.sku, order_lines.unit_amount, order_lines.quantity)
        IS DISTINCT FROM (
            excluded.name, excluded.description, excluded.sku, excluded.unit_amount, excluded.quantity
        )
), dropped_lines AS (
    DELETE FROM order_lines USING changed
    WHERE order_lines.order_id = changed.id AND position >= cardinality(:line_names)
), edited_adjustments AS (
    INSERT INTO order_adjustments (order_id, position, kind, label, amount, tax_percent, tax_country, tax_revision)
    SELECT id, ordinality - 1, kind, label, amount, tax_percent, tax_country, tax_revision
    FROM changed, unnest(
        :adjustment_kinds::text[], :adjustment_labels::text[], :adjustment_amounts::bigint[],
        :adjustment_tax_percents::text[], :adjustment_tax_countries::text[], :adjustment_tax_revisions::bigint[]
    ) WITH ORDINALITY AS it (kind, label, amount, tax_percent, tax_country, tax_revision, ordinality)
    ON CONFLICT (order_id, position) DO UPDATE
    SET kind = excluded.kind, label = excluded.label, amount = excluded.amount, tax_percent = excluded.tax_percent,
        tax_country = excluded.tax_country, tax_revision = excluded.tax_revision
    WHERE (
            order_adjustments.kind, order_adjustments.label, order_adjustments.amount, order_adjustments.tax_percent,
            order_adjustments.tax_country, order_adjustments.tax_revision
        ) IS DISTINCT FROM (
            excluded.kind, excluded.label, excluded.amount, excluded.tax_percent, excluded.tax_country,
            excluded.tax_revision
        )
), dropped_adjustments AS (
    DELETE FROM order_adjustments USING changed
    WHERE order_adjustments.order_id = changed.id AND position >= cardinality(:adjustment_kinds)
), {audited}
SELECT FROM changed
