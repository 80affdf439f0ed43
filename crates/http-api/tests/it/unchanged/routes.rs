//! Every route, with a valid request.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::worlds::Stage;

/// Dialect that a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Shop,
    Storefront,
    Platform,
    Other,
}

/// Route, and a valid request to it at a stage. Names in braces are replaced by those of the world: see
/// [`super::worlds`].
pub(super) struct Route {
    pub(super) dialect: Dialect,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) stage: Stage,
    pub(super) body: Value,
    /// Required fields.
    pub(super) required: Vec<&'static str>,
    /// Whether unknown fields are refused.
    pub(super) closed: bool,
    /// Whether an `Idempotency-Key` is read.
    pub(super) keyed: bool,
    /// Invalid queries.
    pub(super) queries: Vec<&'static str>,
    /// Invalid headers.
    pub(super) headers: Vec<(&'static str, &'static str)>,
}

impl Route {
    fn new(method: &Method, path: &'static str, stage: Stage, body: Value) -> Self {
        let dialect = match path {
            _ if path.starts_with("/api/v1/shop") => Dialect::Shop,
            _ if path.starts_with("/api/v2/storefront") => Dialect::Storefront,
            _ if path.starts_with("/api/v2/platform") => Dialect::Platform,
            _ => Dialect::Other,
        };
        let (method, closed) = (method.clone(), dialect == Dialect::Shop);
        let (required, queries, headers) = (Vec::new(), Vec::new(), Vec::new());
        Self { dialect, method, path, stage, body, required, closed, keyed: false, queries, headers }
    }

    /// Whether the call is for applications only, and refuses a bearer token.
    pub(super) fn refuses_bearers(&self) -> bool {
        matches!(self.stage, Stage::Endpoint | Stage::Books | Stage::Held | Stage::RefundFailed)
    }

