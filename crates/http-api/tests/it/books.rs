//! Books over HTTP.

mod samples;

use actix_web::http::Method;
use paywright_app::{Books, BooksChanges, Scope, Statement, Version};
use paywright_domain::OrderId;
use paywright_testkit::MockGateway;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Answer, ORDERS, Service};
pub(crate) use samples::{OPEN_BREAK, keep_books};
use samples::{closed_day, state};

const BOOKS: &str = "/api/v1/shop/books";

/// Service with the books of an order that was placed.
async fn with_books() -> (Service, Value) {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    keep_books(&service.store, placed["id"].as_str().unwrap()).await;
    (service, placed)
}

async fn get(service: &Service, path: &str) -> Answer {
    service.call(Method::GET, path, &Value::Null).await
}

/// All calls about books, with a valid request each.
fn calls(order: &Value) -> [(Method, String, Value); 6] {
    let order = order["id"].as_str().unwrap();
    [
        (Method::GET, format!("{BOOKS}/statement?period=2025-03"), Value::Null),
        (Method::GET, format!("{BOOKS}/payouts"), Value::Null),
        (Method::GET, format!("{BOOKS}/payouts/po_1"), Value::Null),
        (Method::GET, format!("{BOOKS}/breaks"), Value::Null),
        (Method::GET, format!("{ORDERS}/{order}/ledger"), Value::Null),
        (Method::POST, format!("{BOOKS}/breaks/resolve"), json!({ "id": OPEN_BREAK, "note": "x" })),
    ]
}

