use serde_json::{Value, json};

use crate::request::Method;
use crate::state::Twin;
use crate::twin::tests::{NOW, post, request};

fn intent(twin: &mut Twin, more: &str) -> String {
    let made = post(twin, "/v1/payment_intents", &format!("amount=11200&currency=usd{more}"));
    assert_eq!(made.status, 200, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

fn confirm(twin: &mut Twin, id: &str, method: &str) -> (u16, Value, Vec<String>) {
    let form = format!("return_url=https://shop.example/&payment_method={method}");
    let sent = request(Method::Post, &format!("/v1/payment_intents/{id}/confirm"), &form);
    let (response, events) = twin.handle(&sent, NOW);
    (response.status, Value::clone(&response.body), events.into_iter().map(|it| it.kind).collect())
}

#[test]
fn a_working_card_pays_and_the_fee_is_known_later() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "&metadata[order_id]=9&automatic_payment_methods[enabled]=true");
    let (status, body, events) = confirm(&mut twin, &id, "pm_card_visa");
    assert_eq!((status, &body["status"], &body["amount_received"]), (200, &json!("succeeded"), &json!(11_200)));
    assert_eq!(events, ["charge.succeeded", "payment_intent.succeeded", "charge.updated"]);
    let path = format!("/v1/payment_intents/{id}");
    let form = "expand[0]=latest_charge.balance_transaction";
    let shown = twin.handle(&request(Method::Get, &path, form), NOW).0.body;
    let transaction = &shown["latest_charge"]["balance_transaction"];
    assert_eq!((&transaction["fee"], &transaction["net"]), (&json!(354), &json!(10_846)));
}

#[test]
fn a_declined_card_leaves_the_intent_open_for_another_card() {
    for (token, code, decline) in [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ] {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "");
        let (status, body, events) = confirm(&mut twin, &id, token);
        assert_eq!((status, body["error"]["code"].as_str()), (402, Some(code)));
        assert_eq!(body["error"]["decline_code"].as_str(), Some(decline));
        assert_eq!(body["error"]["payment_intent"]["status"], "requires_payment_method");
        assert_eq!(events, ["charge.failed", "payment_intent.payment_failed"]);
        assert_eq!(confirm(&mut twin, &id, "pm_card_visa").1["status"], "succeeded");
    }
}

#[test]
fn an_authentication_succeeds_or_fails() {
    for (outcome, expected) in [("succeeded", "succeeded"), ("failed", "requires_payment_method")] {
        let mut twin = Twin::default();
        let id = intent(&mut twin, "");
        let (_, body, events) = confirm(&mut twin, &id, "pm_card_authenticationRequired");
        assert_eq!(
            (body["status"].as_str(), events),
            (Some("requires_action"), vec!["payment_intent.requires_action".to_owned()])
        );
        let path = format!("/_twin/payment_intents/{id}/finish");
        let done = post(&mut twin, &path, &format!("outcome={outcome}"));
        assert_eq!(done.body["status"], expected);
    }
}

#[test]
fn an_authorization_is_captured_in_part_or_expires() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "&capture_method=manual");
    let (_, body, events) = confirm(&mut twin, &id, "pm_card_visa");
    assert_eq!((body["status"].as_str(), body["amount_capturable"].as_i64()), (Some("requires_capture"), Some(11_200)));
    assert!(events.contains(&"payment_intent.amount_capturable_updated".to_owned()));
    let path = format!("/v1/payment_intents/{id}/capture");
    assert_eq!(post(&mut twin, &path, "amount_to_capture=11201").status, 400);
    let taken = post(&mut twin, &path, "amount_to_capture=5000").body;
    assert_eq!((taken["status"].as_str(), taken["amount_received"].as_i64()), (Some("succeeded"), Some(5_000)));

    let other = intent(&mut twin, "&capture_method=manual");
    confirm(&mut twin, &other, "pm_card_visa");
    let later = NOW + 7 * 24 * 3600;
    let path = format!("/v1/payment_intents/{other}");
    let (shown, events) = twin.handle(&request(Method::Get, &path, ""), later);
    assert_eq!((&shown.body["status"], &shown.body["cancellation_reason"]), (&json!("canceled"), &json!("expired")));
    assert_eq!(
        events.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(),
        ["charge.expired", "payment_intent.canceled"]
    );
}

