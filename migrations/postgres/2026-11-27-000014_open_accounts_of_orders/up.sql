-- Open clearing accounts of orders alone: on a Stripe account that other programs use too, those of no order are of theirs,
-- open for ever, and not compared.
CREATE INDEX open_clearing_accounts_of_orders ON clearing_accounts (object, currency)
    WHERE expected <> moved AND order_id IS NOT NULL;
