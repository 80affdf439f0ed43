-- Time at which a person closed a failed refund, and amount that went back in another way; NULL if nobody did. The version before works on it too: it goes on showing
-- such a refund as one that needs attention.
ALTER TABLE refunds ADD COLUMN closed_at timestamptz;
ALTER TABLE refunds ADD COLUMN closed_amount bigint CHECK (closed_amount >= 0);