#[test]
fn a_final_status_refuses_every_change_and_shows_the_intent() {
    let mut twin = Twin::default();
    let paid = intent(&mut twin, "");
    confirm(&mut twin, &paid, "pm_card_visa");
    let canceled = intent(&mut twin, "");
    post(&mut twin, &format!("/v1/payment_intents/{canceled}/cancel"), "cancellation_reason=abandoned");
    for (id, status) in [(paid, "succeeded"), (canceled, "canceled")] {
        for (verb, form) in
            [("/confirm", "payment_method=pm_card_visa"), ("/capture", ""), ("/cancel", ""), ("", "amount=600")]
        {
            let refused = post(&mut twin, &format!("/v1/payment_intents/{id}{verb}"), form);
            assert_eq!(refused.body["error"]["code"], "payment_intent_unexpected_state", "{verb} {status}");
            assert_eq!(refused.body["error"]["payment_intent"]["status"], status);
        }
    }
}

#[test]
fn an_open_intent_is_updated() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "&metadata[a]=1&metadata[b]=2");
    let path = format!("/v1/payment_intents/{id}");
    let updated = post(&mut twin, &path, "amount=500&metadata[a]=&payment_method=pm_card_visa").body;
    assert_eq!((updated["amount"].as_i64(), updated["status"].as_str()), (Some(500), Some("requires_confirmation")));
    assert_eq!(updated["metadata"], json!({ "b": "2" }));
}

#[test]
fn the_receipt_email_is_checked_in_every_request() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "&receipt_email=ada@example.com");
    let one = format!("/v1/payment_intents/{id}");
    let create = "/v1/payment_intents".to_owned();
    for wrong in ["x@gmail", "a@example,com", "<a@example.com>", "a@example..com", "zo%C3%AB@example.com", "ada"] {
        for (path, form) in [
            (&create, "amount=500&currency=usd&"),
            (&one, ""),
            (&format!("{one}/confirm"), "payment_method=pm_card_visa&"),
        ] {
            let refused = post(&mut twin, path, &format!("{form}receipt_email={wrong}"));
            let error = &refused.body["error"];
            assert_eq!((refused.status, &error["code"]), (400, &json!("email_invalid")), "{path} {wrong}");
            assert_eq!(error["param"], "receipt_email");
        }
    }
    assert_eq!(post(&mut twin, &one, "receipt_email=").body["receipt_email"], Value::Null);
}

#[test]
fn card_options_are_accepted_and_shown() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "");
    let path = format!("/v1/payment_intents/{id}");
    let shown = twin.handle(&request(Method::Get, &path, ""), NOW).0.body;
    let automatic = json!({ "card": { "installments": null, "mandate_options": null, "network": null,
        "request_three_d_secure": "automatic" } });
    assert_eq!(shown["payment_method_options"], automatic);
    for absent in ["transfer_data", "payment_method_configuration_details"] {
        assert_eq!(shown.get(absent), Some(&Value::Null), "{absent}");
    }
    let form = "payment_method_options[card][request_three_d_secure]=any&\
                payment_method_options[card][installments][enabled]=true&payment_method_options[card][network]=visa";
    let card = post(&mut twin, &path, form).body["payment_method_options"]["card"].clone();
    assert_eq!((&card["request_three_d_secure"], &card["network"]), (&json!("any"), &json!("visa")));
    assert_eq!(card["installments"]["enabled"], true);
    let unset = post(&mut twin, &path, "payment_method_options[card][network]=").body;
    assert_eq!(unset["payment_method_options"]["card"]["network"], Value::Null);
    for wrong in ["[card][request_three_d_secure]=often", "[card][color]=red", "[sofa][color]=red"] {
        assert_eq!(post(&mut twin, &path, &format!("payment_method_options{wrong}")).status, 400, "{wrong}");
    }
}

