-- Books: what moved the balance at Stripe, what orders expect, and closed days. The version before works on this schema too.

-- One row: the state and the number of commits.
CREATE TABLE books (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    version bigint NOT NULL CHECK (version >= 1),
    state jsonb NOT NULL
);

CREATE TABLE balance_transactions (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    created timestamptz NOT NULL,
    -- Day of the books; NULL if it is before the first day.
    day date,
    category text NOT NULL,
    balance text NOT NULL,
    currency text NOT NULL CHECK (length(currency) = 3),
    amount bigint NOT NULL,
    fee bigint NOT NULL,
    net bigint NOT NULL,
    -- Array of the parts of the fee.
    fees jsonb NOT NULL,
    description text NOT NULL,
    source_kind text NOT NULL,
    source_id text COLLATE "C" NOT NULL,
    intent_id text,
    order_id uuid,
    presented_currency text,
    presented_amount bigint CHECK ((presented_amount IS NULL) = (presented_currency IS NULL)),
    recorded_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02);

-- The amounts and what they are grouped by are in this index too, so that sums of many days read nothing else: the table is
-- vacuumed often, because only then PostgreSQL need not look at its rows.
CREATE INDEX balance_transactions_by_day
    ON balance_transactions (day, created, id) INCLUDE (balance, currency, category, amount, fee, net)
    WHERE day IS NOT NULL;
CREATE INDEX balance_transactions_of_an_order ON balance_transactions (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX balance_transactions_of_a_source ON balance_transactions (source_id);

CREATE TABLE book_entries (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    order_id uuid NOT NULL,
    at timestamptz NOT NULL,
    day date,
    source_kind text NOT NULL,
    source_id text COLLATE "C" NOT NULL,
    -- Array of accounts and amounts.
    postings jsonb NOT NULL
);

CREATE INDEX book_entries_by_day ON book_entries (day, at, id) WHERE day IS NOT NULL;
CREATE INDEX book_entries_of_an_order ON book_entries (order_id);
CREATE INDEX book_entries_of_a_source ON book_entries (source_id);

-- Sums of the postings of entries and balance transactions to the clearing account of each object. Both are append only,
-- so a commit adds its own to these.
CREATE TABLE clearing_accounts (
    object text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL CHECK (length(currency) = 3),
    source_kind text NOT NULL,
    order_id uuid,
    expected bigint NOT NULL,
    moved bigint NOT NULL,
    entries bigint NOT NULL CHECK (entries >= 0),
    transactions bigint NOT NULL CHECK (transactions >= 0),
    latest timestamptz NOT NULL,
    has_day boolean NOT NULL,
    PRIMARY KEY (object, currency)
);

CREATE INDEX open_clearing_accounts ON clearing_accounts (object, currency) WHERE expected <> moved;

CREATE TABLE payouts (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    currency text NOT NULL CHECK (length(currency) = 3),
    amount bigint NOT NULL,
    created timestamptz NOT NULL,
    arrival timestamptz NOT NULL,
    status text NOT NULL,
    automatic boolean NOT NULL,
    reconciliation text NOT NULL,
    balance_transaction text,
    failure_balance_transaction text,
    failure_code text,
    trace_id text
);

CREATE INDEX payouts_by_time ON payouts (created, id);

-- Balance transactions that payouts contain, stored or not.
CREATE TABLE payout_members (
    payout_id text COLLATE "C" NOT NULL,
    transaction_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (payout_id, transaction_id)
);

CREATE INDEX payouts_of_a_transaction ON payout_members (transaction_id);

-- Sums of the members of each payout whose members are read. `known` is the number of members that are stored, and `net`
-- the sum of those in the payout's currency; a commit adds its own. The amount of a payout never changes.
CREATE TABLE payout_sums (
    payout_id text COLLATE "C" NOT NULL PRIMARY KEY REFERENCES payouts (id),
    currency text NOT NULL,
    amount bigint NOT NULL,
    members bigint NOT NULL CHECK (members >= 0),
    known bigint NOT NULL CHECK (known BETWEEN 0 AND members),
    net bigint NOT NULL
);

CREATE INDEX unequal_payouts ON payout_sums (payout_id) WHERE net <> amount;

CREATE TABLE closed_days (
    day date NOT NULL PRIMARY KEY,
    hash text NOT NULL,
    previous text,
    timezone text NOT NULL,
    closed_at timestamptz NOT NULL,
    -- Figures.
    summary jsonb NOT NULL
);

CREATE TABLE book_breaks (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    class text NOT NULL,
    object text COLLATE "C" NOT NULL,
    order_id uuid,
    ours_currency text,
    ours_amount bigint CHECK ((ours_amount IS NULL) = (ours_currency IS NULL)),
    theirs_currency text,
    theirs_amount bigint CHECK ((theirs_amount IS NULL) = (theirs_currency IS NULL)),
    since timestamptz NOT NULL,
    first_seen timestamptz NOT NULL,
    gone_at timestamptz,
    -- Who resolved it, when and how.
    resolution jsonb
);

CREATE INDEX breaks_by_time ON book_breaks (first_seen, id);
CREATE INDEX present_breaks ON book_breaks (first_seen, id) WHERE gone_at IS NULL;
CREATE INDEX open_breaks ON book_breaks (first_seen, id) WHERE gone_at IS NULL AND resolution IS NULL;

-- Closed days are hashes of the rows below: a row that is changed or deleted, by mistake or by another program, would make
-- the past contradict them. The database refuses that, and inserts cost nothing more.
CREATE FUNCTION refuse_change_of_books() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''% is append only'', TG_TABLE_NAME; END';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON balance_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_books();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON book_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_books();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON closed_days
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_books();
