//! The console of the built program: signing in, and its pages in a browser.

use futures_util::future::join_all;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Dev, TIMEOUT, answer, run};
use crate::served::Served;
use crate::spree::{browser, node};

/// Folder of the settings that `dev` writes.
const SETTINGS: &str = ".paywright/paywright.toml";

struct Shop {
    dev: Dev,
    /// Link that `dev` printed.
    link: String,
    /// Client that follows no redirect.
    http: Client,
    folder: TempDir,
}

impl Shop {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let dev = Dev::start(&folder, &[]);
        let printed = dev.process.printed(|it| it.contains("/console/sign-in/pwl_"));
        let link = printed.last().unwrap().clone();
        let http = Client::builder().timeout(TIMEOUT).no_proxy().redirect(Policy::none()).build().unwrap();
        Self { dev, link, http, folder }
    }

    fn url(&self) -> &str {
        self.dev.api.strip_suffix("/api/v1/shop").unwrap()
    }

    fn command(&self, arguments: &[&str]) -> (bool, String, String) {
        run(&[arguments, &["--config", SETTINGS]].concat(), &[], self.folder.path())
    }

    /// Link for an operator with a role.
    fn link(&self, operator: &str, role: &str) -> String {
        let (done, printed, failed) = self.command(&["console", "link", "--operator", operator, "--role", role]);
        assert!(done, "{failed}");
        assert!(printed.contains(&format!("{operator} signs in with the role {role} once, within ten minutes, at:")));
        printed.lines().last().unwrap().to_owned()
    }

    async fn post(&self, path: &str, cookie: &str, form: &str) -> Response {
        let request = self.http.post(format!("{}{path}", self.url())).header(COOKIE, cookie).body(form.to_owned());
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
    }

    async fn get(&self, path: &str, cookie: &str) -> (StatusCode, String) {
        let answer = self.http.get(format!("{}{path}", self.url())).header(COOKIE, cookie).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Signs in by a link, and returns the cookie.
    async fn sign_in(&self, link: &str) -> String {
        let answer = self.post("/console/sign-in", "", &format!("token={}", token(link))).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        cookie(&answer)
    }

    /// An order as a shop has it, for the picture in the README: paid, and refunded in part. Returns its number.
    async fn shown(&self) -> String {
        let order = json!({
            "currency": "usd", "customer": "cus-ada", "email": "grace@example.com",
            "line_items": [
                { "name": "Teapot, cast iron", "amount": 3400, "quantity": 2, "sku": "TEA-01", "description": "0.8 l" },
                { "name": "Cup", "amount": 1250, "quantity": 4, "sku": "CUP-7" },
            ],
            "adjustments": [
                { "kind": "discount", "label": "WELCOME10", "amount": 1180 },
                { "kind": "shipping", "label": "Courier", "amount": 825 },
                { "kind": "tax", "label": "Sales tax", "amount": 943 },
            ],
        });
        let placed = self.dev.call(Method::POST, "/orders", Some(&order)).await.body["data"].clone();
        let made = self.dev.intent(&placed).await;
        self.dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_visa").await;
        self.dev.read_until_settled(&placed).await;
        let path = format!("/orders/{}/refunds", placed["id"].as_str().unwrap());
        let refund = json!({ "amount": "12.50", "reason": "requested_by_customer" });
        assert_eq!(self.dev.call(Method::POST, &path, Some(&refund)).await.status, 201);
        placed["number"].as_str().unwrap().to_owned()
    }

    /// A paid order whose refund of the whole payment has failed at the customer's bank.
    async fn returned(&self, order: &Value) -> Value {
        let made = self.dev.intent(order).await;
        self.dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_refundFail").await;
        let order = self.dev.read_until(order, |it| it["status"] == "paid").await;
        let path = format!("/orders/{}/refunds", order["id"].as_str().unwrap());
        assert_eq!(self.dev.call(Method::POST, &path, None).await.status, 201);
        self.dev.read_until(&order, |it| it["refunds"][0]["status"] == "failed").await
    }

    /// An order whose PaymentIntent another program has changed to another amount, in minor units, before it was paid.
    async fn held(&self, order: &Value, minor: i64) -> Value {
        let made = self.dev.intent(order).await;
        let intent = made.body["data"]["id"].as_str().unwrap();
        let request =
            self.http.post(format!("{}/v1/payment_intents/{intent}", self.dev.twin)).bearer_auth("sk_test_twin");
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("amount={minor}&amount_details="));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        self.dev.confirm(intent, "pm_card_visa").await;
        // Until Stripe has confirmed it, it cannot be accepted.
        self.dev
            .read_until(order, |it| it["payment_status"] == "review" && !it["payment_intent"]["confirmed_at"].is_null())
            .await
    }

    /// Has the twin pay out what was sold, and the books read it. Returns the payout's id.
    async fn payout(&self) -> String {
        let form = |path: &str, body: &str| {
            let request = self.http.post(format!("{}{path}", self.dev.twin)).bearer_auth("sk_test_twin");
            request.header("content-type", "application/x-www-form-urlencoded").body(body.to_owned())
        };
        for (path, body) in [("/_twin/account", "payouts=daily"), ("/_twin/clock", "advance=345600")] {
            assert_eq!(form(path, body).send().await.unwrap().status(), StatusCode::OK, "{path}");
        }
        let (_, printed, failed) = self.command(&["books", "reconcile"]);
        let url = format!("{}/v1/payouts", self.dev.twin);
        let listed: Value = answer(self.http.get(url).bearer_auth("sk_test_twin")).await.body;
        let id = listed["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed} {printed} {failed}"));
        id.to_owned()
    }

    /// Pays an order, and returns it.
    async fn pay(&self, order: &Value, is_done: impl Fn(&Value) -> bool) -> Value {
        let made = self.dev.intent(order).await;
        self.dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_visa").await;
        self.dev.read_until(order, is_done).await
    }
}

