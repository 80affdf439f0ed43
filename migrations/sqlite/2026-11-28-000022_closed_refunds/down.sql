ALTER TABLE refunds DROP COLUMN closed_at;
