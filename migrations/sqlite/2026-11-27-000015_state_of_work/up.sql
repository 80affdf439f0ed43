-- Metrics read which orders are held for review, and which tasks fail. Few rows are in either index.
CREATE INDEX anomalies_held ON anomalies (order_id) WHERE policy = 'hold_for_review';
CREATE INDEX tasks_failing ON tasks (key) WHERE error IS NOT NULL;
