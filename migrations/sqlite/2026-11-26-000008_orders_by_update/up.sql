-- Other programs poll for the orders that were changed since a time. The version before works on it too.
CREATE INDEX orders_by_update ON orders (updated_at, id);