fn token(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

/// Cookie that an answer sets, as a browser sends it.
fn cookie(answer: &Response) -> String {
    answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Value of a hidden field of a page.
fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("the page has the field");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_is_spent_by_one_of_many_and_not_by_a_preview() {
    let shop = Shop::open();
    let link = shop.link("Ada", "refund");
    for _ in 0..3 {
        let page = shop.http.get(&link).send().await.unwrap().text().await.unwrap();
        assert!(page.contains("<bdi>Ada</bdi> with the role <strong>refund</strong>"), "{page}");
    }
    let form = format!("token={}", token(&link));
    let answers = join_all((0..16).map(|_| shop.post("/console/sign-in", "", &form))).await;
    let begun: Vec<&Response> = answers.iter().filter(|it| it.status() == StatusCode::SEE_OTHER).collect();
    assert_eq!(begun.len(), 1);
    assert!(answers.iter().all(|it| [303, 401].contains(&it.status().as_u16())));
    let set = begun[0].headers()[SET_COOKIE].to_str().unwrap();
    assert!(set.ends_with("; Path=/console; HttpOnly; SameSite=Strict"), "{set}");
    assert_eq!(begun[0].headers()[LOCATION], "/console/today");
    // By another name than this machine's own, over HTTPS alone.
    let link = shop.link("Ada", "view");
    let url = format!("{}/console/sign-in", shop.url());
    let request = shop.http.post(url).header("host", "pay.shop.example").body(format!("token={}", token(&link)));
    let answer = request.send().await.unwrap();
    assert!(answer.headers()[SET_COOKIE].to_str().unwrap().contains("; SameSite=Strict; Secure"));
    let (done, printed, _) = shop.command(&["console", "sessions"]);
    assert!(done && printed.lines().count() == 2, "{printed}");
}

#[tokio::test]
async fn every_act_is_in_the_audit_trail_with_its_operator() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link("Grace Hopper", "refund")).await;
    let order = shop.dev.place().await;
    let order = shop.pay(&order, |it| it["payment_status"] == "paid").await;
    let path = format!("/console/orders/{}", order["id"].as_str().unwrap());
    let (status, page) = shop.get(&path, &cookie).await;
    assert_eq!(status, StatusCode::OK);
    let fields = ["csrf", "seen", "key", "payment_intent"].map(|it| format!("{it}={}", field(&page, it))).join("&");
    // Without its own token, a form is refused.
    let forged = fields.replacen("csrf=", "csrf=0", 1);
    assert_eq!(shop.post(&format!("{path}/refund"), &cookie, &forged).await.status(), StatusCode::FORBIDDEN);
    let other = shop.sign_in(&shop.link("Eve", "administer")).await;
    assert_eq!(shop.post(&format!("{path}/refund"), &other, &fields).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(shop.post(&format!("{path}/refund"), "", &fields).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(shop.dev.read(&order).await["refunds"], json!([]));
    let done = shop.post(&format!("{path}/refund"), &cookie, &format!("{fields}&amount=2.50&reason=duplicate")).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(done.headers()[LOCATION], format!("{path}?done=refund-1#result").as_str());
    assert_eq!(shop.dev.read(&order).await["refunds"][0]["amount"], "2.50");
    let (_, entries, _) = shop.command(&["audit-trail"]);
    let acts = |name: &str| entries.lines().filter(|it| it.contains(name)).collect::<Vec<_>>();
    let refunds = acts("refund.requested");
    assert_eq!(refunds.len(), 1, "{entries}");
    assert!(refunds[0].contains("by operator Grace Hopper from 127.0.0.1"), "{entries}");
    assert_eq!(acts("console.link_created").len(), 3);
    assert_eq!(acts("console.signed_in").len(), 2);
    assert!(acts("console.signed_in").iter().all(|it| it.contains("by operator ")), "{entries}");
    assert!(!entries.contains("pwl_") && !shop.dev.process.logged().contains(token(&shop.link)));
    // A session that is ended by a command is at an end at once.
    let (_, sessions, _) = shop.command(&["console", "sessions"]);
    let id = sessions.lines().find(|it| it.contains("Grace Hopper")).unwrap().split(' ').next().unwrap();
    let (ended, said, _) = shop.command(&["console", "end", id]);
    assert!(ended && said.contains("has ended"), "{said}");
    assert_eq!(shop.get(&path, &cookie).await.0, StatusCode::UNAUTHORIZED);
    assert!(!shop.command(&["console", "end", id]).0, "it has ended already");
}

/// Each page has a key of its own, and all show the same state of the order.
#[tokio::test]
async fn of_people_who_refund_at_once_one_does_and_the_others_are_told() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link("Ada", "refund")).await;
    let order = shop.dev.place().await;
    let order = shop.pay(&order, |it| it["payment_status"] == "paid").await;
    let path = format!("/console/orders/{}", order["id"].as_str().unwrap());
    let mut forms = Vec::new();
    for _ in 0..6 {
        let (_, page) = shop.get(&path, &cookie).await;
        let fields = ["csrf", "seen", "key", "payment_intent"].map(|it| format!("{it}={}", field(&page, it)));
        forms.push(format!("{}&amount=10.00", fields.join("&")));
    }
    let act = format!("{path}/refund");
    let answers = join_all(forms.iter().map(|it| shop.post(&act, &cookie, it))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|it| it.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409, 409, 409, 409, 409]);
    assert_eq!(shop.dev.read(&order).await["refunds"].as_array().unwrap().len(), 1);
}

