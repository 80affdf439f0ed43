//! The service compared with two floors, both PostgreSQL's own `pgbench`, prepared, with `fsync` on, beside the built
//! program over HTTP: the store's own statements, and the least SQL that does the same step for a shop that keeps no history
//! and tells nobody (the *bare* floor). Rows and floors are measured in turn in one run; the result is the median of their
//! ratios. Server, database, twin and load share the cores.
#![expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints ratios, and one that cannot run fails; not every one uses all of the rig"
)]

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use paywright_store_postgres::sql::{CHANGE, ORDERS, PLACE, without};
use paywright_testkit::Cluster;
use paywright_testkit::postgres::connect;
use rig::{MICROS_A_TICK, ORDER, Row, Running, Server, Shop, stat};
use sha2::Sha256;

/// Number of open orders at the start, to be read and to be paid.
const OPEN: u64 = 100_000;
/// Number of orders with an intent at the start, to be paid by webhooks. Their numbers follow those of the open ones.
const ISSUED: u64 = 200_000;
const WEBHOOK_SECRET: &str = "whsec_of_the_benchmark";
/// Delay of the slow twin's answers, in milliseconds.
const STRIPE_MS: u64 = 200;
/// Number of connections of the server whose payments wait for the slow twin.
const FEW_CONNECTIONS: u16 = 8;

fn main() {
    rig::run(benchmark(rig::seconds_a_row()));
}

#[expect(clippy::too_many_lines, reason = "one benchmark with its table")]
async fn benchmark(seconds: u64) {
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(3);
    let cluster = Cluster::on_disk(&["shared_buffers = '512MB'", "max_wal_size = '4GB'"]);
    cluster.start();
    let (twin, slow_twin) = (Running::twin(0), Arc::new(Server::twin(STRIPE_MS)));
    let secret = format!("stripe.webhook_secrets = \"{WEBHOOK_SECRET}\"");
    let admin = connect(&cluster.url("postgres")).await;
    for database in ["shop", "floor", "bare"] {
        admin.batch_execute(&format!("CREATE DATABASE {database}")).await.unwrap();
    }
    let shop = Shop::open(&cluster.url("shop"), &twin.address, &secret);
    let few = format!("{secret}\ndatabase.connections = {FEW_CONNECTIONS}");
    let slow_shop = Shop::open(&cluster.url("shop"), slow_twin.address(), &few);
    drop(Shop::open(&cluster.url("floor"), &twin.address, ""));
    for database in ["shop", "floor"] {
        fill(&cluster, database).await;
    }
    let bare = connect(&cluster.url("bare")).await;
    bare.batch_execute(BARE).await.unwrap();
    bare.batch_execute("VACUUM (ANALYZE)").await.unwrap();
    let (server, mut slow) = (Arc::new(shop.serve().0), slow_shop.serve().0);
    slow.spread = slow_twin.spread;
    let slow = Arc::new(slow);
    let event = Arc::new(event_of_a_payment(&server, &twin, &shop).await);
    let (opened, issued) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(OPEN + 1)));
    let mut floor = Floor { cluster: &cluster, seconds, placed: 0, paid: OPEN };
    println!(
        "{:<38} {:>5} {:>9} {:>8} {:>8} {:>10} {:>10} {:>9} {:>8}",
        "row", "conns", "op/s", "p50 ms", "p99 ms", "server us", "pg us", "of floor", "of bare"
    );
    for connections in [1, 16, 64] {
        let mut table = Table::default();
        for _ in 0..rounds {
            let bare = floor.bare(BARE_PLACE, connections);
            table.add("bare floor: an order with lines", &bare, None);
            let placing = floor.place(connections);
            table.add("floor: place.sql by pgbench", &placing, None);
            let place = |it: &Server, _| Some(it.request("POST", "/api/v1/shop/orders", "", ORDER));
            let placed = measured(&cluster, server.load(connections, seconds, 201, place)).await;
            table.add("POST /orders", &placed, Some((&placing, &bare)));

            let bare = floor.bare(BARE_READ, connections);
            table.add("bare floor: an order by its number", &bare, None);
            let reading = floor.read(connections);
            table.add("floor: order.sql by pgbench", &reading, None);
            let read = |it: &Server, _| {
                let number = number_of(fastrand::u64(1..=OPEN));
                Some(it.request("GET", &format!("/api/v1/shop/orders/{number}"), "", ""))
            };
            let got = measured(&cluster, server.load(connections, seconds, 200, read)).await;
            table.add("GET /orders/{number}", &got, Some((&reading, &bare)));

            let bare = floor.bare(BARE_PAY, connections);
            table.add("bare floor: an event and an update", &bare, None);
            let paying = floor.pay(connections).await;
            table.add("floor: order.sql + change.sql", &paying, None);
            let deliver = {
                let (event, issued) = (Arc::clone(&event), Arc::clone(&issued));
                move |it: &Server, _| {
                    let n = issued.fetch_add(1, Ordering::Relaxed);
                    (n <= OPEN + ISSUED).then(|| event.delivery(it, n))
                }
            };
            let paid = measured(&cluster, server.load(connections, seconds, 200, deliver)).await;
            table.add("webhook that pays", &paid, Some((&paying, &bare)));

            let create =
                |it: &Server, _| Some(it.request("POST", "/v1/payment_intents", "", "amount=12450&currency=usd"));
            let alone = measured(&cluster, slow_twin.load(connections, seconds, 200, create)).await;
            table.add("the twin alone, at 200 ms", &alone, None);
            for (name, server) in [("payment-intent, twin at 200 ms", &slow), ("same, at 0 ms", &server)] {
                let opened = Arc::clone(&opened);
                let ask = move |it: &Server, _| {
                    let n = opened.fetch_add(1, Ordering::Relaxed);
                    let path = format!("/api/v1/shop/orders/{}/payment-intent", number_of(n));
                    (n <= OPEN).then(|| it.request("POST", &path, "", ""))
                };
                let asked = measured(&cluster, server.load(connections, seconds, 200, ask)).await;
                table.add(name, &asked, None);
            }
        }
        table.print(connections);
    }
    println!(
        "peak resident memory: {:.0} MB; {:.0} MB where payments wait, with a pool of {FEW_CONNECTIONS}",
        server.resident().1,
        slow.resident().1
    );
}

