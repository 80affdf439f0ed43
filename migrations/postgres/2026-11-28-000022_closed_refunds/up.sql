-- Time at which a person closed a failed refund; NULL if nobody did. The version before works on it too: it goes on showing
-- such a refund as one that needs attention.
ALTER TABLE refunds ADD COLUMN closed_at timestamptz;
