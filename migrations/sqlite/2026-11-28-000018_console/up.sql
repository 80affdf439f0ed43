-- Sign-in to the console: links that were not used yet, and sessions.
CREATE TABLE console_links (
    id BLOB NOT NULL PRIMARY KEY,
    -- SHA-256 of the token in the link.
    digest BLOB NOT NULL UNIQUE,
    operator TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE console_sessions (
    -- That of the link by which it began.
    id BLOB NOT NULL PRIMARY KEY,
    -- SHA-256 of the token in the cookie.
    digest BLOB NOT NULL UNIQUE,
    operator TEXT NOT NULL,
    role TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who helps a customer knows the email address of an order, and seldom its number.
CREATE INDEX orders_of_an_email ON orders (lower(email), id) WHERE email IS NOT NULL;

-- What waits for a person: a failed refund, and a dispute that the shop must answer. Both are few.
CREATE INDEX refunds_failed ON refunds (order_id) WHERE status = 'failed';
CREATE INDEX disputes_to_answer ON disputes (order_id) WHERE status IN ('needs_response', 'warning_needs_response');