    fn required(self, required: &[&'static str]) -> Self {
        Self { required: required.to_vec(), ..self }
    }

    fn keyed(self) -> Self {
        Self { keyed: true, ..self }
    }

    fn queries(self, queries: &[&'static str]) -> Self {
        Self { queries: queries.to_vec(), ..self }
    }

    fn headers(self, headers: &[(&'static str, &'static str)]) -> Self {
        Self { headers: headers.to_vec(), ..self }
    }
}

/// All routes.
pub(super) fn routes() -> Vec<Route> {
    [shop(), books(), feed(), cart(), checkout(), account(), stripe(), platform(), others()]
        .into_iter()
        .flatten()
        .collect()
}

fn line() -> Value {
    json!({ "name": "Mug", "amount": 1200, "quantity": 2, "description": "A mug", "sku": "MUG-1" })
}

fn shop() -> Vec<Route> {
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    let discount = json!({ "kind": "discount", "label": "Spring", "amount": 100 });
    let order = json!({ "currency": "usd", "customer": "ada", "email": "ada@example.com", "line_items": [line()],
        "adjustments": [discount], "capture": "manual", "metadata": { "k": "v" } });
    let edit = json!({ "email": "ada@example.com", "line_items": [line()], "adjustments": [discount],
        "metadata": { "k": "v" } });
    let refund = json!({ "amount": "1.00", "reason": "duplicate", "payment_intent": "{intent}" });
    let of_line = ["/line_items/0/name", "/line_items/0/amount", "/line_items/0/quantity"];
    let of_adjustment = ["/adjustments/0/kind", "/adjustments/0/label", "/adjustments/0/amount"];
    let needed = [&["/currency", "/line_items"][..], &of_line, &of_adjustment].concat();
    let lists = ["limit=0", "limit=101", "limit=x", "cursor=x", "customer=a%20b", "color=x", "limit=1&limit=1"];
    let acceptance = json!({ "anomaly": "amount_differs", "note": "a voucher", "amount": "1.00" });
    vec![
        Route::new(&post, "/api/v1/shop/orders", Stage::Placed, order).required(&needed).keyed(),
        Route::new(&get, "/api/v1/shop/orders", Stage::Placed, Value::Null).queries(&lists),
        Route::new(&get, "/api/v1/shop/orders/{order}", Stage::Placed, Value::Null),
        Route::new(&patch, "/api/v1/shop/orders/{order}", Stage::Placed, edit).required(&needed[2..]),
        Route::new(&post, "/api/v1/shop/orders/{order}/cancel", Stage::Placed, json!({ "reason": "duplicate" })),
        Route::new(&post, "/api/v1/shop/orders/{order}/accept", Stage::Held, acceptance)
            .required(&["/anomaly", "/note"]),
        Route::new(&post, "/api/v1/shop/orders/{order}/capture", Stage::Authorized, json!({ "amount": "1.00" })),
        Route::new(&post, "/api/v1/shop/orders/{order}/refunds", Stage::Paid, refund).keyed(),
        Route::new(&get, "/api/v1/shop/orders/{order}/refunds", Stage::Paid, Value::Null),
        Route::new(
            &post,
            "/api/v1/shop/orders/{order}/refunds/{refund}/close",
            Stage::RefundFailed,
            json!({ "note": "in cash" }),
        )
        .required(&["/note"]),
        Route::new(&get, "/api/v1/shop/orders/{order}/explain", Stage::Paid, Value::Null),
        Route::new(&post, "/api/v1/shop/orders/{order}/payment-intent", Stage::Placed, Value::Null),
        Route::new(&post, "/api/v1/shop/orders/{order}/payment", Stage::Paying, Value::Null),
    ]
}

fn books() -> Vec<Route> {
    let (get, post) = (Method::GET, Method::POST);
    let at = |method: &Method, path: &'static str, body: Value| Route::new(method, path, Stage::Books, body);
    let of_statement = ["period=2025-03", "format=xml", "color=x"];
    let of_payouts = [
        "created_from=x",
        "created_until=2025-02-30",
        "created_from=2023-01-01",
        "created_from=2026-01-01",
        "cursor=x",
        "limit=0",
        "limit=101",
        "color=x",
        "limit=1&limit=1",
    ];
    let of_breaks = ["status=x", "limit=0", "limit=1001", "cursor=x", "status=all&status=all"];
    let resolution = json!({ "id": crate::books::OPEN_BREAK, "note": "x" });
    vec![
        at(&get, "/api/v1/shop/books/statement?period=2025-03", Value::Null).queries(&of_statement),
        at(&get, "/api/v1/shop/books/payouts", Value::Null).queries(&of_payouts),
        at(&get, "/api/v1/shop/books/payouts/{payout}", Value::Null),
        at(&get, "/api/v1/shop/books/breaks", Value::Null).queries(&of_breaks),
        at(&post, "/api/v1/shop/books/breaks/resolve", resolution).required(&["/id", "/note"]),
        at(&get, "/api/v1/shop/orders/{order}/ledger", Value::Null),
    ]
}

fn feed() -> Vec<Route> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let new = json!({ "url": "https://example.com/hooks", "description": "x", "types": ["order.paid"], "after": 0 });
    let edit =
        json!({ "url": "https://example.com/hooks", "description": "x", "types": ["order.paid", "order.placed"] });
    let of_events = [
        "after=x",
        "after=-1",
        "after=2",
        "limit=0",
        "limit=101",
        "types=",
        "types=x",
        "types=order.paid,*",
        "types=order.paid,",
        "order=x",
        "wait=31",
        "wait=x",
        "color=x",
        "after=0&after=0",
    ];
    let pages = ["limit=0", "limit=101", "cursor=x", "color=x", "limit=1&limit=1"];
    let of_attempts =
        [&pages[..], &["outcome=x", "cursor=1.x", "cursor=x.00000000-0000-4000-8000-000000000000"]].concat();
    let of_audit = [&pages[..], &["subject=", "key=x"]].concat();
    let at = |method: &Method, path: &'static str, body: Value| Route::new(method, path, Stage::Endpoint, body);
    vec![
        at(&get, "/api/v1/shop/audit_entries", Value::Null).queries(&of_audit),
        at(&get, "/api/v1/shop/events", Value::Null).queries(&of_events),
        at(&post, "/api/v1/shop/webhook_endpoints", new).required(&["/url"]),
        at(&get, "/api/v1/shop/webhook_endpoints", Value::Null).queries(&pages),
        at(&get, "/api/v1/shop/webhook_endpoints/{endpoint}", Value::Null),
        at(&patch, "/api/v1/shop/webhook_endpoints/{endpoint}", edit),
        at(&delete, "/api/v1/shop/webhook_endpoints/{endpoint}", Value::Null),
        at(&post, "/api/v1/shop/webhook_endpoints/{endpoint}/rotate_secret", json!({ "overlap_seconds": 60 })),
        at(&post, "/api/v1/shop/webhook_endpoints/{endpoint}/disable", Value::Null),
        at(&post, "/api/v1/shop/webhook_endpoints/{endpoint}/enable", Value::Null),
        at(&post, "/api/v1/shop/webhook_endpoints/{endpoint}/test", Value::Null),
        at(&post, "/api/v1/shop/webhook_endpoints/{endpoint}/resend", json!({ "position": 1 }))
            .required(&["/position"]),
        at(&post, "/api/v1/shop/webhook_endpoints/{endpoint}/replay", json!({ "after": 0 })).required(&["/after"]),
        at(&get, "/api/v1/shop/webhook_endpoints/{endpoint}/attempts", Value::Null).queries(&of_attempts),
    ]
}

fn cart() -> Vec<Route> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let item = json!({ "variant_id": "bone", "quantity": 2 });
    let quantity = json!({ "line_item_id": "{line}", "quantity": 3 });
    let coupon = json!({ "coupon_code": "ten" });
    vec![
        Route::new(&post, "/api/v2/storefront/cart", Stage::Cart, json!({ "public_metadata": { "k": "v" } })),
        Route::new(&get, "/api/v2/storefront/cart", Stage::Cart, Value::Null),
        Route::new(&delete, "/api/v2/storefront/cart", Stage::Cart, Value::Null),
        Route::new(&post, "/api/v2/storefront/cart/add_item", Stage::Cart, item).required(&["/variant_id"]),
        Route::new(&patch, "/api/v2/storefront/cart/set_quantity", Stage::Cart, quantity)
            .required(&["/line_item_id", "/quantity"]),
        Route::new(&delete, "/api/v2/storefront/cart/remove_line_item/{line}", Stage::Cart, Value::Null),
        Route::new(&patch, "/api/v2/storefront/cart/empty", Stage::Cart, Value::Null),
        Route::new(&patch, "/api/v2/storefront/cart/apply_coupon_code", Stage::Cart, coupon)
            .required(&["/coupon_code"]),
        Route::new(&delete, "/api/v2/storefront/cart/remove_coupon_code", Stage::Coupon, Value::Null),
        Route::new(&delete, "/api/v2/storefront/cart/remove_coupon_code/{code}", Stage::Coupon, Value::Null),
        Route::new(&get, "/api/v2/storefront/cart/estimate_shipping_rates?country_iso=US", Stage::Cart, Value::Null)
            .queries(&["country_iso=x"]),
        Route::new(
            &patch,
            "/api/v2/storefront/cart/associate",
            Stage::Guest,
            json!({ "guest_order_token": "{guest}" }),
        )
        .required(&["/guest_order_token"]),
        Route::new(&patch, "/api/v2/storefront/cart/change_currency", Stage::Cart, json!({ "new_currency": "EUR" }))
            .required(&["/new_currency"]),
    ]
}

