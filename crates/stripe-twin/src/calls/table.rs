//! Every call of the twin.

use super::parameters::{
    CREATED, CUSTOMER, EMAIL, EXPAND, METADATA, OF_PAYMENT, OUTCOME, PAGE, PAYMENT_METHOD, SECRET,
};
use super::{Call, Handler, Specs, ToJson, ToObject};
use crate::amount_details::AMOUNT_DETAILS;
use crate::card_options::SPECS as CARD_OPTIONS;
use crate::request::Method;
use crate::state::Twin;
use crate::{
    account, balance, charges, customers, disputes, intents, payment_methods as methods, payouts, refunds, report,
    setup_intents as setups, webhooks,
};

/// A call that reads one object of a kind.
const fn get(path: &'static str, object: &'static str, honoured: Specs, handler: ToJson) -> Call {
    Call { method: Method::Get, path, object, is_list: false, honoured, handler: Handler::Json(handler) }
}

/// A call that lists objects of a kind.
const fn list(path: &'static str, object: &'static str, honoured: Specs, handler: ToJson) -> Call {
    Call { method: Method::Get, path, object, is_list: true, honoured, handler: Handler::Json(handler) }
}

/// A call that creates or changes an object of a kind.
const fn post(path: &'static str, object: &'static str, honoured: Specs, handler: ToJson) -> Call {
    Call { method: Method::Post, path, object, is_list: false, honoured, handler: Handler::Json(handler) }
}

/// A call of a PaymentIntent or a refund, which is rendered when it is read.
const fn lazy(method: Method, path: &'static str, object: &'static str, honoured: Specs, handler: ToObject) -> Call {
    Call { method, path, object, is_list: false, honoured, handler: Handler::Object(handler) }
}

/// A call that deletes an object of a kind.
const fn delete(path: &'static str, object: &'static str, honoured: Specs, handler: ToJson) -> Call {
    Call { method: Method::Delete, path, object, is_list: false, honoured, handler: Handler::Json(handler) }
}

const INTENT_CREATION: Specs = &[
    intents::CONTENT,
    intents::CREATION,
    intents::SHIPPING,
    intents::PAYMENT_DETAILS,
    METADATA,
    AMOUNT_DETAILS,
    CARD_OPTIONS,
    EXPAND,
];
const INTENT_UPDATE: Specs =
    &[intents::CONTENT, intents::SHIPPING, intents::PAYMENT_DETAILS, METADATA, AMOUNT_DETAILS, CARD_OPTIONS, EXPAND];
const INTENT_CONFIRMATION: Specs =
    &[intents::CONFIRMATION, intents::SHIPPING, intents::PAYMENT_DETAILS, SECRET, AMOUNT_DETAILS, CARD_OPTIONS, EXPAND];
const INTENT_CAPTURE: Specs = &[intents::CAPTURE, intents::PAYMENT_DETAILS, METADATA, AMOUNT_DETAILS, EXPAND];
const SETUP_CREATION: Specs = &[setups::CONTENT, setups::CREATION, METADATA, EXPAND];
const METHOD_CREATION: Specs = &[methods::CREATION, methods::DETAILS, METADATA, EXPAND];
const METHOD_UPDATE: Specs = &[methods::UPDATE, methods::DETAILS, METADATA, EXPAND];
const CUSTOMER_CREATION: Specs = &[customers::CUSTOMER, PAYMENT_METHOD, METADATA, EXPAND];
const ENDPOINT_CREATION: Specs = &[webhooks::ENDPOINT, webhooks::CREATION, METADATA, EXPAND];