/// Of one form that is sent many times and one of another person, one is the acceptance.
#[tokio::test]
async fn money_of_another_amount_is_accepted_once_by_a_named_person() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link("Ada", "refund")).await;
    let order = shop.dev.place().await;
    let order = shop.held(&order, 12_000).await;
    let path = format!("/console/orders/{}", order["id"].as_str().unwrap());
    let (_, page) = shop.get(&path, &cookie).await;
    let fields = ["csrf", "seen", "anomaly", "payment_intent"].map(|it| format!("{it}={}", field(&page, it))).join("&");
    let act = format!("{path}/accept");
    for (wrong, status) in [
        ("&amount=120.00&note=%20", StatusCode::UNPROCESSABLE_ENTITY),
        ("&amount=124.50&note=all+of+it", StatusCode::UNPROCESSABLE_ENTITY),
        ("&note=all+of+it", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let refused = shop.post(&act, &cookie, &format!("{fields}{wrong}")).await;
        assert_eq!(refused.status(), status, "{wrong}");
        let page = refused.text().await.unwrap();
        assert!(page.contains("Nothing was changed"), "{wrong}: {page}");
        assert_eq!(page.contains(">all of it</textarea>"), wrong.contains("all"), "what was typed is kept: {wrong}");
    }
    assert_eq!(shop.dev.read(&order).await["payment_status"], "review");
    let good = format!("{fields}&amount=120.00&note=a+coupon%0D%0Aof+4.50");
    let answers = join_all((0..4).map(|_| shop.post(&act, &cookie, &good))).await;
    for answer in &answers {
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], format!("{path}?done=accept#result").as_str());
    }
    let accepted = shop.dev.read(&order).await;
    assert_eq!((&accepted["status"], &accepted["amount"]), (&json!("paid"), &json!("124.50")));
    let (_, entries, _) = shop.command(&["audit-trail"]);
    let acts: Vec<_> = entries.lines().filter(|it| it.contains("payment_intent.accepted")).collect();
    assert_eq!(acts.len(), 1, "{entries}");
    assert!(acts[0].contains("by operator Ada") && acts[0].contains("a coupon\\nof 4.50"), "{acts:?}");
    let (_, explained, _) = shop.command(&["explain", accepted["number"].as_str().unwrap()]);
    assert!(
        explained.contains("was accepted as the payment, where 124.50 usd was due.  note: \"a coupon"),
        "{explained}"
    );
    let path = format!("/orders/{}/explain", accepted["id"].as_str().unwrap());
    let told = shop.dev.call(Method::GET, &path, None).await;
    assert!(told.status == 200 && !told.body.to_string().contains("coupon"), "customers may read it: {told:?}");
}

