-- Sign-in to the console: links that were not used yet, and sessions. The version before has no console.
CREATE TABLE console_links (
    id uuid PRIMARY KEY,
    -- SHA-256 of the token in the link.
    digest bytea NOT NULL UNIQUE,
    operator text NOT NULL,
    role text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE console_sessions (
    -- That of the link by which it began.
    id uuid PRIMARY KEY,
    -- SHA-256 of the token in the cookie.
    digest bytea NOT NULL UNIQUE,
    operator text NOT NULL,
    role text NOT NULL,
    begun_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Who helps a customer knows the email address of an order, and seldom its number.
-- Only its ASCII letters are compared in either case, as in the program: so the collation is C.
CREATE INDEX orders_of_an_email ON orders (lower(email COLLATE "C"), id) WHERE email IS NOT NULL;

-- What waits for a person: a failed refund, and a dispute that the shop must answer. Both are few.
CREATE INDEX refunds_failed ON refunds (order_id) WHERE status = 'failed';
CREATE INDEX disputes_to_answer ON disputes (order_id) WHERE status IN ('needs_response', 'warning_needs_response');
