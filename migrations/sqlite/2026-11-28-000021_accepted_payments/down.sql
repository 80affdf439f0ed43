ALTER TABLE anomalies DROP COLUMN accepted_at;