/// Of one form that is sent many times, one is the closing.
#[tokio::test]
async fn a_failed_refund_is_closed_once_by_a_named_person() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link("Ada", "refund")).await;
    let order = shop.dev.place().await;
    let order = shop.returned(&order).await;
    let path = format!("/console/orders/{}", order["id"].as_str().unwrap());
    let (_, page) = shop.get(&path, &cookie).await;
    let fields = ["csrf", "seen"].map(|it| format!("{it}={}", field(&page, it))).join("&");
    let act = format!("{path}/close");
    for (wrong, status) in [
        ("&refund=1&amount=124.50&note=%20", StatusCode::UNPROCESSABLE_ENTITY),
        ("&refund=1&amount=124.51&note=by+bank", StatusCode::UNPROCESSABLE_ENTITY),
        ("&refund=1&note=by+bank", StatusCode::UNPROCESSABLE_ENTITY),
        ("&refund=2&amount=124.50&note=by+bank", StatusCode::NOT_FOUND),
        ("&refund=&amount=124.50&note=by+bank", StatusCode::NOT_FOUND),
    ] {
        let refused = shop.post(&act, &cookie, &format!("{fields}{wrong}")).await;
        assert_eq!(refused.status(), status, "{wrong}");
        let page = refused.text().await.unwrap();
        assert!(page.contains("Nothing was changed"), "{wrong}: {page}");
        let is_kept = page.contains(">by bank</textarea>");
        assert_eq!(is_kept, wrong.contains("refund=1") && wrong.contains("bank"), "what was typed is kept: {wrong}");
    }
    let good = format!("{fields}&refund=1&amount=124.50&note=by+bank%0D%0Aon+Friday");
    let answers = join_all((0..4).map(|_| shop.post(&act, &cookie, &good))).await;
    for answer in &answers {
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], format!("{path}?done=close-1#result").as_str());
    }
    let other = shop.post(&act, &cookie, &format!("{fields}&refund=1&amount=1&note=another")).await;
    assert_eq!(other.headers()[LOCATION], format!("{path}?done=closed-before-1#result").as_str());
    assert!(!shop.dev.read(&order).await["refunds"][0]["closed_at"].is_null());
    let (_, page) = shop.get(&path, &cookie).await;
    assert!(!page.contains("/close\""), "{page}");
    assert!(
        page.contains("Refunds of 124.50 USD were closed"),
        "all of it can still be refunded by its amount: {page}"
    );
    let (_, entries, _) = shop.command(&["audit-trail"]);
    let acts: Vec<_> = entries.lines().filter(|it| it.contains("refund.closed")).collect();
    assert_eq!(acts.len(), 1, "{entries}");
    assert!(acts[0].contains("by operator Ada") && acts[0].contains("by bank\\non Friday"), "{acts:?}");
}