#[actix_web::test]
async fn the_statement_of_a_closed_day_has_its_hash_in_each_format() {
    let (service, placed) = with_books().await;
    let closed = closed_day(OrderId(Uuid::parse_str(placed["id"].as_str().unwrap()).unwrap()));
    let statement = Statement::of_closed_day(&closed).unwrap();
    let path = format!("{BOOKS}/statement?period=2025-03-29");
    let plain = get(&service, &path).await;
    assert_eq!((plain.status, &plain.body["message"]), (200, &json!("Statement")), "{plain:?}");
    let data = &plain.body["data"];
    assert_eq!((&data["status"], &data["hash"]), (&json!("closed"), &json!(closed.hash)));
    let balance = &data["balances"][0];
    assert_eq!(
        (&balance["opening"], &balance["total_activity"], &balance["closing"]),
        (&json!(0), &json!({ "count": 1, "gross": 11_200, "fee": 355, "net": 10_845 }), &json!(10_845))
    );
    assert_eq!(get(&service, &format!("{path}&format=json")).await.body, plain.body);
    for (format, media_type, expected) in [
        ("csv", "text/csv; charset=utf-8", statement.csv().unwrap()),
        ("text", "text/plain; charset=utf-8", statement.text()),
    ] {
        let answer = get(&service, &format!("{path}&format={format}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{answer:?}");
        assert_eq!(answer.text, expected);
        assert!(answer.text.contains(&closed.hash), "{format}");
    }
}

#[actix_web::test]
async fn the_statement_of_an_open_month_has_its_payouts_and_no_hash() {
    let (service, _) = with_books().await;
    let answer = get(&service, &format!("{BOOKS}/statement?period=2025-03")).await;
    let data = &answer.body["data"];
    assert_eq!((&data["period"], &data["status"], &data["hash"]), (&json!("2025-03"), &json!("open"), &Value::Null));
    let balance = &data["balances"][0];
    assert_eq!((&balance["total_payouts"]["net"], &balance["closing"]), (&json!(-9645), &json!(0)), "{answer:?}");
    let movement = &data["payouts"][0];
    assert_eq!((&movement["payout"], &movement["balance_after"]), (&json!("po_1"), &json!(0)));
}

#[actix_web::test]
async fn a_period_without_a_statement_is_refused_with_its_reason() {
    let (service, _) = with_books().await;
    for (period, code, says) in [
        ("2025-3", "invalid_period", "must be a day such as 2026-11-24 or a month such as 2026-11"),
        ("2025-02-29", "invalid_period", "must be a day"),
        ("", "invalid_period", "must be a day"),
        ("2025-03-28", "period_before_books", "is before the books, which begin on 2025-03-29"),
        ("2025-02", "period_before_books", "begin on 2025-03-29"),
        ("2025-04-01", "period_not_begun", "has not begun: today is 2025-03-31"),
        ("2025-04", "period_not_begun", "today is 2025-03-31"),
    ] {
        let refused = get(&service, &format!("{BOOKS}/statement?period={period}")).await;
        assert_eq!((refused.status, refused.code()), (422, code), "{period}: {refused:?}");
        let field = &refused.body["error"]["fields"][0];
        assert_eq!(field["field"], "period", "{period}");
        assert!(field["problem"].as_str().unwrap().contains(says), "{period}: {refused:?}");
    }
    for (query, says) in [
        ("", "period is missing"),
        ("?period=2025-03&format=xml", "format must be json, csv or text"),
        ("?period=2025-03&period=2025-03", "period appears twice"),
        ("?period=2025-03&zone=UTC", "zone is not a known field"),
    ] {
        let refused = get(&service, &format!("{BOOKS}/statement{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{query}: {refused:?}");
        assert_eq!(refused.body["error"]["detail"], says, "{query}");
    }
}

fn listed(answer: &Answer, list: &str) -> Vec<String> {
    let items = answer.body["data"][list].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    items.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn payouts_are_listed_by_their_creation_time_in_the_zone_of_the_books() {
    let (service, _) = with_books().await;
    for (query, expected) in [
        ("", &["po_2", "po_1"][..]),
        ("?created_from=2025-02-01", &["po_3", "po_2", "po_1"]),
        // The day begins at 23:00 UTC in Berlin.
        ("?created_from=2025-03-30&created_until=2025-03-31", &["po_2"]),
        ("?created_until=2025-03-30", &[]),
        ("?created_from=2025-03-29T23:00:01Z", &["po_1"]),
        ("?created_from=2025-03-29T23:00:00Z&created_until=2025-03-31T06:00:00Z", &["po_2"]),
        ("?created_from=2024-03-30&created_until=2025-03-30", &["po_3"]),
    ] {
        let answer = get(&service, &format!("{BOOKS}/payouts{query}")).await;
        assert_eq!(listed(&answer, "payouts"), expected, "{query}: {answer:?}");
        assert_eq!(answer.body["data"]["next_cursor"], Value::Null, "{query}");
    }
    let mut pages = Vec::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = get(&service, &format!("{BOOKS}/payouts?created_from=2025-02-01&limit=1{cursor}")).await;
        pages.extend(listed(&page, "payouts"));
        let next = page.body["data"]["next_cursor"].as_str();
        cursor = next.map(|it| format!("&cursor={it}")).unwrap_or_default();
    }
    assert_eq!((pages, cursor), (vec!["po_3".into(), "po_2".into(), "po_1".into()], String::new()));
}

#[actix_web::test]
async fn a_range_of_payouts_that_is_wrong_is_refused_with_its_field() {
    let (service, _) = with_books().await;
    for (query, field, says) in [
        ("created_from=yesterday", "created_from", "must be a day such as 2026-11-24 or a time"),
        ("created_until=2025-02-30", "created_until", "must be a day such as 2026-11-24 or a time"),
        ("created_from=2025-03-31&created_until=2025-03-31", "created_from", "must be before created_until"),
        ("created_from=2024-03-29&created_until=2025-03-31", "created_from", "must be at most 366 days before"),
        ("created_from=2023-01-01", "created_from", "must be at most 366 days before"),
        ("cursor=a%20b", "cursor", "must be the next_cursor"),
        ("cursor=po_3", "cursor", "must be the next_cursor of an earlier answer of the same range"),
        ("limit=101", "limit", "must be 1 to 100"),
    ] {
        let refused = get(&service, &format!("{BOOKS}/payouts?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{query}: {refused:?}");
        let named = &refused.body["error"]["fields"][0];
        assert_eq!(named["field"], field, "{query}");
        assert!(named["problem"].as_str().unwrap().contains(says), "{query}: {refused:?}");
    }
}

#[actix_web::test]
async fn a_payout_has_what_it_contains_order_by_order() {
    let (service, placed) = with_books().await;
    let answer = get(&service, &format!("{BOOKS}/payouts/po_1")).await;
    let data = &answer.body["data"];
    assert_eq!((answer.status, &data["amount"], &data["currency"]), (200, &json!(9645), &json!("usd")), "{answer:?}");
    assert_eq!((&data["is_reconciled"], &data["difference"]["amount"]), (&json!(true), &json!(0)));
    let members = data["balance_transactions"].as_array().unwrap();
    let shown: Vec<_> = members.iter().map(|it| (&it["id"], &it["order_number"], &it["net"])).collect();
    let number = &placed["number"];
    assert_eq!(shown, [(&json!("txn_1"), number, &json!(10_845)), (&json!("txn_2"), number, &json!(-1200))]);
    let by_hand = get(&service, &format!("{BOOKS}/payouts/po_2")).await;
    assert_eq!(
        (&by_hand.body["data"]["difference"], &by_hand.body["data"]["is_reconciled"]),
        (&Value::Null, &json!(false))
    );
    for (id, status, code) in [("po_9", 404, "payout_not_found"), ("po-1", 400, "payout_id_malformed")] {
        let refused = get(&service, &format!("{BOOKS}/payouts/{id}")).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{refused:?}");
    }
}

#[actix_web::test]
async fn breaks_are_listed_by_their_status() {
    let (service, placed) = with_books().await;
    let all = ["amount:pi_1", "link:pi_8", OPEN_BREAK];
    for (query, expected, has_more) in [
        ("", &[OPEN_BREAK][..], false),
        ("?status=open", &[OPEN_BREAK], false),
        ("?status=all", &all, false),
        ("?status=all&limit=2", &all[..2], true),
        ("?status=all&limit=3", &all, false),
    ] {
        let answer = get(&service, &format!("{BOOKS}/breaks{query}")).await;
        assert_eq!(listed(&answer, "breaks"), expected, "{query}: {answer:?}");
        assert_eq!(answer.body["data"]["has_more"], has_more, "{query}");
    }
    let answer = get(&service, &format!("{BOOKS}/breaks?status=all")).await;
    let [gone, resolved, open] = answer.body["data"]["breaks"].as_array().unwrap().as_slice() else {
        panic!("{answer:?}")
    };
    assert_eq!((&gone["status"], &gone["order"]), (&json!("gone"), &placed["id"]));
    assert_eq!(gone["difference"], json!({ "amount": -100, "currency": "usd" }));
    assert_eq!((&resolved["status"], &resolved["resolution"]["by"]), (&json!("resolved"), &json!("ada")));
    assert_eq!((&open["status"], &open["theirs"], &open["resolution"]), (&json!("open"), &Value::Null, &Value::Null));
    for (query, says) in [
        ("status=closed", "status must be open or all"),
        ("limit=0", "limit must be 1 to 1000"),
        ("limit=1001", "limit must be 1 to 1000"),
        ("cursor=1", "cursor must be the next_cursor of an earlier answer"),
        ("after=1", "after is not a known field"),
    ] {
        let refused = get(&service, &format!("{BOOKS}/breaks?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{query}: {refused:?}");
        assert_eq!(refused.body["error"]["detail"], says, "{query}");
    }
}

/// Ids of all pages of a list whose path has a query already.
async fn paged(service: &Service, path: &str, list: &str) -> Vec<Vec<String>> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(service, &format!("{path}{cursor}")).await;
        pages.push(listed(&page, list));
        match page.body["data"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[actix_web::test]
async fn breaks_and_the_members_of_a_payout_are_read_in_pages() {
    let (service, _) = with_books().await;
    let all = [vec!["amount:pi_1", "link:pi_8"], vec![OPEN_BREAK]];
    assert_eq!(paged(&service, &format!("{BOOKS}/breaks?status=all&limit=2"), "breaks").await, all);
    assert_eq!(paged(&service, &format!("{BOOKS}/breaks?limit=1"), "breaks").await, [[OPEN_BREAK]]);
    let members = format!("{BOOKS}/payouts/po_1?limit=");
    assert_eq!(paged(&service, &format!("{members}1"), "balance_transactions").await, [["txn_1"], ["txn_2"]]);
    assert_eq!(paged(&service, &format!("{members}2"), "balance_transactions").await, [["txn_1", "txn_2"]]);
    for (query, says) in [
        ("limit=1001", "limit must be 1 to 1000"),
        ("cursor=txn_1", "cursor must be the next_cursor of an earlier answer"),
        ("status=all", "status is not a known field"),
    ] {
        let refused = get(&service, &format!("{BOOKS}/payouts/po_1?{query}")).await;
        assert_eq!((refused.status, refused.code()), (400, "query_malformed"), "{query}: {refused:?}");
        assert_eq!(refused.body["error"]["detail"], says, "{query}");
    }
}

#[actix_web::test]
async fn an_explanation_has_the_books_of_the_order_for_whom_may_read_them() {
    let (service, placed) = with_books().await;
    let path = format!("{ORDERS}/{}/explain", placed["id"].as_str().unwrap());
    let answer = get(&service, &path).await;
    let books = &answer.body["data"]["books"];
    let what: Vec<_> = books["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["entry"].as_str().unwrap(), it["what"].as_str().unwrap()))
        .collect();
    let expected = [
        ("txn_1", "txn_1 (charge) moved 108.45 usd for pi_1."),
        ("payment:pi_1", "112.00 usd is expected for pi_1."),
        ("txn_2", "txn_2 (refund) moved -12.00 usd for re_1."),
    ];
    assert_eq!(what, expected, "{answer:?}");
    assert_eq!(books["open"], json!([{ "account": "clearing:re_1", "amount": 1200, "currency": "usd" }]));
    let other = service.placed().await;
    let of_other = get(&service, &format!("{ORDERS}/{}/explain", other["id"].as_str().unwrap())).await;
    assert_eq!(of_other.body["data"]["books"], json!({ "entries": [], "has_more": false, "open": [] }));
    let reader = service.key_with(2, &[Scope::OrdersRead]).await;
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    for headers in [
        vec![("x-api-key", reader.as_str())],
        vec![("x-api-key", service.key.as_str()), ("authorization", bearer.as_str())],
    ] {
        let answer = service.send(Method::GET, &path, &headers, b"").await;
        assert_eq!((answer.status, answer.body["data"].get("books")), (200, None), "{answer:?}");
    }
}

#[actix_web::test]
async fn a_break_is_resolved_once_in_the_name_of_the_key() {
    let (service, _) = with_books().await;
    let path = format!("{BOOKS}/breaks/resolve");
    let resolve =
        async |id: &str, note: &str| service.call(Method::POST, &path, &json!({ "id": id, "note": note })).await;
    let resolved = resolve(OPEN_BREAK, "paid in cash").await;
    assert_eq!((resolved.status, &resolved.body["data"]["status"]), (200, &json!("resolved")), "{resolved:?}");
    let resolution = json!({ "at": "2025-03-31T09:57:30Z", "by": "shop", "note": "paid in cash" });
    assert_eq!(resolved.body["data"]["resolution"], resolution);
    assert_eq!(listed(&get(&service, &format!("{BOOKS}/breaks")).await, "breaks"), [""; 0]);
    let acts = async || {
        let trail = get(&service, &format!("/api/v1/shop/audit_entries?subject={OPEN_BREAK}")).await;
        let entries = trail.body["data"]["audit_entries"].as_array().unwrap().clone();
        entries.iter().map(|it| format!("{} {}", it["act"], it["what"])).collect::<Vec<_>>()
    };
    assert_eq!(acts().await, [r#""break.resolved" "resolved: \"paid in cash\"""#]);
    let again = resolve(OPEN_BREAK, "something else").await;
    assert_eq!((again.status, &again.body["data"]), (200, &resolved.body["data"]), "{again:?}");
    assert_eq!(acts().await.len(), 1, "nothing was done the second time");
    let gone = resolve("amount:pi_1", "x").await;
    assert_eq!((&gone.body["data"]["status"], &gone.body["data"]["resolution"]), (&json!("gone"), &Value::Null));
    let unknown = resolve("amount:pi_404", "x").await;
    assert_eq!((unknown.status, unknown.code()), (404, "break_not_found"), "{unknown:?}");
    assert_eq!(unknown.body["error"]["fields"][0]["field"], "id");
}

#[actix_web::test]
async fn a_resolution_with_invalid_fields_is_refused_and_changes_nothing() {
    let (service, _) = with_books().await;
    for (body, says) in [
        (json!({}), "id is missing; note is missing"),
        (json!({ "id": OPEN_BREAK }), "note is missing"),
        (json!({ "id": OPEN_BREAK, "note": " " }), "note must have at least 1 character"),
        (json!({ "id": OPEN_BREAK, "note": "x".repeat(2001) }), "note must have at most 2000 characters"),
        (json!({ "id": "x".repeat(401), "note": "x" }), "id must have at most 400 characters"),
        (json!({ "id": 9, "note": "x", "by": "eve" }), "by is not a known field; id must be a string"),
    ] {
        let refused = service.call(Method::POST, &format!("{BOOKS}/breaks/resolve"), &body).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_resolution"), "{refused:?}");
        assert_eq!(refused.body["error"]["detail"], says);
    }
    assert_eq!(listed(&get(&service, &format!("{BOOKS}/breaks")).await, "breaks"), [OPEN_BREAK]);
    let longest = json!({ "id": OPEN_BREAK, "note": "x".repeat(2000) });
    let resolved = service.call(Method::POST, &format!("{BOOKS}/breaks/resolve"), &longest).await;
    assert_eq!(resolved.status, 200, "{resolved:?}");
}

#[actix_web::test]
async fn the_ledger_of_an_order_has_its_entries_and_open_accounts() {
    let (service, placed) = with_books().await;
    let (id, number) = (placed["id"].as_str().unwrap(), placed["number"].as_str().unwrap());
    let answer = get(&service, &format!("{ORDERS}/{id}/ledger")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(listed(&answer, "entries"), ["txn_1", "payment:pi_1", "txn_2"]);
    let entries = &answer.body["data"]["entries"];
    assert_eq!((&entries[0]["category"], &entries[1]["category"]), (&json!("charge"), &Value::Null));
    let balances: Vec<_> = (answer.body["data"]["balances"].as_array().unwrap().iter())
        .map(|it| (it["account"].as_str().unwrap(), it["amount"].as_i64().unwrap()))
        .collect();
    // No fact of the order expects the refund.
    let expected =
        [("stripe:payments", 9645), ("clearing:re_1", 1200), ("sales:goods", -11_200), ("fees:payment", 355)];
    assert_eq!(balances, expected);
    assert_eq!(get(&service, &format!("{ORDERS}/{number}/ledger")).await.body, answer.body);
    let other = service.placed().await;
    let empty = get(&service, &format!("{ORDERS}/{}/ledger", other["id"].as_str().unwrap())).await;
    assert_eq!(empty.body["data"], json!({ "entries": [], "has_more": false, "balances": [] }));
    for (order, status, code) in [("ORD-20250331-ZZZZZZ", 404, "order_not_found"), ("9", 400, "order_id_malformed")] {
        let refused = get(&service, &format!("{ORDERS}/{order}/ledger")).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{refused:?}");
    }
}

#[actix_web::test]
async fn before_the_books_are_begun_each_call_says_so() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    for (method, path, body) in calls(&placed) {
        let refused = service.call(method, &path, &body).await;
        assert_eq!((refused.status, refused.code()), (409, "books_not_begun"), "{path}: {refused:?}");
        assert!(refused.header("retry-after").is_none(), "{path}");
    }
}

#[actix_web::test]
async fn books_of_an_unknown_time_zone_are_refused_without_details() {
    let service = Service::with(MockGateway::new()).await;
    let placed = service.placed().await;
    let changes = BooksChanges::new(Version::NEW, state("Mars/Olympus"));
    service.store.commit_books(&changes).await.unwrap();
    for (method, path, body) in calls(&placed) {
        let refused = service.call(method, &path, &body).await;
        assert_eq!((refused.status, refused.code()), (500, "books_unreadable"), "{path}: {refused:?}");
        assert!(!refused.text.contains("Mars"), "{path}: {refused:?}");
    }
}

#[actix_web::test]
async fn the_books_are_for_applications_with_their_scope() {
    let (service, placed) = with_books().await;
    let others: Vec<Scope> =
        Scope::ALL.into_iter().filter(|it| !matches!(it, Scope::BooksRead | Scope::BooksWrite)).collect();
    let outsider = service.key_with(2, &others).await;
    let reader = service.key_with(3, &[Scope::BooksRead]).await;
    let writer = service.key_with(4, &[Scope::BooksWrite]).await;
    let bearer = format!("Bearer {}", service.token("cus-ada"));
    for (method, path, body) in calls(&placed) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let send = async |key: &str, bearer: Option<&str>| {
            let mut headers = vec![("x-api-key", key), ("content-type", "application/json")];
            headers.extend(bearer.map(|it| ("authorization", it)));
            let answer = service.send(method.clone(), &path, &headers, text.as_bytes()).await;
            (answer.status, answer.code().to_owned())
        };
        let (own, other) = if method == Method::POST { (&writer, &reader) } else { (&reader, &writer) };
        let refused = |status: u16, code: &str| (status, code.to_owned());
        assert_eq!(send(&outsider, None).await, refused(403, "scope_missing"), "{path}");
        assert_eq!(send(other, None).await, refused(403, "scope_missing"), "{path}");
        assert_eq!(send(own, Some(&bearer)).await, refused(403, "bearer_not_allowed"), "{path}");
        assert_eq!(send(own, Some("Bearer x")).await, refused(401, "token_invalid"), "{path}");
        assert_eq!(send(own, None).await, refused(200, ""), "{path}");
    }
}
