-- Time at which a person accepted money of another amount than was due; NULL if nobody did. The version before works on it
-- too: it goes on holding such an order for review.
ALTER TABLE anomalies ADD COLUMN accepted_at timestamptz;