#[test]
fn amounts_outside_stripes_limits_are_refused() {
    for (form, code) in [
        ("amount=49&currency=usd", Some("amount_too_small")),
        ("amount=100000000&currency=usd", Some("amount_too_large")),
        ("amount=1000000000&currency=inr", Some("amount_too_large")),
        ("amount=10000000000&currency=jpy", Some("amount_too_large")),
        ("amount=1000000000000&currency=idr", Some("amount_too_large")),
        ("amount=49&currency=krw", Some("amount_too_small")),
        ("amount=17499&currency=huf", Some("amount_too_small")),
        ("amount=5124&currency=kwd", None),
        ("currency=usd", Some("parameter_missing")),
        (
            "amount=500&currency=usd&automatic_payment_methods[enabled]=true&payment_method_types[0]=card",
            Some("parameters_exclusive"),
        ),
        ("amount=500&currency=usd&customer=cus_none", Some("resource_missing")),
    ] {
        let refused = Twin::default().handle(&request(Method::Post, "/v1/payment_intents", form), NOW).0;
        assert!(refused.status >= 400, "{form}");
        assert_eq!(refused.body["error"]["code"].as_str(), code, "{form}");
    }
    for form in ["amount=999999999999&currency=idr", "amount=9999999999&currency=jpy"] {
        let made = Twin::default().handle(&request(Method::Post, "/v1/payment_intents", form), NOW).0;
        assert_eq!(made.status, 200, "{form}");
    }
}

#[test]
fn the_dispute_card_is_disputed_after_the_payment() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "");
    let (_, _, events) = confirm(&mut twin, &id, "pm_card_createDispute");
    assert!(events.contains(&"charge.dispute.created".to_owned()), "{events:?}");
    let disputes = twin.handle(&request(Method::Get, "/v1/disputes", ""), NOW).0.body;
    assert_eq!(disputes["data"][0]["payment_intent"], json!(id));
    let path = format!("/_twin/disputes/{}/close", disputes["data"][0]["id"].as_str().unwrap());
    assert_eq!(post(&mut twin, &path, "outcome=won").body["status"], "won");
    let refund = post(&mut twin, "/v1/refunds", &format!("payment_intent={id}"));
    assert_eq!(refund.status, 200, "a won dispute leaves the charge refundable");
}

#[test]
fn a_paid_intent_can_be_disputed_once() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "");
    let path = format!("/_twin/payment_intents/{id}/dispute");
    assert_eq!(post(&mut twin, &path, "").status, 400, "nothing was paid");
    confirm(&mut twin, &id, "pm_card_visa");
    let opened = post(&mut twin, &path, "").body;
    assert_eq!((&opened["status"], &opened["payment_intent"]), (&json!("needs_response"), &json!(id)));
    assert_eq!(post(&mut twin, &path, "").body["error"]["code"], "charge_not_disputable");
    assert_eq!(post(&mut twin, "/v1/refunds", &format!("payment_intent={id}")).status, 400);
    let seen: Vec<_> = twin.disputes().map(|it| (it.intent, it.amount, it.status)).collect();
    assert_eq!(seen, [(id.as_str(), 11_200, "needs_response")]);
}

#[test]
fn a_bank_may_reverse_its_decision_and_a_partly_lost_charge_is_refundable_for_the_rest() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "");
    confirm(&mut twin, &id, "pm_card_visa");
    let opened = post(&mut twin, &format!("/_twin/payment_intents/{id}/dispute"), "amount=4000").body;
    let path = format!("/_twin/disputes/{}/close", opened["id"].as_str().unwrap());
    let mut close = |outcome: &str| {
        let (response, events) = twin.handle(&request(Method::Post, &path, &format!("outcome={outcome}")), NOW);
        let amounts = response.body["balance_transactions"].as_array().unwrap().clone();
        let amounts: Vec<_> = amounts.iter().map(|it| it["amount"].as_i64().unwrap()).collect();
        (amounts, events.into_iter().map(|it| it.kind.replace("charge.dispute.", "")).collect::<Vec<_>>())
    };
    assert_eq!(close("lost"), (vec![-4000], vec!["closed".to_owned()]));
    assert_eq!(close("won"), (vec![-4000, 4000], vec!["updated".to_owned(), "funds_reinstated".to_owned()]));
    let again = (vec![-4000, 4000, -4000], vec!["updated".to_owned(), "funds_withdrawn".to_owned()]);
    assert_eq!(close("lost"), again);
    let refund = |twin: &mut Twin, amount| post(twin, "/v1/refunds", &format!("payment_intent={id}&amount={amount}"));
    assert_eq!(refund(&mut twin, 7201).status, 400);
    assert_eq!(refund(&mut twin, 7200).status, 200);
}

