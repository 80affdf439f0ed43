-- Rate of a tax in percent, and the country that it is due in, where the shop or the terms of sale tell them.
-- `tax_revision` is the revision of the order that they belong to: the version before works on it too, and leaves them as
-- they are when it replaces the adjustments of an order.
ALTER TABLE order_adjustments ADD COLUMN tax_percent TEXT;
ALTER TABLE order_adjustments ADD COLUMN tax_country TEXT;
ALTER TABLE order_adjustments ADD COLUMN tax_revision INTEGER;