fn address() -> Value {
    json!({ "country_iso": "US", "firstname": "Ada", "lastname": "Lovelace", "address1": "1 Analytical Way",
        "address2": "", "company": "", "label": "Home", "city": "New York", "zipcode": "10001",
        "state_name": "New York", "phone": "555-0100", "quick_checkout": false })
}

fn checkout() -> Vec<Route> {
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    let order = json!({ "order": { "email": "eve@example.com", "special_instructions": "Ring twice",
            "bill_address_attributes": address(), "ship_address_attributes": address(), "use_billing": false,
            "use_shipping": "false", "coupon_code": "ten", "existing_card": "pm_ada",
            "shipments_attributes": [{ "selected_shipping_rate_id": "post" }],
            "payments_attributes": [{ "payment_method_id": "stripe",
                "source_attributes": { "gateway_payment_profile_id": "pm_1" } }] },
        "payment_source": { "stripe": { "gateway_payment_profile_id": "pm_2" } }, "do_not_change_state": 0 });
    let rate = json!({ "shipping_method_id": "post", "shipment_id": "{cart}" });
    let saved = json!({ "payment_method_id": "stripe", "source_id": "pm_ada", "amount": "39.90" });
    let fresh = json!({ "payment_method_id": "stripe",
        "source_attributes": { "gateway_payment_profile_id": "pm_1" } });
    vec![
        Route::new(&patch, "/api/v2/storefront/checkout", Stage::Cart, order.clone()).required(&[
            "/order/ship_address_attributes/country_iso",
            "/order/ship_address_attributes/firstname",
            "/order/bill_address_attributes/city",
            "/order/payments_attributes/0/payment_method_id",
        ]),
        Route::new(
            &Method::PUT,
            "/api/v2/storefront/checkout",
            Stage::Cart,
            json!({ "order": { "email": "eve@example.com" } }),
        ),
        Route::new(&patch, "/api/v2/storefront/checkout/next", Stage::Address, Value::Null),
        Route::new(&patch, "/api/v2/storefront/checkout/advance", Stage::Address, {
            json!({ "state": "payment", "quick_checkout": "0" })
        }),
        Route::new(&patch, "/api/v2/storefront/checkout/complete", Stage::IntentPaid, Value::Null),
        Route::new(&post, "/api/v2/storefront/checkout/validate_order_for_payment", Stage::Cart, {
            json!({ "skip_state": true })
        }),
        Route::new(&get, "/api/v2/storefront/checkout/payment_methods", Stage::Cart, Value::Null),
        Route::new(&get, "/api/v2/storefront/checkout/shipping_rates", Stage::Cart, Value::Null),
        Route::new(&patch, "/api/v2/storefront/checkout/select_shipping_method", Stage::Cart, rate)
            .required(&["/shipping_method_id"]),
        Route::new(&post, "/api/v2/storefront/checkout/create_payment", Stage::Cart, saved)
            .required(&["/payment_method_id"]),
        Route::new(&post, "/api/v2/storefront/checkout/create_payment", Stage::Cart, fresh)
            .required(&["/payment_method_id"]),
    ]
}