#[test]
fn the_views_show_what_the_lists_show() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "&metadata[order_id]=9&capture_method=manual");
    confirm(&mut twin, &id, "pm_card_visa");
    let held = twin.intents().next().unwrap();
    assert_eq!((held.id, held.status, held.capturable, held.received), (&*id, "requires_capture", 11_200, 0));
    post(&mut twin, &format!("/v1/payment_intents/{id}/capture"), "amount_to_capture=11000");
    post(&mut twin, "/v1/refunds", &format!("payment_intent={id}&amount=500&metadata[refund_id]=7"));
    let taken = twin.intents().next().unwrap();
    assert_eq!((taken.status, taken.amount, taken.received, taken.currency), ("succeeded", 11_200, 11_000, "usd"));
    assert_eq!(taken.metadata.get("order_id").map(String::as_str), Some("9"));
    let back = twin.refunds().next().unwrap();
    assert_eq!((back.intent, back.amount, back.status), (&*id, 500, "succeeded"));
    assert_eq!(back.metadata.get("refund_id").map(String::as_str), Some("7"));
}

#[test]
fn automatic_payment_methods_are_the_default() {
    let mut twin = Twin::default();
    let made = |twin: &mut Twin, more: &str| {
        post(twin, "/v1/payment_intents", &format!("amount=500&currency=usd{more}")).body["automatic_payment_methods"]
            .clone()
    };
    assert_eq!(made(&mut twin, ""), json!({ "allow_redirects": "always", "enabled": true }));
    let never = "&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never";
    assert_eq!(made(&mut twin, never), json!({ "allow_redirects": "never", "enabled": true }));
    assert_eq!(made(&mut twin, "&payment_method_types[]=card"), Value::Null);
}

#[test]
fn what_a_request_sets_is_shown_and_copied_to_the_charge() {
    let mut twin = Twin::default();
    let more = "&shipping[name]=Ada&shipping[carrier]=DHL&shipping[address][line1]=Way 1&transfer_group=g\
                &statement_descriptor_suffix=order 9&description=shoes&payment_details[order_reference]=9";
    let id = intent(&mut twin, more);
    let (_, paid, _) = confirm(&mut twin, &id, "pm_card_visa");
    assert_eq!(
        paid["shipping"]["address"],
        json!({ "city": null, "country": null, "line1": "Way 1", "line2": null,
        "postal_code": null, "state": null })
    );
    assert_eq!(paid["payment_details"]["order_reference"], "9");
    let path = format!("/v1/charges/{}", paid["latest_charge"].as_str().unwrap());
    let charge = twin.handle(&request(Method::Get, &path, ""), NOW).0.body;
    for name in ["shipping", "transfer_group", "statement_descriptor_suffix", "description"] {
        assert_eq!((&charge[name], charge[name].is_null()), (&paid[name], false), "{name}");
    }
    assert_eq!(charge["payment_method_details"]["card"]["last4"], "4242");
    assert_eq!(charge["outcome"]["type"], "authorized");
    let refused = post(&mut twin, "/v1/payment_intents", "amount=500&currency=usd&shipping[name]=Ada");
    assert_eq!(refused.body["error"]["param"], "shipping[address]");
}