/// Charges are at Stripe alone; a charge of another program belongs to no order.
#[tokio::test]
async fn the_search_finds_an_order_by_each_of_its_names() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link("Ada", "view")).await;
    let placed = shop.dev.place().await;
    let order = shop.pay(&placed, |it| it["payment_status"] == "paid").await;
    let at_twin = async |path: &str, body: &str| -> Value {
        let request = if body.is_empty() {
            shop.http.get(format!("{}{path}", shop.dev.twin))
        } else {
            shop.http.post(format!("{}{path}", shop.dev.twin)).body(body.to_owned())
        };
        answer(request.bearer_auth("sk_test_twin")).await.body
    };
    let intent = at_twin(&format!("/v1/payment_intents/{}", order["payment_intent"]["id"].as_str().unwrap()), "").await;
    let other = "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&return_url=https://shop.example/";
    let foreign = at_twin("/v1/payment_intents", other).await;
    let search = async |charge: &str| {
        let address = format!("{}/console/orders?q={charge}", shop.url());
        shop.http.get(address).header(COOKIE, &cookie).send().await.unwrap()
    };
    let id = order["id"].as_str().unwrap();
    let names = [id, order["number"].as_str().unwrap(), intent["id"].as_str().unwrap()];
    for name in names.into_iter().chain(intent["latest_charge"].as_str()) {
        let found = search(name).await;
        assert_eq!(found.status(), StatusCode::SEE_OTHER, "{name}");
        assert_eq!(found.headers()[LOCATION], format!("/console/orders/{id}").as_str(), "{name}");
    }
    assert_eq!(search("po_1").await.headers()[LOCATION], "/console/books/payouts/po_1");
    // Names of customers, of one word too.
    for customer in ["ada", "cus_ada"] {
        let line = json!({ "name": "Tea", "amount": 500, "quantity": 1 });
        let order = json!({ "currency": "usd", "customer": customer, "line_items": [line] });
        let placed = shop.dev.call(Method::POST, "/orders", Some(&order)).await;
        let number = placed.body["data"]["number"].as_str().expect("an order").to_owned();
        let page = search(customer).await;
        assert_eq!(page.status(), StatusCode::OK, "{customer}");
        assert!(page.text().await.unwrap().contains(&number), "{customer}");
    }
    for none in [foreign["latest_charge"].as_str().unwrap(), "ch_nothing", "py_nothing", "ch_", "re_1", "nobody"] {
        let page = search(none).await;
        assert_eq!(page.status(), StatusCode::OK, "{none}");
        assert!(page.text().await.unwrap().contains("There is no such order"), "{none}");
    }
}

#[tokio::test]
async fn a_form_without_an_amount_or_of_another_site_does_nothing() {
    let shop = Shop::open();
    let link = shop.link("Ada", "refund");
    let sign_in = async |site: &str| {
        let request = shop.http.post(format!("{}/console/sign-in", shop.url())).header("sec-fetch-site", site);
        request.body(format!("token={}", token(&link))).send().await.unwrap()
    };
    for site in ["cross-site", "same-site"] {
        assert_eq!(sign_in(site).await.status(), StatusCode::FORBIDDEN, "{site}");
    }
    let cookie = cookie(&sign_in("same-origin").await);
    let placed = shop.dev.place().await;
    let path = format!("/console/orders/{}", placed["id"].as_str().unwrap());
    // The address of a page says nothing that is not so.
    for done in ["capture", "cancel", "refund-1"] {
        let (_, page) = shop.get(&format!("{path}?done={done}"), &cookie).await;
        assert!(!page.contains("id=\"result\""), "{done}: {page}");
    }
    shop.pay(&placed, |it| it["payment_status"] == "paid").await;
    let (_, page) = shop.get(&path, &cookie).await;
    let fields = ["csrf", "seen", "key", "payment_intent"].map(|it| format!("{it}={}", field(&page, it))).join("&");
    for amount in ["", "&amount=", "&amount=%20%20", "&amount=-1", "&amount=1,5"] {
        let refused = shop.post(&format!("{path}/refund"), &cookie, &format!("{fields}{amount}")).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
        assert!(refused.text().await.unwrap().contains("Nothing was changed"), "{amount}");
    }
    assert_eq!(shop.dev.read(&placed).await["refunds"], json!([]));
    // Cookies of other programs at the host are ignored.
    for others in ["theme=\u{e9}; ", "paywright_console=bad; "] {
        let both = reqwest::header::HeaderValue::from_bytes(format!("{others}{cookie}").as_bytes()).unwrap();
        let request = shop.http.get(format!("{}/console/orders", shop.url())).header(COOKIE, both);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK, "{others}");
    }
    // A person gets no JSON.
    for missing in ["/console/", "/console/nothing", "/console//orders", &format!("{path}/nothing")] {
        let (status, page) = shop.get(missing, &cookie).await;
        assert!(status == StatusCode::NOT_FOUND && page.starts_with("<!doctype html>"), "{missing}: {page}");
    }
    let (status, _) = shop.get(&format!("{path}/refund"), &cookie).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "the address of an act leads to its order");
}

