ALTER TABLE refunds DROP COLUMN closed_amount;
ALTER TABLE refunds DROP COLUMN closed_at;
