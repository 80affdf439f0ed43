-- Records of requests are deleted by age. The version before works on it too.
CREATE INDEX idempotency_records_by_age ON idempotency_records (at);