#[tokio::test]
async fn an_administrator_sees_the_settings_without_secrets_and_ends_sessions() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("orders.db").display());
    let served = Served::start_with(&database, 1, false, "0", "console.enabled = true\nhttp.drain_seconds = 7").await;
    let base = format!("http://{}", served.address(0));
    let sign_in = async |operator: &str, role: &str| {
        let (done, printed, failed) = served.run(&["console", "link", "--operator", operator, "--role", role]);
        assert!(done, "{failed}");
        let form = format!("token={}", token(printed.trim_end()));
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        cookie(&http.post(format!("{base}/console/sign-in")).body(form).send().await.unwrap())
    };
    let (ada, eve) = (sign_in("Ada", "administer").await, sign_in("Eve", "view").await);
    let read = async |path: &str, cookie: &str| {
        let answer = served.http.get(format!("{base}{path}")).header(COOKIE, cookie).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (_, page) = read("/console/settings", &ada).await;
    for shown in ["<code>http.drain_seconds</code>", "7</span>", "set, not shown", "End the session of Eve", "this one"]
    {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("sk_test_") && !page.contains("orders.db"), "{page}");
    let form = format!("csrf={}&id={}", field(&page, "csrf"), field(&page, "id"));
    let end = |cookie: &str, form: &str| {
        served.http.post(format!("{base}/console/settings/end")).header(COOKIE, cookie).body(form.to_owned()).send()
    };
    let (_, of_eve) = read("/console/settings", &eve).await;
    let forged = format!("csrf={}&id={}", field(&of_eve, "csrf"), field(&page, "id"));
    assert_eq!(end(&eve, &forged).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(end(&ada, &form).await.unwrap().status(), StatusCode::OK, "it leads back to the page");
    assert_eq!(read("/console/orders", &eve).await.0, 401);
    assert_eq!(read("/console/orders", &ada).await.0, 200);
}

/// A second rotation would end the secret that the receiver has.
#[tokio::test]
async fn a_secret_is_rotated_once_however_often_the_form_is_sent() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link).await;
    let hook = json!({ "url": "http://127.0.0.1:9/hook" });
    let hook = shop.dev.call(Method::POST, "/webhook_endpoints", Some(&hook)).await.body["data"].clone();
    let path = format!("/console/endpoints/{}", hook["id"].as_str().unwrap());
    let (_, page) = shop.get(&path, &cookie).await;
    let form = format!("csrf={}&generation={}", field(&page, "csrf"), field(&page, "generation"));
    let act = format!("{path}/rotate");
    let answers = join_all((0..6).map(|_| shop.post(&act, &cookie, &form))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|it| it.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
    let (_, entries, _) = shop.command(&["audit-trail"]);
    assert_eq!(entries.matches("webhook_endpoint.secret_rotated").count(), 1, "{entries}");
}