fn account() -> Vec<Route> {
    let (get, delete) = (Method::GET, Method::DELETE);
    let pages = ["sort=x", "page=x", "page=1.5", "per_page=x", "sort[]=x", "page[]=1"];
    vec![
        Route::new(&get, "/api/v2/storefront/order_status/{number}", Stage::Complete, Value::Null),
        Route::new(&get, "/api/v2/storefront/account/orders", Stage::Complete, Value::Null).queries(&pages),
        Route::new(&get, "/api/v2/storefront/account/orders/{number}", Stage::Complete, Value::Null),
        Route::new(&get, "/api/v2/storefront/account/credit_cards", Stage::Cart, Value::Null),
        Route::new(&get, "/api/v2/storefront/account/credit_cards/default", Stage::Cart, Value::Null),
        Route::new(&get, "/api/v2/storefront/account/credit_cards/{card}", Stage::Cart, Value::Null),
        Route::new(&delete, "/api/v2/storefront/account/credit_cards/{card}", Stage::Cart, Value::Null),
    ]
}

fn stripe() -> Vec<Route> {
    let (get, post, patch, put) = (Method::GET, Method::POST, Method::PATCH, Method::PUT);
    let wish = json!({ "payment_intent": { "stripe_payment_method_id": "pm_1", "off_session": false } });
    let due = json!({ "payment_intent": { "stripe_payment_method_id": "pm_2", "amount": "39.90" } });
    let (intents, intent) =
        ("/api/v2/storefront/stripe/payment_intents", "/api/v2/storefront/stripe/payment_intents/{intent}");
    let confirm = "/api/v2/storefront/stripe/payment_intents/{intent}/confirm";
    vec![
        Route::new(&post, intents, Stage::Cart, wish.clone()).required(&["/payment_intent"]),
        Route::new(&get, intents, Stage::Intent, Value::Null),
        Route::new(&get, intent, Stage::Intent, Value::Null),
        Route::new(&patch, intent, Stage::Intent, due.clone()).required(&["/payment_intent"]),
        Route::new(&put, intent, Stage::Intent, due).required(&["/payment_intent"]),
        Route::new(&patch, confirm, Stage::IntentPaid, Value::Null),
        Route::new(&post, confirm, Stage::IntentPaid, Value::Null),
        Route::new(&post, "/api/v2/storefront/stripe/setup_intents", Stage::Cart, Value::Null),
    ]
}

