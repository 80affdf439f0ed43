-- Who pays an order, as Stripe knows them, and what a storefront needs before there is an order: what is sold, on
-- which terms, carts, and who its customers are at Stripe. It only adds, so that the version before works on it too.

ALTER TABLE orders ADD COLUMN payer jsonb;

-- Prices are minor units of ISO 4217 by currency: {"usd": 5600}.
CREATE TABLE variants (
    id text NOT NULL PRIMARY KEY,
    sku text,
    name text NOT NULL,
    description text NOT NULL,
    prices jsonb NOT NULL,
    active boolean NOT NULL
);

-- Shipping rates, taxes and coupons: one row, replaced as a whole.
CREATE TABLE sales_terms (
    only_one boolean NOT NULL PRIMARY KEY CHECK (only_one),
    payload jsonb NOT NULL
);

-- A cart is read and written as a whole; the columns beside it are what it is found by.
CREATE TABLE carts (
    id uuid NOT NULL PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    customer text,
    currency text NOT NULL CHECK (length(currency) = 3),
    order_id uuid NOT NULL,
    is_open boolean NOT NULL,
    payload jsonb NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- An order is made from one cart.
CREATE UNIQUE INDEX cart_of_an_order ON carts (order_id);
-- Those that were left are looked through by age, which is in their ids.
CREATE INDEX open_carts ON carts (id) WHERE is_open;
CREATE INDEX open_carts_of_a_customer ON carts (customer, currency, id) WHERE is_open AND customer IS NOT NULL;

-- A customer of the shop is one customer at Stripe, for real money and for tests.
CREATE TABLE provider_customers (
    livemode boolean NOT NULL,
    customer text NOT NULL,
    provider_id text NOT NULL,
    PRIMARY KEY (livemode, customer)
);