/// Number of the `n`th order made by [`fill`].
fn number_of(n: u64) -> String {
    format!("ORD-20200101-{n:06X}")
}

/// Fills a database with orders of two lines, some with an intent, and analyzes it.
async fn fill(cluster: &Cluster, database: &str) {
    let db = connect(&cluster.url(database)).await;
    let all = OPEN + ISSUED;
    let id = "(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000')::uuid";
    // Times as of a history: the books would read orders that have just changed, page by page, beside the rows.
    let at = "timestamptz '2020-01-01 00:00:00+00' + n * interval '1 second'";
    db.batch_execute(&format!(
        "INSERT INTO orders (id, number, version, customer, currency, total, capture, metadata, livemode, revision, \
             attempt, state, placed_at, updated_at) \
         SELECT {id}, 'ORD-20200101-' || upper(lpad(to_hex(n), 6, '0')), CASE WHEN n > {OPEN} THEN 3 ELSE 1 END, \
             'cus-ada', 'usd', 12450, 'automatic', '{{}}', false, 1, 1, 'open', {at}, {at} \
         FROM generate_series(1, {all}) n; \
         INSERT INTO order_lines SELECT {id}, 0, 'Main product 2', '', NULL, 5600, 2 FROM generate_series(1, {all}) n; \
         INSERT INTO order_lines SELECT {id}, 1, 'Leash', '', NULL, 1250, 1 FROM generate_series(1, {all}) n; \
         INSERT INTO payment_intents (order_id, position, provider_id, revision, currency, amount, status, received, \
             capturable, as_of, created_at) \
         SELECT {id}, 0, 'pi_' || n, 1, 'usd', 12450, 'requires_payment_method', 0, 0, now(), now() \
         FROM generate_series({OPEN} + 1, {all}) n"
    ))
    .await
    .unwrap();
    db.batch_execute("VACUUM (ANALYZE)").await.unwrap();
    db.batch_execute("CHECKPOINT").await.unwrap();
}