/// Books have a break of this name in none of these calls: a note is checked first.
#[tokio::test]
async fn a_note_about_a_break_is_checked_as_by_the_api() {
    let shop = Shop::open();
    let cookie = shop.sign_in(&shop.link).await;
    let (_, page) = shop.get("/console/attention", &cookie).await;
    let csrf = field(&page, "csrf");
    let lines = "x%0D%0A".repeat(999);
    for (note, status, says) in [
        ("", 422, "note must have at least 1 character"),
        ("a%1B%5B2Jb", 422, "note must not contain control characters"),
        ("a%E2%80%AEb", 422, "note must not contain characters that reorder text"),
        // 2,000 characters, as a browser counts them.
        (&format!("{lines}xx"), 404, "no break"),
    ] {
        let answer =
            shop.post("/console/attention/resolve", &cookie, &format!("csrf={csrf}&id=amount:pi_1&note={note}")).await;
        let (found, page) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(found, status, "{note}: {page}");
        assert!(page.contains(says), "{note}: {page}");
    }
}

#[tokio::test]
async fn a_service_has_no_console_unless_that_is_set() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite:{}", folder.path().join("orders.db").display());
    let served = Served::start(&database, 1, false, "0").await;
    let (done, _, failed) = served.run(&["console", "link"]);
    assert!(!done && failed.contains("set console.enabled = true"), "{failed}");
    let dev = served.into_dev();
    let base = dev.api.strip_suffix("/api/v1/shop").unwrap();
    for path in ["/console", "/console/orders", "/console/sign-in/pwl_1"] {
        assert_eq!(dev.http.get(format!("{base}{path}")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_console_serves_people_in_a_browser() {
    let shop = Shop::open();
    let dev = &shop.dev;
    let placed = async |order: Value| {
        let placed = dev.call(Method::POST, "/orders", Some(&order)).await;
        assert_eq!(placed.status, 201, "{placed:?}");
        placed.body["data"].clone()
    };
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let line = |name: &str| json!({ "name": name, "amount": 5600, "quantity": 1, "description": name });
    let paid = placed(json!({
        "currency": "usd", "customer": "cus-ada", "email": "ada@example.com",
        "line_items": [line("<script>alert(1)</script>"), line("\u{5db}\u{5d3} \u{200f}(1)"), line(&"\u{1f375}".repeat(250))],
        "adjustments": [{ "kind": "discount", "label": "<i>10</i>", "amount": 100 }],
        "metadata": { "gift": "<b>yes</b>" },
    }))
    .await;
    let paid = shop.pay(&paid, |it| it["payment_status"] == "paid").await;
    let authorized =
        placed(json!({ "currency": "eur", "customer": "cus-ada", "capture": "manual", "line_items": [line("Tea")] }))
            .await;
    let authorized = shop.pay(&authorized, |it| it["payment_status"] == "authorized").await;
    let pot = json!({ "currency": "usd", "customer": "cus-ada", "line_items": [line("Pot")] });
    let disputed = placed(pot.clone()).await;
    let made = dev.intent(&disputed).await;
    dev.confirm(made.body["data"]["id"].as_str().unwrap(), "pm_card_createDispute").await;
    dev.read_until(&disputed, |it| it["status"] == "paid").await;
    let returned = text(&shop.returned(&placed(pot).await).await, "number");
    let held = placed(json!({ "currency": "usd", "customer": "cus-ada", "line_items": [line("Lid")] })).await;
    let held = text(&shop.held(&held, 5000).await, "number");
    let open = placed(json!({ "currency": "jpy", "line_items": [line("Cup")] })).await;
    let hook = json!({ "url": "http://127.0.0.1:9/hook", "description": "<u>ERP</u>" });
    let hook = dev.call(Method::POST, "/webhook_endpoints", Some(&hook)).await;
    assert_eq!(hook.status, 201, "{hook:?}");
    let shown = shop.shown().await;
    let payout = shop.payout().await;
    let (paid, authorized, open) = (text(&paid, "number"), text(&authorized, "number"), text(&open, "number"));
    let (endpoint, view) = (text(&hook.body["data"], "id"), shop.link("Vera", "view"));
    let environment = [
        ("PAYWRIGHT_URL", shop.url()),
        ("LINK_ADMINISTER", &shop.link),
        ("LINK_VIEW", &view),
        ("PAID", &paid),
        ("AUTHORIZED", &authorized),
        ("OPEN", &open),
        ("HELD", &held),
        ("RETURNED", &returned),
        ("ENDPOINT", &endpoint),
        ("PAYOUT", &payout),
        ("SHOWN", &shown),
        ("CHROMIUM", &browser()),
    ];
    node("console", "console.test.mjs", 18, &environment, dev);
}
