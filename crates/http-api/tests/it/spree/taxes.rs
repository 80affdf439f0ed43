//! Taxes of goods and of shipping, as lines, shipments and sums show them.

use serde_json::{Value, json};

use super::*;

/// Cart with one bone and one toy at 35.00, shipped to `country` by post at 4.90.
async fn addressed(service: &Service, country: &str) -> String {
    let token = service.cart().await;
    let order = json!({ "order": { "email": "ada@example.com", "ship_address_attributes": address(country) } });
    for (path, body) in [("/checkout", order), ("/checkout/advance", json!({}))] {
        let done = service.store(Method::PATCH, path, &token, &body).await;
        assert_eq!(done.status, 200, "{done:?}");
    }
    token
}

fn tax(name: &str, percent: &str, included: bool, on_shipping: bool) -> Value {
    json!({ "name": name, "country": "DE", "percent": percent, "included": included, "on_shipping": on_shipping })
}

/// Amount in cents.
fn cents(attributes: &Value, name: &str) -> i64 {
    let text = attributes[name].as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    format!("{whole}{fraction:0<2}").parse().unwrap()
}

#[actix_web::test]
async fn lines_and_the_shipment_show_their_own_taxes_and_add_up_to_the_order() {
    let service = open().await;
    for (taxes, included, added, shipment) in [
        (vec![tax("VAT", "19", true, true)], [160, 399], [0, 0], [78, 0]),
        (vec![tax("VAT", "19", true, false)], [160, 399], [0, 0], [0, 0]),
        (vec![tax("VAT", "10", true, false), tax("Levy", "5", true, true)], [131, 326], [0, 0], [23, 0]),
        (vec![tax("Tax", "10", false, true), tax("City", "2.5", false, false)], [0, 0], [125, 313], [0, 49]),
    ] {
        let prices = json!({ "usd": 490 });
        let terms = json!({ "terms": { "taxes": taxes, "coupons": [],
            "shipping": [{ "id": "post", "name": "Post", "countries": [], "prices": prices }] } });
        let key = [("x-api-key", service.key.as_str())];
        let kept = service.send(Method::PUT, &format!("{PLATFORM}/terms"), &key, terms.to_string().as_bytes()).await;
        assert_eq!(kept.status, 200, "{kept:?}");
        let token = addressed(&service, "DE").await;
        let path = "/cart?include=line_items,shipments.selected_shipping_rate";
        let shown = service.store(Method::GET, path, &token, &Value::Null).await.body;
        let of_type = |kind: &str| {
            let all = shown["included"].as_array().unwrap().iter();
            all.filter(|it| it["type"] == kind).map(|it| it["attributes"].clone()).collect::<Vec<_>>()
        };
        let (lines, sums) = (of_type("line_item"), &shown["data"]["attributes"]);
        let [shipped] = &of_type("shipment")[..] else { panic!("{shown}") };
        let column = |name: &str| lines.iter().map(|it| cents(it, name)).collect::<Vec<_>>();
        assert_eq!((column("included_tax_total"), column("additional_tax_total")), (included.into(), added.into()));
        assert_eq!([cents(shipped, "included_tax_total"), cents(shipped, "additional_tax_total")], shipment);
        assert_eq!(cents(&of_type("shipping_rate")[0], "tax_amount"), shipment.iter().sum::<i64>());
        let parts = || lines.iter().chain([shipped]);
        for (part, whole) in [
            ("total", "total"),
            ("included_tax_total", "included_tax_total"),
            ("additional_tax_total", "additional_tax_total"),
            ("pre_tax_amount", "pre_tax_total"),
        ] {
            assert_eq!(parts().map(|it| cents(it, part)).sum::<i64>(), cents(sums, whole), "{taxes:?}: {part}");
        }
        assert_eq!(column("pre_tax_amount").iter().sum::<i64>(), cents(sums, "pre_tax_item_amount"));
        assert!(parts().all(|it| cents(it, "pre_tax_amount") >= 0), "{shown}");
    }
}