#[test]
fn a_payment_that_needs_the_customer_fails_without_one() {
    for (more, decline, charged) in [
        ("off_session=true", "authentication_required", true),
        ("off_session=one_off", "authentication_required", true),
        ("error_on_requires_action=true", "authentication_not_handled", false),
    ] {
        let mut twin = Twin::default();
        let form = format!("amount=500&currency=usd&confirm=true&payment_method=pm_card_authenticationRequired&{more}");
        let refused = post(&mut twin, "/v1/payment_intents", &form);
        let error = &refused.body["error"];
        assert_eq!(
            (refused.status, &error["code"], &error["decline_code"]),
            (402, &json!("authentication_required"), &json!(decline))
        );
        assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
        assert_eq!(error["payment_intent"]["latest_charge"].is_string(), charged, "{more}");
        assert_eq!(error["payment_method"]["card"]["last4"], "3184");
    }
    for form in ["off_session=true", "error_on_requires_action=true", "return_url=https://shop.example"] {
        let refused = post(&mut Twin::default(), "/v1/payment_intents", &format!("amount=500&currency=usd&{form}"));
        assert_eq!(refused.status, 400, "{form} needs confirm=true");
    }
}

#[test]
fn a_card_that_was_set_up_pays_off_session() {
    let mut twin = Twin::default();
    let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
    let form = format!("customer={customer}&confirm=true&payment_method=pm_card_authenticationRequiredOnSetup");
    let setup = post(&mut twin, "/v1/setup_intents", &form).body;
    assert_eq!(setup["status"], "requires_action");
    let path = format!("/_twin/setup_intents/{}/finish", setup["id"].as_str().unwrap());
    let card = post(&mut twin, &path, "outcome=succeeded").body["payment_method"].as_str().unwrap().to_owned();
    let pay = |twin: &mut Twin, more: &str| {
        let form = format!("amount=500&currency=usd&confirm=true&customer={customer}&payment_method={card}{more}");
        post(twin, "/v1/payment_intents", &form).body["status"].clone()
    };
    assert_eq!(pay(&mut twin, "&off_session=true"), "succeeded");
    assert_eq!(pay(&mut twin, ""), "requires_action");
}

#[test]
fn three_d_secure_on_request_and_manual_confirmation() {
    let mut twin = Twin::default();
    let form = "amount=500&currency=usd&confirm=true&payment_method=pm_card_threeDSecureOptional";
    assert_eq!(post(&mut twin, "/v1/payment_intents", form).body["status"], "succeeded");
    let any = "&payment_method_options[card][request_three_d_secure]=any&confirmation_method=manual&payment_method_types[]=card";
    let asked = post(&mut twin, "/v1/payment_intents", &format!("{form}{any}")).body;
    assert_eq!(
        (&asked["status"], &asked["next_action"]["type"]),
        (&json!("requires_action"), &json!("redirect_to_url"))
    );
    let id = asked["id"].as_str().unwrap();
    let done = post(&mut twin, &format!("/_twin/payment_intents/{id}/finish"), "outcome=succeeded").body;
    assert_eq!(done["status"], "requires_confirmation");
    let paid = post(&mut twin, &format!("/v1/payment_intents/{id}/confirm"), "").body;
    assert_eq!(paid["status"], "succeeded");
    let declined = form.replace("Optional", "RequiredChargeDeclined");
    let asked = post(&mut twin, "/v1/payment_intents", &declined).body;
    let path = format!("/_twin/payment_intents/{}/finish", asked["id"].as_str().unwrap());
    assert_eq!(post(&mut twin, &path, "outcome=succeeded").body["last_payment_error"]["code"], "card_declined");
}

#[test]
fn a_capture_that_is_not_final_leaves_the_rest_authorized() {
    let mut twin = Twin::default();
    let id = intent(&mut twin, "&capture_method=manual");
    confirm(&mut twin, &id, "pm_card_visa");
    let path = format!("/v1/payment_intents/{id}/capture");
    let refused = post(&mut twin, &path, "amount_to_capture=500&final_capture=false");
    assert_eq!(refused.body["error"]["param"], "final_capture", "without multicapture");
    let more = "&capture_method=manual&payment_method_options[card][request_multicapture]=if_available";
    let id = intent(&mut twin, more);
    confirm(&mut twin, &id, "pm_card_visa");
    let path = format!("/v1/payment_intents/{id}/capture");
    let part = post(&mut twin, &path, "amount_to_capture=1200&final_capture=false").body;
    assert_eq!(
        (&part["status"], &part["amount_received"], &part["amount_capturable"]),
        (&json!("requires_capture"), &json!(1200), &json!(10_000))
    );
    let rest = post(&mut twin, &path, "amount_to_capture=9000").body;
    assert_eq!(
        (&rest["status"], &rest["amount_received"], &rest["amount_capturable"]),
        (&json!("succeeded"), &json!(10_200), &json!(0))
    );
    assert_eq!(post(&mut twin, "/v1/refunds", &format!("payment_intent={id}")).body["amount"], 10_200);
}