/// An event of the twin, used as a template for events of other orders.
struct Event {
    text: String,
    id: String,
    intent: String,
    order: String,
}

/// Pays one order by its intent, and returns the event of the payment.
async fn event_of_a_payment(server: &Arc<Server>, twin: &Running, shop: &Shop) -> Event {
    let place = |it: &Server, n: u64| (n == 0).then(|| it.request("POST", "/api/v1/shop/orders", "", ORDER));
    let placed = server.load(1, 60, 201, place).await;
    let number = placed.numbers().pop().expect("a number");
    let order = placed.answers[0].split("\"id\":\"").nth(1).and_then(|it| it.get(..36)).expect("an id").to_owned();
    let path = format!("/api/v1/shop/orders/{number}/payment-intent");
    let ask = move |it: &Server, n: u64| (n == 0).then(|| it.request("POST", &path, "", ""));
    let made = server.load(1, 60, 200, ask).await;
    let intent = made.answers[0].split("\"id\":\"").nth(1).and_then(|it| it.split('"').next()).expect("an intent");
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let confirm = http.post(format!("http://{}/v1/payment_intents/{intent}/confirm", twin.address));
    confirm
        .bearer_auth("sk_test_twin")
        .body("payment_method=pm_card_visa&return_url=https://shop.example/paid")
        .send()
        .await
        .unwrap();
    let events = http.get(format!("http://{}/v1/events?type=payment_intent.succeeded", twin.address));
    let events = events.bearer_auth("sk_test_twin").send().await.unwrap().text().await.unwrap();
    let events: serde_json::Value = serde_json::from_str(&events).unwrap();
    assert!(!shop.key.is_empty());
    let event = &events["data"][0];
    let id = event["id"].as_str().expect("an event").to_owned();
    Event { text: event.to_string(), id, intent: intent.to_owned(), order }
}

impl Event {
    /// The signed webhook of this event for the `n`th order.
    fn delivery(&self, server: &Server, n: u64) -> Vec<u8> {
        let body = self.text.replace(&self.intent, &format!("pi_{n}"));
        let body = body.replace(&self.order, &format!("{n:08x}-0000-7000-8000-000000000000"));
        let body = body.replace(&self.id, &format!("evt_{n}"));
        let at = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
        mac.update(format!("{at}.{body}").as_bytes());
        let signature = format!("stripe-signature: t={at},v1={}\r\n", hex::encode(mac.finalize().into_bytes()));
        server.request("POST", "/webhooks/stripe", &signature, &body)
    }
}

/// Orders in the database of the bare floor.
const BARE_ORDERS: u64 = 20_000;