/// Queries that every list of the Platform API refuses.
const WRONG_LISTS: [&str; 8] =
    ["per_page=0", "per_page=x", "per_page=501", "page=0", "filter[odd]=1", "filter=1", "odd=1", "sort=odd"];

fn platform() -> Vec<Route> {
    [platform_orders(), subscribers(), price_list()].into_iter().flatten().collect()
}

fn platform_orders() -> Vec<Route> {
    let (get, patch) = (Method::GET, Method::PATCH);
    let edit = json!({ "order": { "email": "ada@example.com", "public_metadata": { "erp": "7" } } });
    vec![
        Route::new(&get, "/api/v2/platform/orders", Stage::Paid, Value::Null).queries(&WRONG_LISTS),
        Route::new(&get, "/api/v2/platform/orders/{order}", Stage::Paid, Value::Null),
        Route::new(&patch, "/api/v2/platform/orders/{order}", Stage::Placed, edit).required(&["/order"]),
        Route::new(&patch, "/api/v2/platform/orders/{order}/cancel", Stage::Placed, Value::Null),
        Route::new(&patch, "/api/v2/platform/orders/{order}/approve", Stage::Paid, Value::Null),
        Route::new(&get, "/api/v2/platform/payments?filter[order_id_eq]={order}", Stage::Paid, Value::Null)
            .queries(&WRONG_LISTS),
        Route::new(&get, "/api/v2/platform/payments/{payment}", Stage::Paid, Value::Null),
        Route::new(&get, "/api/v2/platform/line_items?filter[order_id_eq]={order}", Stage::Paid, Value::Null)
            .queries(&WRONG_LISTS),
        Route::new(&get, "/api/v2/platform/line_items/{line}", Stage::Paid, Value::Null),
        Route::new(&get, "/api/v2/platform/adjustments?filter[order_id_eq]={order}", Stage::Paid, Value::Null)
            .queries(&WRONG_LISTS),
        Route::new(&get, "/api/v2/platform/adjustments/{adjustment}", Stage::Paid, Value::Null),
    ]
}