#[rustfmt::skip]
pub(super) const CALLS: &[Call] = &[
    lazy(Method::Post, "/v1/payment_intents", "payment_intent", INTENT_CREATION, Twin::create_intent),
    list("/v1/payment_intents", "payment_intent", &[CUSTOMER, CREATED, PAGE], |twin, it| twin.list_intents(it)),
    lazy(Method::Get, "/v1/payment_intents/{intent}", "payment_intent", &[SECRET, EXPAND], |twin, it| twin.show_intent(it.id)),
    lazy(Method::Post, "/v1/payment_intents/{intent}", "payment_intent", INTENT_UPDATE, Twin::update_intent),
    lazy(Method::Post, "/v1/payment_intents/{intent}/confirm", "payment_intent", INTENT_CONFIRMATION, Twin::confirm_intent),
    lazy(Method::Post, "/v1/payment_intents/{intent}/capture", "payment_intent", INTENT_CAPTURE, Twin::capture_intent),
    lazy(Method::Post, "/v1/payment_intents/{intent}/cancel", "payment_intent", &[intents::CANCEL, EXPAND], Twin::cancel_intent),
    lazy(Method::Post, "/v1/refunds", "refund", &[refunds::CREATION, METADATA, EXPAND], Twin::create_refund),
    list("/v1/refunds", "refund", &[OF_PAYMENT, CREATED, PAGE], |twin, it| twin.list_refunds(it)),
    lazy(Method::Get, "/v1/refunds/{refund}", "refund", &[EXPAND], |twin, it| twin.retrieve_refund(it.id)),
    post("/v1/refunds/{refund}", "refund", &[METADATA, EXPAND], Twin::update_refund),
    post("/v1/refunds/{refund}/cancel", "refund", &[EXPAND], |twin, it| twin.cancel_refund(it)),
    list("/v1/charges", "charge", &[charges::FILTERS, CREATED, PAGE], |twin, it| twin.list_charges(it)),
    get("/v1/charges/{charge}", "charge", &[EXPAND], |twin, it| twin.retrieve_charge(it.id)),
    post("/v1/charges/{charge}", "charge", &[charges::UPDATE, intents::SHIPPING, METADATA, EXPAND], Twin::update_charge),
    list("/v1/charges/{charge}/refunds", "refund", &[PAGE], |twin, it| twin.list_refunds_of_charge(it)),
    get("/v1/charges/{charge}/refunds/{refund}", "refund", &[EXPAND], |twin, it| twin.retrieve_refund_of_charge(it)),
    list("/v1/balance_transactions", "balance_transaction", &[balance::FILTERS, CREATED, PAGE], |twin, it| twin.list_transactions(it)),
    get("/v1/balance_transactions/{id}", "balance_transaction", &[EXPAND], |twin, it| twin.retrieve_transaction(it)),
    get("/v1/balance", "balance", &[EXPAND], |twin, it| Ok(twin.show_balance(it))),
    post("/v1/payouts", "payout", &[payouts::CREATION, METADATA, EXPAND], Twin::create_payout),
    list("/v1/payouts", "payout", &[payouts::FILTERS, CREATED, PAGE], |twin, it| twin.list_payouts(it)),
    get("/v1/payouts/{payout}", "payout", &[EXPAND], |twin, it| twin.retrieve_payout(it.id)),
    post("/v1/payouts/{payout}", "payout", &[METADATA, EXPAND], Twin::update_payout),
    post("/v1/payouts/{payout}/cancel", "payout", &[EXPAND], Twin::cancel_payout),
    list("/v1/disputes", "dispute", &[OF_PAYMENT, CREATED, PAGE], |twin, it| twin.list_disputes(it)),
    get("/v1/disputes/{dispute}", "dispute", &[EXPAND], |twin, it| twin.retrieve_dispute(it.id)),
    post("/v1/disputes/{dispute}", "dispute", &[disputes::UPDATE, METADATA, EXPAND], Twin::update_dispute),
    post("/v1/disputes/{dispute}/close", "dispute", &[EXPAND], Twin::accept_dispute),
    post("/v1/customers", "customer", CUSTOMER_CREATION, Twin::create_customer),
    list("/v1/customers", "customer", &[EMAIL, CREATED, PAGE], |twin, it| twin.list_customers(it)),
    get("/v1/customers/{customer}", "customer", &[EXPAND], |twin, it| twin.retrieve_customer(it.id)),
    post("/v1/customers/{customer}", "customer", &[customers::CUSTOMER, METADATA, EXPAND], Twin::update_customer),
    delete("/v1/customers/{customer}", "customer", &[], |twin, it| twin.delete_customer(it.id, it.now)),
    list("/v1/customers/{customer}/payment_methods", "payment_method", &[methods::FILTERS, PAGE], |twin, it| twin.list_methods(it, it.id)),
    get("/v1/customers/{customer}/payment_methods/{payment_method}", "payment_method", &[EXPAND], |twin, it| twin.retrieve_method_of_customer(it)),
    post("/v1/payment_methods", "payment_method", METHOD_CREATION, Twin::create_method),
    list("/v1/payment_methods", "payment_method", &[CUSTOMER, methods::FILTERS, PAGE], |twin, it| twin.list_customers_methods(it)),
    get("/v1/payment_methods/{payment_method}", "payment_method", &[EXPAND], |twin, it| twin.retrieve_method(it.id, it.now)),
    post("/v1/payment_methods/{payment_method}", "payment_method", METHOD_UPDATE, Twin::update_method),
    post("/v1/payment_methods/{payment_method}/attach", "payment_method", &[CUSTOMER, EXPAND], Twin::attach),
    post("/v1/payment_methods/{payment_method}/detach", "payment_method", &[EXPAND], |twin, it| twin.detach(it.id, it.now)),
    post("/v1/setup_intents", "setup_intent", SETUP_CREATION, Twin::create_setup_intent),
    list("/v1/setup_intents", "setup_intent", &[setups::FILTERS, CREATED, PAGE], |twin, it| twin.list_setup_intents(it)),
    get("/v1/setup_intents/{intent}", "setup_intent", &[SECRET, EXPAND], |twin, it| twin.retrieve_setup_intent(it.id)),
    post("/v1/setup_intents/{intent}", "setup_intent", &[setups::CONTENT, METADATA, EXPAND], Twin::update_setup_intent),
    post("/v1/setup_intents/{intent}/confirm", "setup_intent", &[setups::CONFIRMATION, SECRET, EXPAND], Twin::confirm_setup_intent),
    post("/v1/setup_intents/{intent}/cancel", "setup_intent", &[setups::CANCEL, EXPAND], Twin::cancel_setup_intent),
    post("/v1/ephemeral_keys", "ephemeral_key", &[CUSTOMER, EXPAND], Twin::create_ephemeral_key),
    delete("/v1/ephemeral_keys/{key}", "ephemeral_key", &[EXPAND], Twin::delete_ephemeral_key),
    list("/v1/events", "event", &[webhooks::FILTERS, CREATED, PAGE], |twin, it| twin.list_events(it)),
    get("/v1/events/{id}", "event", &[EXPAND], |twin, it| twin.retrieve_event(it.id)),
    post("/v1/webhook_endpoints", "webhook_endpoint", ENDPOINT_CREATION, Twin::create_endpoint),
    list("/v1/webhook_endpoints", "webhook_endpoint", &[PAGE], |twin, it| twin.list_endpoints(it)),
    get("/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoint", &[EXPAND], |twin, it| twin.retrieve_endpoint(it.id)),
    post("/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoint", &[webhooks::ENDPOINT, webhooks::UPDATE, METADATA, EXPAND], Twin::update_endpoint),
    delete("/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoint", &[], |twin, it| twin.delete_endpoint(it.id)),
    lazy(Method::Post, "/_twin/payment_intents/{intent}/finish", "payment_intent", &[OUTCOME, SECRET], Twin::finish_intent),
    post("/_twin/payment_intents/{intent}/dispute", "dispute", &[disputes::DISPUTING], Twin::dispute_intent),
    post("/_twin/setup_intents/{intent}/finish", "setup_intent", &[OUTCOME, SECRET], Twin::finish_setup_intent),
    post("/_twin/refunds/{refund}/finish", "refund", &[OUTCOME], Twin::finish_refund),
    post("/_twin/disputes/{dispute}/close", "dispute", &[disputes::CLOSING], Twin::close_dispute),
    post("/_twin/payouts/{payout}/fail", "payout", &[payouts::FAILURE], Twin::fail_payout),
    get("/_twin/account", "twin.account", &[], |twin, it| Ok(twin.show_account(it))),
    post("/_twin/account", "twin.account", &[account::SETTINGS], Twin::set_account),
    post("/_twin/clock", "twin.account", &[account::CLOCK], Twin::move_clock),
    post("/_twin/balance_transactions", "balance_transaction", &[balance::MOVEMENT], Twin::add_movement),
    post("/_twin/balance_transactions/{id}", "balance_transaction", &[balance::MOVEMENT, balance::TAMPERING], Twin::tamper),
    get("/_twin/report", "twin.report", &[report::INTERVAL], |twin, it| Ok(twin.report(it))),
];