/// Tables of the bare floor, with orders.
const BARE: &str = "
    CREATE TABLE orders (
        id uuid PRIMARY KEY, status text NOT NULL, currency text NOT NULL, total bigint NOT NULL, customer uuid NOT NULL,
        request text UNIQUE, version integer NOT NULL DEFAULT 1, placed_at timestamptz NOT NULL DEFAULT now(),
        paid_at timestamptz
    );
    CREATE INDEX orders_of_a_customer ON orders (customer, placed_at);
    CREATE TABLE lines (
        order_id uuid NOT NULL REFERENCES orders (id), position smallint NOT NULL, sku text NOT NULL, name text NOT NULL,
        quantity integer NOT NULL CHECK (quantity > 0), unit_amount bigint NOT NULL, PRIMARY KEY (order_id, position)
    );
    CREATE TABLE intents (
        id text PRIMARY KEY, order_id uuid NOT NULL UNIQUE REFERENCES orders (id), amount bigint NOT NULL,
        currency text NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE events (id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
    CREATE TABLE numbers (n bigint PRIMARY KEY, id uuid NOT NULL);
    INSERT INTO numbers SELECT n, gen_random_uuid() FROM generate_series(1, 20000) AS n;
    INSERT INTO orders (id, status, currency, total, customer, request)
    SELECT id, 'open', 'usd', 12450, gen_random_uuid(), n::text FROM numbers;
    INSERT INTO lines SELECT id, line, 'SKU', 'Main product', 1, 4150 FROM numbers, generate_series(0, 2) AS line;
    INSERT INTO intents (id, order_id, amount, currency, status)
    SELECT 'pi_' || n, id, 12450, 'usd', 'requires_payment_method' FROM numbers;
";

/// Bare floor of placing an order: the order and three lines.
const BARE_PLACE: &str = "
    WITH placed AS (
        INSERT INTO orders (id, status, currency, total, customer, request)
        VALUES (gen_random_uuid(), 'open', 'usd', 12450, gen_random_uuid(), gen_random_uuid()::text)
        RETURNING id
    ), of_order AS (
        INSERT INTO lines SELECT id, line, 'SKU', 'Main product', 1, 4150 FROM placed, generate_series(0, 2) AS line
    )
    SELECT id FROM placed";

/// Bare floor of reading an order with its lines and its intent.
const BARE_READ: &str = "
    SELECT orders.*, intents.id, intents.status, (
        SELECT json_agg(json_build_object('sku', sku, 'name', name, 'quantity', quantity, 'amount', unit_amount)
            ORDER BY position)
        FROM lines WHERE order_id = orders.id
    )
    FROM orders LEFT JOIN intents ON intents.order_id = orders.id
    WHERE orders.id = (SELECT id FROM numbers WHERE n = :n)";

/// Bare floor of a webhook that pays: the event, and an update of the order.
const BARE_PAY: &str = "
    WITH event AS (
        INSERT INTO events (id) VALUES ('evt_' || gen_random_uuid()) ON CONFLICT DO NOTHING RETURNING id
    )
    UPDATE orders SET status = 'paid', paid_at = now(), version = version + 1
    WHERE id = (SELECT id FROM numbers WHERE n = :n) AND EXISTS (SELECT FROM event)";

/// `pgbench` on a separate database.
struct Floor<'a> {
    cluster: &'a Cluster,
    seconds: u64,
    /// Upper bound of the orders that a client has placed so far.
    placed: u64,
    /// The last order paid so far.
    paid: u64,
}

/// A parameter of a statement in a floor.
enum Given {
    /// A constant, sent with each execution.
    Fixed(&'static str),
    /// NULL, which must be sent too.
    Null,
    /// A SQL expression with another value for each execution.
    Each(&'static str),
}
use Given::{Each, Fixed, Null};

/// The order as events show it, as long as that of a real order.
const VIEW: &str = r#"{"id":"00000001-0000-7000-8000-000000000000","number":"ORD-20261121-MJES2J","status":"open","payment_status":"unpaid","amount":"124.50","currency":"usd","capture":"automatic","line_items":[{"name":"Main product 2","amount":5600,"currency":"usd","quantity":2,"description":"","sku":null},{"name":"Leash","amount":1250,"currency":"usd","quantity":1,"description":"","sku":null}],"adjustments":[],"payment_intent":null,"pending_change":null,"amount_refunded":"0.00","refunds":[],"disputes":[],"anomalies":[],"livemode":false,"revision":1,"cancel_reason":null,"placed_at":"2026-11-21T17:40:19.366722Z","updated_at":"2026-11-21T17:40:19.366722Z","paid_at":null,"canceled_at":null}"#;
const PERSONAL: &str = r#"{"customer":"cus-ada","email":null,"metadata":{}}"#;

const NOW: &str = "2026-11-21 12:00:00+00";

/// Id of the PaymentIntent of the order that a client pays.
const INTENT: &str = "('pi_' || :n::bigint)";

/// Parameters of `place.sql`.
const PLACED: &[(&str, Given)] = &[
    ("idempotency_scope", Null),
    ("idempotency_key", Null),
    ("idempotency_fingerprint", Null),
    ("idempotency_answer", Null),
    (
        "order_id",
        Each(
            "(lpad(to_hex(:n::bigint), 8, '0') || '-0000-7000-9000-' || lpad(to_hex(:client_id::int), 12, '0'))::uuid",
        ),
    ),
    ("number", Each("('FLOOR-' || :client_id::int || '-' || :n::bigint)")),
    ("currency", Fixed("usd")),
    ("capture", Fixed("automatic")),
    ("livemode", Fixed("f")),
    ("placed_at", Fixed(NOW)),
    ("customer", Fixed("cus-ada")),
    ("email", Null),
    ("total", Fixed("12450")),
    ("metadata", Fixed("{}")),
    ("revision", Fixed("1")),
    ("attempt", Fixed("1")),
    ("state", Fixed("open")),
    ("paid_by", Null),
    ("cancel_reason", Null),
    ("state_at", Null),
    ("requested_revision", Null),
    ("requested_attempt", Null),
    ("requested_epoch", Null),
    ("operations", Fixed("0")),
    ("operation", Null),
    ("updated_at", Fixed(NOW)),
    ("payer", Null),
    ("line_names", Fixed("{\"Main product 2\",Leash}")),
    ("line_descriptions", Fixed("{\"\",\"\"}")),
    ("line_skus", Fixed("{NULL,NULL}")),
    ("line_unit_amounts", Fixed("{5600,1250}")),
    ("line_quantities", Fixed("{2,1}")),
    ("adjustment_kinds", Fixed("{}")),
    ("adjustment_labels", Fixed("{}")),
    ("adjustment_amounts", Fixed("{}")),
    ("adjustment_tax_percents", Fixed("{}")),
    ("adjustment_tax_countries", Fixed("{}")),
    ("adjustment_tax_revisions", Fixed("{}")),
    ("at", Fixed(NOW)),
    ("cause", Null),
    ("fact_kinds", Fixed("{order.placed}")),
    ("facts", Fixed(r#"{"{\"kind\":\"order.placed\",\"total\":{\"minor\":12450,\"currency\":\"usd\"}}"}"#)),
    ("task_keys", Fixed("{expire_order}")),
    ("tasks", Fixed(r#"{"{\"kind\":\"expire_order\"}"}"#)),
    ("task_due_at", Fixed("{\"2026-12-21 12:00:00+00\"}")),
    ("public_facts", Fixed("{0}")),
    ("snapshot_view", Fixed(VIEW)),
    ("snapshot_personal", Fixed(PERSONAL)),
    ("snapshot_livemode", Fixed("f")),
];

/// Parameters of `change.sql` for a webhook that pays.
const PAID: &[(&str, Given)] = &[
    ("order_id", Each("(lpad(to_hex(:n::bigint), 8, '0') || '-0000-7000-8000-000000000000')::uuid")),
    ("expected_version", Fixed("3")),
    ("edits_content", Fixed("f")),
    ("finished_tasks", Fixed("{expire_order,poll_intent:pi_12345678}")),
    ("customer", Fixed("cus-ada")),
    ("email", Null),
    ("total", Fixed("12450")),
    ("metadata", Fixed("{}")),
    ("revision", Fixed("1")),
    ("attempt", Fixed("1")),
    ("state", Fixed("paid")),
    ("paid_by", Each(INTENT)),
    ("cancel_reason", Null),
    ("state_at", Fixed(NOW)),
    ("requested_revision", Null),
    ("requested_attempt", Null),
    ("requested_epoch", Null),
    ("operations", Fixed("0")),
    ("operation", Null),
    ("updated_at", Fixed(NOW)),
    ("payer", Null),
    ("intent_ids", Each("ARRAY['pi_' || :n::bigint]")),
    ("intent_revisions", Fixed("{1}")),
    ("intent_currencies", Fixed("{usd}")),
    ("intent_amounts", Fixed("{12450}")),
    ("intent_statuses", Fixed("{succeeded}")),
    ("intent_received", Fixed("{12450}")),
    ("intent_capturable", Fixed("{0}")),
    ("intent_refunded", Fixed("{0}")),
    ("intent_capture_asked", Fixed("{NULL}")),
    ("intent_balance_currencies", Fixed("{NULL}")),
    ("intent_balance_gross", Fixed("{NULL}")),
    ("intent_balance_fees", Fixed("{NULL}")),
    ("intent_last_errors", Fixed("{NULL}")),
    ("intent_as_of", Fixed("{\"2026-11-21 12:00:00+00\"}")),
    ("intent_created_at", Fixed("{\"2026-11-21 12:00:00+00\"}")),
    ("intent_confirmed_at", Fixed("{NULL}")),
    ("at", Fixed(NOW)),
    ("cause", Fixed(r#"{"source":"webhook","event":"evt_12345678","request":"req_12345678"}"#)),
    ("fact_kinds", Fixed("{payment_intent.changed,order.paid}")),
    (
        "facts",
        Fixed(
            r#"{"{\"kind\":\"payment_intent.changed\",\"intent\":\"pi_12345678\",\"before\":\"requires_payment_method\",\"status\":\"succeeded\",\"last_error\":null}","{\"kind\":\"order.paid\",\"by\":\"pi_12345678\",\"amount\":{\"minor\":12450,\"currency\":\"usd\"}}"}"#,
        ),
    ),
    ("task_keys", Fixed("{}")),
    ("tasks", Fixed("{}")),
    ("task_due_at", Fixed("{}")),
    ("public_facts", Fixed("{0,1}")),
    ("snapshot_view", Fixed(VIEW)),
    ("snapshot_personal", Fixed(PERSONAL)),
    ("snapshot_livemode", Fixed("f")),
    ("event_id", Each("('evt_' || :n::bigint)")),
    ("event_kind", Fixed("payment_intent.succeeded")),
    ("event_created_at", Fixed(NOW)),
    ("event_received_at", Fixed(NOW)),
    ("event_via", Fixed("webhook")),
    (
        "event_headers",
        Fixed(r#"{"user-agent":"Stripe/1.0 (+https://stripe.com/docs/webhooks)","content-type":"application/json"}"#),
    ),
    (
        "event_news",
        Fixed(
            r#"{"intent":{"intent":"pi_12345678","order":null,"revision":1,"amount":{"minor":12450,"currency":"usd"},"status":"succeeded","received":{"minor":12450,"currency":"usd"},"capturable":{"minor":0,"currency":"usd"},"last_error":null,"livemode":false,"as_of":1,"as_of_max":2}}"#,
        ),
    ),
    ("event_verdict", Fixed("applied")),
    ("event_error", Null),
    ("event_order_id", Null),
    ("event_due_at", Null),
];

impl Floor<'_> {
    fn place(&mut self, clients: usize) -> Sample {
        let mut script = Script::new("\\set n :n + 1");
        // The order has no idempotency key and no adjustments.
        script.add(&without(PLACE, &["keyed", "adjusted"]), PLACED);
        script.set("n", self.placed);
        let (sample, count) = self.run(&script, "floor", clients);
        self.placed += count;
        sample
    }

    fn read(&self, clients: usize) -> Sample {
        let number = Each("('ORD-20200101-' || upper(lpad(to_hex(:n::bigint), 6, '0')))");
        let mut script = Script::new(&format!("\\set n random(1, {OPEN})"));
        script.add(&format!("{ORDERS}WHERE number = :number"), &[("number", number)]);
        self.run(&script, "floor", clients).0
    }

    /// A statement of the bare floor.
    fn bare(&self, sql: &str, clients: usize) -> Sample {
        let mut script = Script::new(&format!("\\set n random(1, {BARE_ORDERS})"));
        writeln!(script.text, "{sql};").unwrap();
        self.run(&script, "bare", clients).0
    }

    /// The statements of a webhook that pays an order.
    async fn pay(&mut self, clients: usize) -> Sample {
        let by_intent = "WHERE id = (SELECT order_id FROM payment_intents WHERE provider_id = :intent)";
        let mut script = Script::new(&format!("\\set i :i + 1\n\\set n :from + 1 + :client_id + {clients} * :i"));
        script.add(&format!("{ORDERS}{by_intent}"), &[("intent", Each(INTENT))]);
        // The payment schedules nothing.
        script.add(&without(CHANGE, &["scheduled"]), PAID);
        script.set("i", -1);
        script.set("from", self.paid);
        let (sample, _) = self.run(&script, "floor", clients);
        let last = "SELECT max(('x' || left(id::text, 8))::bit(32)::int8) FROM orders WHERE state = 'paid'";
        let last: i64 = connect(&self.cluster.url("floor")).await.query_one(last, &[]).await.unwrap().get(0);
        self.paid = u64::try_from(last).unwrap();
        assert!(self.paid + 64 < OPEN + ISSUED, "the floor has run out of orders to pay");
        sample
    }

    /// Runs a script in a database, and returns its measurements and the number of executions.
    fn run(&self, script: &Script, database: &str, clients: usize) -> (Sample, u64) {
        self.cluster.write("floor.pgbench", &script.text);
        let mut command = self.cluster.command("pgbench");
        command.env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off");
        command.args(["-n", "-M", "prepared", "-j", "1", "-U", "postgres"]).arg("-h").arg(self.cluster.host());
        command.args(["-c", &clients.to_string(), "-T", &self.seconds.to_string()]);
        command.args(script.set.iter().flat_map(|it| ["-D", it]));
        command.arg("-f").arg(self.cluster.path_of("floor.pgbench")).arg(database);
        let before = postgres_ticks(self.cluster);
        let output = command.output().unwrap();
        let ticks = postgres_ticks(self.cluster) - before;
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && said.contains(" 0 (0.000%)"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let number = |name: &str| {
            let line = said.lines().find_map(|it| it.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {said}"));
            line.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).unwrap()
        };
        let (rate, count) = (number("tps = "), number("number of transactions actually processed: "));
        let average = number("latency average = ");
        let postgres = ticks as f64 * MICROS_A_TICK / count;
        (Sample { rate, p50: average, p99: f64::NAN, server: f64::NAN, postgres }, count as u64)
    }
}

/// A `pgbench` script of statements. Constants are variables, so that they are sent with each execution.
struct Script {
    text: String,
    set: Vec<String>,
}

impl Script {
    fn new(first: &str) -> Self {
        Self { text: format!("{first}\n"), set: vec!["nothing=-".into()] }
    }

    fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        self.set.push(format!("{name}={value}"));
    }

    /// Adds a statement. A parameter that is not given is NULL, such as that of a new column.
    fn add(&mut self, sql: &str, parameters: &[(&str, Given)]) {
        let lines: Vec<&str> = sql.lines().filter(|it| !it.starts_with("--")).collect();
        let mut text = lines.join("\n");
        let is_given = |name: &str| parameters.iter().any(|it| it.0 == name);
        for name in names(&text).into_iter().filter(|it| !is_given(it)) {
            text = with(&text, &name, "", "nullif(:nothing::text, '-')");
        }
        for (name, parameter) in parameters {
            text = match parameter {
                Fixed(value) => {
                    self.set(name, value);
                    // Each use is a parameter of its own, and here nothing else says of which type.
                    with(&text, name, " IS NOT NULL", &format!(":{name}::text IS NOT NULL"))
                }
                Null => with(&text, name, "", "nullif(:nothing::text, '-')"),
                Each(expression) => with(&text, name, "", expression),
            };
        }
        writeln!(self.text, "{text};").unwrap();
    }
}

/// Names of the SQL's parameters. Two colons are a type cast.
fn names(sql: &str) -> BTreeSet<String> {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let pieces: Vec<&str> = sql.split(':').collect();
    let after_one = pieces.windows(2).filter(|it| !it[0].is_empty()).map(|it| it[1]);
    after_one.map(|it| it.split(|it| !is_of_name(it)).next().unwrap().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// The SQL with `value` in place of each use of a parameter that `next` follows.
fn with(sql: &str, name: &str, next: &str, value: &str) -> String {
    let name = format!(":{name}");
    let mut pieces = sql.split(&name);
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let is_longer = piece.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        match piece.strip_prefix(next) {
            Some(rest) if !is_longer => write!(text, "{value}{rest}").unwrap(),
            _ => write!(text, "{name}{piece}").unwrap(),
        }
    }
    text
}

/// CPU time of the database in ticks, of all its current and former processes.
fn postgres_ticks(cluster: &Cluster) -> u64 {
    let parent = cluster.pid();
    let own = stat(parent).map_or(0, |it| it[11..15].iter().sum::<u64>());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let children = processes.filter_map(|it| stat(it.file_name().to_str()?.parse().ok()?));
    own + children.filter(|it| it[1] == u64::from(parent)).map(|it| it[11] + it[12]).sum::<u64>()
}

async fn measured(cluster: &Cluster, row: impl Future<Output = Row>) -> Sample {
    let before = postgres_ticks(cluster);
    let row = row.await;
    let postgres = (postgres_ticks(cluster) - before) as f64 * MICROS_A_TICK / row.count;
    Sample { rate: row.rate, p50: row.p50, p99: row.p99, server: row.cpu, postgres }
}

/// Measurements of one run of one row.
struct Sample {
    rate: f64,
    p50: f64,
    p99: f64,
    server: f64,
    postgres: f64,
}

/// Each row's figures over all rounds: rate, p50, p99, server, postgres, ratios to the floor and to the bare one.
#[derive(Default)]
struct Table {
    names: Vec<&'static str>,
    rows: BTreeMap<&'static str, Vec<[f64; 7]>>,
}

impl Table {
    fn add(&mut self, name: &'static str, sample: &Sample, floors: Option<(&Sample, &Sample)>) {
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        let (of_floor, of_bare) =
            floors.map_or((f64::NAN, f64::NAN), |(it, bare)| (sample.rate / it.rate, sample.rate / bare.rate));
        let figures = [sample.rate, sample.p50, sample.p99, sample.server, sample.postgres, of_floor, of_bare];
        self.rows.entry(name).or_default().push(figures);
    }

    fn print(&self, connections: usize) {
        for name in &self.names {
            let rounds = &self.rows[name];
            let figure = |n: usize, decimals: usize| {
                let mut values: Vec<f64> = rounds.iter().map(|it| it[n]).collect();
                values.sort_by(f64::total_cmp);
                let median = values[values.len() / 2];
                if median.is_nan() { "-".into() } else { format!("{median:.decimals$}") }
            };
            println!(
                "{name:<38} {connections:>5} {:>9} {:>8} {:>8} {:>10} {:>10} {:>9} {:>8}",
                figure(0, 0),
                figure(1, 2),
                figure(2, 2),
                figure(3, 0),
                figure(4, 0),
                figure(5, 2),
                figure(6, 2)
            );
        }
    }
}