fn subscribers() -> Vec<Route> {
    let (get, post, put, patch, delete) = (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let one_subscriber = "/api/v2/platform/webhooks/subscribers/{subscriber}";
    let subscriber = json!({ "subscriber": {
        "url": "https://example.com/erp", "active": false, "subscriptions": ["order.paid"],
    } });
    vec![
        Route::new(&post, "/api/v2/platform/webhooks/subscribers", Stage::Endpoint, subscriber.clone())
            .required(&["/subscriber", "/subscriber/url"]),
        Route::new(&get, "/api/v2/platform/webhooks/subscribers", Stage::Endpoint, Value::Null).queries(&WRONG_LISTS),
        Route::new(&get, one_subscriber, Stage::Endpoint, Value::Null),
        Route::new(&patch, one_subscriber, Stage::Endpoint, subscriber.clone()).required(&["/subscriber"]),
        Route::new(&put, one_subscriber, Stage::Endpoint, subscriber).required(&["/subscriber"]),
        Route::new(&delete, one_subscriber, Stage::Endpoint, Value::Null),
        Route::new(&get, "/api/v2/platform/webhooks/events", Stage::Endpoint, Value::Null).queries(&WRONG_LISTS),
    ]
}

fn price_list() -> Vec<Route> {
    let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
    let variant = json!({ "id": "mug", "name": "Mug", "sku": "MUG-1", "description": "A mug", "active": true,
        "prices": { "usd": "12.00" } });
    let terms = json!({ "terms": {
        "shipping": [{ "id": "post", "name": "Post", "countries": ["DE"], "prices": { "usd": 490 } }],
        "taxes": [{ "name": "VAT", "country": "DE", "percent": "19", "included": true, "on_shipping": true }],
        "coupons": [
            { "code": "ten", "name": "Ten", "discount": { "percent": "10" }, "expires_at": 1_743_415_050 },
            { "code": "five", "name": "Five", "discount": { "amount": { "usd": 500 } } },
        ],
    } });
    let of_terms = [
        "/terms",
        "/terms/shipping/0/id",
        "/terms/shipping/0/name",
        "/terms/shipping/0/prices",
        "/terms/taxes/0/country",
        "/terms/taxes/0/percent",
        "/terms/coupons/0/code",
        "/terms/coupons/0/discount",
        "/terms/coupons/0/discount/percent",
    ];
    let of_variant = ["/variants", "/variants/0/id", "/variants/0/name", "/variants/0/prices"];
    let pages = ["per_page=0", "per_page=x", "per_page=501", "after=a%20b", "per_page[]=1"];
    vec![
        Route::new(&get, "/api/v2/platform/variants", Stage::Cart, Value::Null).queries(&pages),
        Route::new(&put, "/api/v2/platform/variants", Stage::Cart, json!({ "variants": [variant] }))
            .required(&of_variant),
        Route::new(&get, "/api/v2/platform/variants/{variant}", Stage::Cart, Value::Null),
        Route::new(&put, "/api/v2/platform/variants/{variant}", Stage::Cart, {
            json!({ "variant": { "name": "Mug", "active": false, "prices": { "EUR": "12.00" } } })
        })
        .required(&["/variant", "/variant/name", "/variant/prices"]),
        Route::new(&delete, "/api/v2/platform/variants/{variant}", Stage::Cart, Value::Null),
        Route::new(&get, "/api/v2/platform/terms", Stage::Cart, Value::Null),
        Route::new(&put, "/api/v2/platform/terms", Stage::Cart, terms).required(&of_terms),
    ]
}

fn others() -> Vec<Route> {
    let (get, post) = (Method::GET, Method::POST);
    vec![
        Route::new(&get, "/demo", Stage::Cart, Value::Null),
        Route::new(&get, "/demo/explain", Stage::Intent, Value::Null),
        Route::new(&post, "/webhooks/stripe", Stage::Placed, Value::Null).headers(&[
            ("stripe-signature", "bad"),
            ("stripe-signature", "thin"),
            ("stripe-signature", "\u{e9}"),
        ]),
        Route::new(&post, "/spree_oauth/token", Stage::Placed, {
            json!({ "grant_type": "client_credentials", "client_id": "{key_id}", "client_secret": "{key}",
                "scope": "admin" })
        })
        .required(&["/grant_type", "/client_id", "/client_secret"]),
        Route::new(&get, "/healthz", Stage::Placed, Value::Null),
        Route::new(&get, "/metrics", Stage::Placed, Value::Null),
        Route::new(&get, "/readyz", Stage::Placed, Value::Null).queries(&["verbose&verbose"]),
    ]
}
