-- Who pays an order, as Stripe knows them, and what a storefront needs before there is an order: what is sold, on
-- which terms, carts, and who its customers are at Stripe.

ALTER TABLE orders ADD COLUMN payer TEXT;

-- Prices are minor units of ISO 4217 by currency: {"usd": 5600}.
CREATE TABLE variants (
    id TEXT NOT NULL PRIMARY KEY,
    sku TEXT,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    prices TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

-- Shipping rates, taxes and coupons: one row, replaced as a whole.
CREATE TABLE sales_terms (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    payload TEXT NOT NULL
) STRICT;

-- A cart is read and written as a whole; the columns beside it are what it is found by.
CREATE TABLE carts (
    id BLOB NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL CHECK (version >= 1),
    customer TEXT,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    order_id BLOB NOT NULL,
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    payload TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- An order is made from one cart.
CREATE UNIQUE INDEX cart_of_an_order ON carts (order_id);
-- Those that were left are looked through by age, which is in their ids.
CREATE INDEX open_carts ON carts (id) WHERE is_open;
CREATE INDEX open_carts_of_a_customer ON carts (customer, currency, id) WHERE is_open AND customer IS NOT NULL;

-- A customer of the shop is one customer at Stripe, for real money and for tests.
CREATE TABLE provider_customers (
    livemode INTEGER NOT NULL CHECK (livemode IN (0, 1)),
    customer TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    PRIMARY KEY (livemode, customer)
) STRICT, WITHOUT ROWID;