#[test]
fn intents_of_one_second_are_listed_newest_first() {
    let mut twin = Twin::default();
    let made: Vec<String> = (0..12).map(|_| intent(&mut twin, "")).collect();
    let list = |twin: &mut Twin, form: &str| -> Vec<String> {
        let body = twin.handle(&request(Method::Get, "/v1/payment_intents", form), NOW).0.body;
        body["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let newest: Vec<_> = made.iter().rev().cloned().collect();
    assert_eq!(list(&mut twin, "limit=100"), newest);
    assert_eq!(list(&mut twin, &format!("limit=2&ending_before={}", newest[5])), newest[3..5]);
    assert_eq!(list(&mut twin, &format!("limit=2&starting_after={}", newest[5])), newest[6..8]);
    assert_eq!(list(&mut twin, &format!("created={NOW}")).len(), 10);
    assert!(list(&mut twin, &format!("created[gt]={NOW}")).is_empty());
    let wrong = twin.handle(&request(Method::Get, "/v1/payment_intents", "starting_after=pi_x"), NOW).0.body;
    assert_eq!(
        (&wrong["error"]["param"], &wrong["error"]["message"]),
        (&json!("starting_after"), &json!("No such payment_intent: 'pi_x'"))
    );
}

#[test]
fn references_are_expanded_in_every_answer() {
    let mut twin = Twin::default();
    let customer = post(&mut twin, "/v1/customers", "email=ada@example.com").body["id"].as_str().unwrap().to_owned();
    let form = format!(
        "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&customer={customer}&expand[]=customer\
         &expand[]=payment_method&expand[]=latest_charge.balance_transaction"
    );
    let paid = post(&mut twin, "/v1/payment_intents", &form).body;
    assert_eq!(paid["customer"]["email"], "ada@example.com");
    assert_eq!(paid["payment_method"]["card"]["brand"], "visa");
    assert_eq!(paid["latest_charge"]["balance_transaction"], Value::Null, "it is known a moment later");
    let path = format!("/v1/payment_intents/{}", paid["id"].as_str().unwrap());
    let read = request(Method::Get, &path, "expand[]=latest_charge.balance_transaction");
    let read = twin.handle(&read, NOW).0.body;
    assert_eq!(read["latest_charge"]["balance_transaction"]["amount"], 500);
    let refund = format!(
        "payment_intent={}&expand[]=charge.payment_intent&expand[]=balance_transaction",
        paid["id"].as_str().unwrap()
    );
    let refund = post(&mut twin, "/v1/refunds", &refund).body;
    assert_eq!(refund["charge"]["payment_intent"]["id"], paid["id"]);
    let read = |twin: &mut Twin, path: &str, form: &str| twin.handle(&request(Method::Get, path, form), NOW).0.body;
    let list = read(&mut twin, "/v1/payment_intents", "expand[]=data.latest_charge.refunds");
    assert_eq!(list["data"][0]["latest_charge"]["refunds"]["data"][0]["id"], refund["id"]);
    for (form, message) in [
        ("expand[]=data.color", "This property cannot be expanded (color)."),
        ("expand[]=customer", "This property cannot be expanded (customer)."),
        ("expand[]=data.latest_charge.customer.email", "This property cannot be expanded (email)."),
        (
            "expand[]=data.latest_charge.payment_intent.latest_charge.customer",
            "You cannot expand more than 4 levels of a property. Property: data.latest_charge.payment_intent.latest_charge.customer",
        ),
    ] {
        assert_eq!(read(&mut twin, "/v1/payment_intents", form)["error"]["message"], message);
    }
}

#[test]
fn a_return_url_has_a_scheme() {
    for (url, is_valid) in [
        ("https://shop.example/paid?order=9", true),
        ("http://127.0.0.1:3000", true),
        ("shop-app://paid", true),
        ("com.example.shop:///paid", true),
        ("shop.example/paid", false),
        ("/paid", false),
        ("//shop.example", false),
        ("https://", false),
        ("https:///paid", false),
        ("javascript:alert(1)", false),
        ("1shop://paid", false),
        ("https://shop example", false),
    ] {
        let form = format!("amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&return_url={url}");
        let answer = post(&mut Twin::default(), "/v1/payment_intents", &form);
        assert_eq!(answer.status, if is_valid { 200 } else { 400 }, "{url}: {}", answer.body);
        let error = &answer.body["error"];
        if !is_valid {
            assert_eq!(
                (&error["code"], &error["message"]),
                (&json!("url_invalid"), &json!("Not a valid URL")),
                "{url}"
            );
            assert_eq!(error["param"], "return_url");
        }
    }
}

/// Stripe's words, of recorded answers: with a customer without a code, without one with the code of a missing parameter.
#[test]
fn a_payment_method_of_another_customer_is_refused_at_creation_update_and_confirmation() {
    let mut twin = Twin::default();
    let [ada, eve] = ["ada", "eve"].map(|name| {
        let made = post(&mut twin, "/v1/customers", &format!("name={name}"));
        made.body["id"].as_str().unwrap().to_owned()
    });
    let saved = post(&mut twin, "/v1/payment_methods/pm_card_visa/attach", &format!("customer={ada}"));
    let card = saved.body["id"].as_str().unwrap().to_owned();
    for (customer, code, param, message) in [
        (
            format!("&customer={eve}"),
            None,
            "payment_method",
            format!(
                "The PaymentMethod {card} does not belong to the Customer you supplied {eve}. Please use this PaymentMethod \
                 with the Customer that it belongs to instead."
            ),
        ),
        (
            String::new(),
            Some("parameter_missing"),
            "source",
            format!(
                "The `payment_method` parameter supplied {card} belongs to the Customer {ada}. Please include the Customer \
                 in the `customer` parameter on the PaymentIntent."
            ),
        ),
    ] {
        let id = intent(&mut twin, &customer);
        let path = format!("/v1/payment_intents/{id}");
        for (path, form, names_intent) in [
            (
                "/v1/payment_intents".to_owned(),
                format!("amount=500&currency=usd{customer}&payment_method={card}"),
                false,
            ),
            (path.clone(), format!("payment_method={card}"), true),
            (format!("{path}/confirm"), format!("return_url=https://shop.example/&payment_method={card}"), true),
        ] {
            let refused = post(&mut twin, &path, &form);
            let error = &refused.body["error"];
            assert_eq!((refused.status, error["code"].as_str()), (400, code), "{path}: {error}");
            assert_eq!((error["type"].as_str(), error["param"].as_str()), (Some("invalid_request_error"), Some(param)));
            assert_eq!(error["message"], json!(message), "{path}");
            assert_eq!(error["payment_intent"]["id"] == json!(id), names_intent, "{path}");
        }
        let shown = twin.handle(&request(Method::Get, &path, ""), NOW).0.body;
        assert_eq!((&shown["payment_method"], &shown["status"]), (&Value::Null, &json!("requires_payment_method")));
    }
    let own = format!("&customer={ada}&payment_method={card}");
    let id = intent(&mut twin, &own);
    assert_eq!(confirm(&mut twin, &id, &card).1["status"], "succeeded");
}

#[test]
fn the_token_of_a_test_card_is_read_as_a_new_payment_method() {
    let mut twin = Twin::default();
    let read = |twin: &mut Twin, id: &str| {
        let (response, _) = twin.handle(&request(Method::Get, &format!("/v1/payment_methods/{id}"), ""), NOW);
        (response.status, response.body["id"].as_str().unwrap_or_default().to_owned())
    };
    let ((status, made), (_, other)) = (read(&mut twin, "pm_card_visa"), read(&mut twin, "pm_card_visa"));
    assert!(status == 200 && made != "pm_card_visa" && made != other, "{made} {other}");
    assert_eq!(read(&mut twin, &made), (200, made.clone()));
    assert_eq!(read(&mut twin, "pm_none").0, 404);
}
