-- Books: what moved the balance at Stripe, what orders expect, and closed days. The version before works on this schema too.

-- One row: the state, as a JSON document, and the number of commits.
CREATE TABLE books (
    only_one INTEGER NOT NULL PRIMARY KEY CHECK (only_one = 1),
    version INTEGER NOT NULL CHECK (version >= 1),
    state TEXT NOT NULL
) STRICT;

CREATE TABLE balance_transactions (
    id TEXT NOT NULL PRIMARY KEY,
    created INTEGER NOT NULL,
    -- Day of the books as YYYY-MM-DD; NULL if it is before the first day.
    day TEXT,
    category TEXT NOT NULL,
    balance TEXT NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount INTEGER NOT NULL,
    fee INTEGER NOT NULL,
    net INTEGER NOT NULL,
    -- JSON array of the parts of the fee.
    fees TEXT NOT NULL,
    description TEXT NOT NULL,
    source_kind TEXT NOT NULL,
    source_id TEXT NOT NULL,
    intent_id TEXT,
    order_id BLOB,
    presented_currency TEXT,
    presented_amount INTEGER CHECK ((presented_amount IS NULL) = (presented_currency IS NULL)),
    recorded_at INTEGER NOT NULL
) STRICT;

-- The amounts and what they are grouped by are in this index too, so that sums of many days read nothing else.
CREATE INDEX balance_transactions_by_day
    ON balance_transactions (day, created, id, balance, currency, category, amount, fee, net) WHERE day IS NOT NULL;
CREATE INDEX balance_transactions_of_an_order ON balance_transactions (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX balance_transactions_of_a_source ON balance_transactions (source_id);

CREATE TABLE book_entries (
    id TEXT NOT NULL PRIMARY KEY,
    order_id BLOB NOT NULL,
    at INTEGER NOT NULL,
    day TEXT,
    source_kind TEXT NOT NULL,
    source_id TEXT NOT NULL,
    -- JSON array of accounts and amounts.
    postings TEXT NOT NULL
) STRICT;

CREATE INDEX book_entries_by_day ON book_entries (day, at, id) WHERE day IS NOT NULL;
CREATE INDEX book_entries_of_an_order ON book_entries (order_id);
CREATE INDEX book_entries_of_a_source ON book_entries (source_id);

-- Sums of the postings of entries and balance transactions to the clearing account of each object. Both are append only,
-- so a commit adds its own to these.
CREATE TABLE clearing_accounts (
    object TEXT NOT NULL,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    source_kind TEXT NOT NULL,
    order_id BLOB,
    expected INTEGER NOT NULL,
    moved INTEGER NOT NULL,
    entries INTEGER NOT NULL CHECK (entries >= 0),
    transactions INTEGER NOT NULL CHECK (transactions >= 0),
    latest INTEGER NOT NULL,
    has_day INTEGER NOT NULL CHECK (has_day IN (0, 1)),
    PRIMARY KEY (object, currency)
) STRICT, WITHOUT ROWID;

CREATE INDEX open_clearing_accounts ON clearing_accounts (object, currency) WHERE expected <> moved;

CREATE TABLE payouts (
    id TEXT NOT NULL PRIMARY KEY,
    currency TEXT NOT NULL CHECK (length(currency) = 3),
    amount INTEGER NOT NULL,
    created INTEGER NOT NULL,
    arrival INTEGER NOT NULL,
    status TEXT NOT NULL,
    automatic INTEGER NOT NULL CHECK (automatic IN (0, 1)),
    reconciliation TEXT NOT NULL,
    balance_transaction TEXT,
    failure_balance_transaction TEXT,
    failure_code TEXT,
    trace_id TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX payouts_by_time ON payouts (created, id);

-- Balance transactions that payouts contain, stored or not.
CREATE TABLE payout_members (
    payout_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    PRIMARY KEY (payout_id, transaction_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX payouts_of_a_transaction ON payout_members (transaction_id);

-- Sums of the members of each payout whose members are read. `known` is the number of members that are stored, and `net`
-- the sum of those in the payout's currency; a commit adds its own. The amount of a payout never changes.
CREATE TABLE payout_sums (
    payout_id TEXT NOT NULL PRIMARY KEY REFERENCES payouts (id),
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    members INTEGER NOT NULL CHECK (members >= 0),
    known INTEGER NOT NULL CHECK (known BETWEEN 0 AND members),
    net INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX unequal_payouts ON payout_sums (payout_id) WHERE net <> amount;

CREATE TABLE closed_days (
    day TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    previous TEXT,
    timezone TEXT NOT NULL,
    closed_at INTEGER NOT NULL,
    -- JSON document of the figures.
    summary TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE book_breaks (
    id TEXT NOT NULL PRIMARY KEY,
    class TEXT NOT NULL,
    object TEXT NOT NULL,
    order_id BLOB,
    ours_currency TEXT,
    ours_amount INTEGER CHECK ((ours_amount IS NULL) = (ours_currency IS NULL)),
    theirs_currency TEXT,
    theirs_amount INTEGER CHECK ((theirs_amount IS NULL) = (theirs_currency IS NULL)),
    since INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    gone_at INTEGER,
    -- JSON document: who resolved it, when and how.
    resolution TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX breaks_by_time ON book_breaks (first_seen, id);
CREATE INDEX present_breaks ON book_breaks (first_seen, id) WHERE gone_at IS NULL;
CREATE INDEX open_breaks ON book_breaks (first_seen, id) WHERE gone_at IS NULL AND resolution IS NULL;

-- Closed days are hashes of the rows below: a row that is changed or deleted, by mistake or by another program, would make
-- the past contradict them. The database refuses that, and inserts cost nothing more.
CREATE TRIGGER balance_transactions_are_not_changed BEFORE UPDATE ON balance_transactions
    BEGIN SELECT RAISE (ABORT, 'balance_transactions is append only'); END;
CREATE TRIGGER balance_transactions_are_not_deleted BEFORE DELETE ON balance_transactions
    BEGIN SELECT RAISE (ABORT, 'balance_transactions is append only'); END;
CREATE TRIGGER book_entries_are_not_changed BEFORE UPDATE ON book_entries
    BEGIN SELECT RAISE (ABORT, 'book_entries is append only'); END;
CREATE TRIGGER book_entries_are_not_deleted BEFORE DELETE ON book_entries
    BEGIN SELECT RAISE (ABORT, 'book_entries is append only'); END;
CREATE TRIGGER closed_days_are_not_changed BEFORE UPDATE ON closed_days
    BEGIN SELECT RAISE (ABORT, 'closed_days is append only'); END;
CREATE TRIGGER closed_days_are_not_deleted BEFORE DELETE ON closed_days
    BEGIN SELECT RAISE (ABORT, 'closed_days is append only'); END;
