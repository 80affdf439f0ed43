//! Types of the payment methods that an intent accepts: `payment_method_types`, or `automatic_payment_methods`.

use crate::error::Refusal;
use crate::params::Params;

/// Types of payment methods that a request can name, by Stripe's description (version 2026-05-27.dahlia).
#[rustfmt::skip]
pub(crate) const TYPES: &[&str] = &[
    "acss_debit", "affirm", "afterpay_clearpay", "alipay", "alma", "amazon_pay", "au_becs_debit", "bacs_debit",
    "bancontact", "billie", "bizum", "blik", "boleto", "card", "cashapp", "crypto", "custom",
    "customer_balance", "eps", "fpx", "giropay", "grabpay", "ideal", "kakao_pay", "klarna", "konbini",
    "kr_card", "link", "mb_way", "mobilepay", "multibanco", "naver_pay", "nz_bank_account", "oxxo", "p24",
    "pay_by_bank", "payco", "paynow", "paypal", "payto", "pix", "promptpay", "revolut_pay", "samsung_pay",
    "satispay", "scalapay", "sepa_debit", "sofort", "sunbit", "swish", "twint", "upi", "us_bank_account",
    "wechat_pay", "zip",
];

/// Types of payments at a terminal, by which no list can be filtered.
const PRESENT: &[&str] = &["card_present", "interac_present"];

/// Types of the twin's test payment methods, and `link`, which payment pages offer beside cards.
const MODELLED: &[&str] = &["card", "link", "us_bank_account"];

/// Modelled type without manual capture ("API support" on the same page).
const BANK_DEBIT: &str = "us_bank_account";
const INCOMPATIBLE: &str = "payment_intent_incompatible_payment_method";

/// Types that pay in these currencies only ("Country and currency support" on Stripe's page "Payment method support").
const CURRENCIES: &[(&str, &str)] = &[
    ("acss_debit", "cad, usd"),
    ("au_becs_debit", "aud"),
    ("bacs_debit", "gbp"),
    ("bancontact", "eur"),
    ("blik", "pln"),
    ("boleto", "brl"),
    ("cashapp", "usd"),
    ("eps", "eur"),
    ("fpx", "myr"),
    ("giropay", "eur"),
    ("grabpay", "myr, sgd"),
    ("ideal", "eur"),
    ("interac_present", "cad"),
    ("kakao_pay", "krw"),
    ("konbini", "jpy"),
    ("kr_card", "krw"),
    ("multibanco", "eur"),
    ("naver_pay", "krw"),
    ("nz_bank_account", "nzd"),
    ("oxxo", "mxn"),
    ("p24", "eur, pln"),
    ("payco", "krw"),
    ("paynow", "sgd"),
    ("payto", "aud"),
    ("pix", "brl"),
    ("promptpay", "thb"),
    ("sepa_debit", "eur"),
    ("sofort", "eur"),
    ("swish", "sek"),
    ("twint", "chf"),
    ("upi", "inr"),
    ("us_bank_account", "usd"),
];

/// Refuses automatic payment methods beside parameters that exclude them, and those of which `enabled` is missing.
pub(crate) fn check_automatic(params: &Params, excluded: &[&str]) -> Result<(), Refusal> {
    if params.has("automatic_payment_methods") {
        params.required("automatic_payment_methods.enabled")?;
    }
    let is_on = params.flag("automatic_payment_methods.enabled");
    match excluded.iter().find(|it| is_on && params.has(it)) {
        Some(other) => {
            let message = format!("You may only specify one of these parameters: automatic_payment_methods, {other}.");
            Err(Refusal::parameter("parameters_exclusive", other, &message))
        }
        None => Ok(()),
    }
}

/// Types that a request names, which Stripe has and the twin models; `None` if it names none. `noun` is `PaymentIntent` or
/// `SetupIntent`.
pub(crate) fn named_types(params: &Params, noun: &str) -> Result<Option<Vec<String>>, Refusal> {
    let types = params.list("payment_method_types");
    let is_known = |it: &&String| TYPES.contains(&it.as_str()) || PRESENT.contains(&it.as_str());
    if let Some(unknown) = types.iter().find(|it| !is_known(it) || *it == "custom") {
        let message = format!(
            "The payment method type \"{unknown}\" is invalid. Please ensure the provided type is activated in your \
             dashboard (https://dashboard.stripe.com/account/payments/settings) and your account is enabled for any \
             preview features that you are trying to use."
        );
        return Err(invalid(noun, &message));
    }
    Ok(Some(types).filter(|it| !it.is_empty()))
}

/// Refuses types that the twin does not model.
pub(crate) fn check_modelled(types: &[String]) -> Result<(), Refusal> {
    match types.iter().find(|it| !MODELLED.contains(&it.as_str())) {
        Some(other) => {
            let message = format!("The twin models payments by {} only, not by {other}.", MODELLED.join(", "));
            Err(Refusal::parameter("parameter_not_modelled", "payment_method_types", &message))
        }
        None => Ok(()),
    }
}

/// Refuses types of a PaymentIntent that do not pay in its currency or cannot be captured later, and those that the twin
/// does not model.
pub(super) fn check_types(types: &[String], currency: &str, capture_method: &str) -> Result<(), Refusal> {
    if let Some(message) = types.iter().find_map(|it| unsupported(it, currency)) {
        return Err(invalid("PaymentIntent", &message));
    }
    check_modelled(types)?;
    if capture_method == "manual" && types.iter().any(|it| it == BANK_DEBIT) {
        let message = format!("The payment method type \"{BANK_DEBIT}\" does not support `capture_method=manual`.");
        return Err(invalid("PaymentIntent", &message));
    }
    Ok(())
}

/// Types of a new PaymentIntent: those that the request names, or `card`.
pub(super) fn types_of_creation(params: &Params, currency: &str, capture_method: &str) -> Result<Vec<String>, Refusal> {
    let types = named_types(params, "PaymentIntent")?.unwrap_or_else(|| vec!["card".into()]);
    check_types(&types, currency, capture_method)?;
    check_descriptor(params.text("statement_descriptor"), &types)?;
    Ok(types)
}

/// Message of a payment in a currency that a type does not support; `None` if it does.
fn unsupported(kind: &str, currency: &str) -> Option<String> {
    let (_, supported) = CURRENCIES.iter().find(|(limited, _)| *limited == kind)?;
    (!supported.split(", ").any(|it| it == currency)).then(|| {
        format!(
            "The currency provided ({currency}) is invalid. Payments with {kind} support the following currencies: \
             {supported}."
        )
    })
}

/// Refuses a payment method of a type that a PaymentIntent does not accept: it is not one of the types that a request
/// named, or the automatic payment methods leave it out.
pub(super) fn check_kind(
    kind: Option<&str>,
    is_automatic: bool,
    types: &[String],
    currency: &str,
    capture_method: &str,
) -> Result<(), Refusal> {
    let Some(kind) = kind else { return Ok(()) };
    if let Some(message) = unsupported(kind, currency) {
        return Err(Refusal::parameter(INCOMPATIBLE, "payment_method", &message));
    }
    let is_accepted =
        if is_automatic { kind != BANK_DEBIT || capture_method != "manual" } else { types.iter().any(|it| it == kind) };
    if is_accepted { Ok(()) } else { Err(incompatible("PaymentIntent", kind)) }
}

/// Refusal of a payment method of a type that an intent does not accept.
pub(crate) fn incompatible(noun: &str, kind: &str) -> Refusal {
    let message = format!(
        "The PaymentMethod provided ({kind}) is not allowed for this {noun}. Please attach a valid PaymentMethod to this \
         {noun}, or update the payment_method_types of this {noun} to include \"{kind}\"."
    );
    let code = if noun == "SetupIntent" { "setup_intent_invalid_parameter" } else { INCOMPATIBLE };
    Refusal::parameter(code, "payment_method", &message)
}

/// Refuses the full statement descriptor of a payment that a card may make ("Use of the `statement_descriptor` parameter
/// on PaymentIntents for card charges", since February 2024).
pub(super) fn check_descriptor(descriptor: Option<&str>, types: &[String]) -> Result<(), Refusal> {
    if descriptor.is_none() || !types.iter().any(|it| it == "card") {
        return Ok(());
    }
    let message = "The statement_descriptor parameter is not supported for the payment_method_type `card`. To continue \
                   supporting payment_method_type `card`, please pass in `statement_descriptor_suffix` or remove the \
                   `statement_descriptor` parameter altogether. Please see \
                   https://support.stripe.com/questions/use-of-the-statement-descriptor-parameter-on-paymentintents-for-card-charges \
                   for additional details.";
    Err(Refusal::invalid("statement_descriptor", message))
}

fn invalid(noun: &str, message: &str) -> Refusal {
    let code =
        if noun == "SetupIntent" { "setup_intent_invalid_parameter" } else { "payment_intent_invalid_parameter" };
    Refusal::parameter(code, "payment_method_types", message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::state::Twin;
    use crate::twin::tests::post;

    fn refused(twin: &mut Twin, path: &str, form: &str) -> Value {
        let answer = post(twin, path, form);
        assert_eq!(answer.status, 400, "{form}: {}", answer.body);
        answer.body["error"].clone()
    }

    #[test]
    fn types_are_known_modelled_and_fit_the_currency_and_the_capture_method() {
        for (form, code, message) in [
            (
                "currency=usd&payment_method_types[]=cash",
                "payment_intent_invalid_parameter",
                "The payment method type \"cash\"",
            ),
            (
                "currency=usd&payment_method_types[]=custom",
                "payment_intent_invalid_parameter",
                "The payment method type",
            ),
            (
                "currency=usd&payment_method_types[]=card&payment_method_types[]=sepa_debit",
                "payment_intent_invalid_parameter",
                "The currency provided (usd) is invalid. Payments with sepa_debit support the following currencies: eur.",
            ),
            (
                "currency=EUR&payment_method_types[0]=us_bank_account",
                "payment_intent_invalid_parameter",
                "The currency provided (eur) is invalid. Payments with us_bank_account support the following currencies: usd.",
            ),
            (
                "currency=eur&payment_method_types[]=sepa_debit",
                "parameter_not_modelled",
                "The twin models payments by card",
            ),
            (
                "currency=usd&payment_method_types[]=us_bank_account&capture_method=manual",
                "payment_intent_invalid_parameter",
                "The payment method type \"us_bank_account\" does not support",
            ),
        ] {
            let error = refused(&mut Twin::default(), "/v1/payment_intents", &format!("amount=500&{form}"));
            assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!("payment_method_types")), "{form}");
            assert!(error["message"].as_str().unwrap().starts_with(message), "{error}");
        }
    }

    #[test]
    fn types_are_a_list_that_excludes_automatic_payment_methods() {
        for (form, code, param) in [
            ("payment_method_types=", "parameter_invalid_empty", "payment_method_types"),
            ("payment_method_types[]=", "parameter_invalid_empty", "payment_method_types[0]"),
            ("payment_method_types=card", "", "payment_method_types"),
            ("payment_method_types[a]=card", "", "payment_method_types"),
            (
                "payment_method_types[]=card&automatic_payment_methods[enabled]=true",
                "parameters_exclusive",
                "payment_method_types",
            ),
            (
                "automatic_payment_methods[allow_redirects]=never",
                "parameter_missing",
                "automatic_payment_methods[enabled]",
            ),
        ] {
            for (path, form) in [
                ("/v1/payment_intents", format!("amount=500&currency=usd&{form}")),
                ("/v1/setup_intents", form.to_owned()),
            ] {
                let error = refused(&mut Twin::default(), path, &form);
                assert_eq!(
                    (error["code"].as_str().unwrap_or(""), &error["param"]),
                    (code, &json!(param)),
                    "{path} {form}"
                );
            }
        }
        for (form, code) in [("cash", "setup_intent_invalid_parameter"), ("sepa_debit", "parameter_not_modelled")] {
            let form = format!("payment_method_types[]={form}");
            assert_eq!(refused(&mut Twin::default(), "/v1/setup_intents", &form)["code"], code);
        }
    }

    #[test]
    fn types_are_checked_by_an_update_and_a_confirmation_too() {
        let mut twin = Twin::default();
        let form = "amount=500&currency=usd&payment_method_types[]=card&payment_method_types[]=us_bank_account";
        let made = post(&mut twin, "/v1/payment_intents", form).body;
        assert_eq!(made["payment_method_types"], json!(["card", "us_bank_account"]));
        let path = format!("/v1/payment_intents/{}", made["id"].as_str().unwrap());
        assert_eq!(refused(&mut twin, &path, "currency=eur")["param"], "payment_method_types");
        assert_eq!(refused(&mut twin, &path, "capture_method=manual")["param"], "payment_method_types");
        assert_eq!(
            refused(&mut twin, &format!("{path}/confirm"), "payment_method_types[]=pix")["param"],
            "payment_method_types"
        );
        let updated = post(&mut twin, &path, "currency=eur&payment_method_types[]=card").body;
        assert_eq!((&updated["currency"], &updated["payment_method_types"]), (&json!("eur"), &json!(["card"])));
    }

    #[test]
    fn a_payment_method_must_be_of_an_accepted_type() {
        let bank = "payment_method=pm_usBankAccount_success";
        for form in [
            format!("currency=usd&payment_method_types[]=card&{bank}"),
            format!("currency=eur&{bank}"),
            format!("currency=usd&capture_method=manual&{bank}"),
        ] {
            let error = refused(&mut Twin::default(), "/v1/payment_intents", &format!("amount=500&{form}"));
            assert_eq!(error["code"], "payment_intent_incompatible_payment_method", "{form}");
            assert_eq!(error["param"], "payment_method", "{form}");
        }
        let error = refused(&mut Twin::default(), "/v1/setup_intents", &format!("payment_method_types[]=card&{bank}"));
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!("setup_intent_invalid_parameter"), &json!("payment_method"))
        );
    }

    #[test]
    fn a_refused_confirmation_attaches_no_payment_method() {
        let mut twin = Twin::default();
        let form = "amount=1000&currency=usd&capture_method=manual";
        let id = post(&mut twin, "/v1/payment_intents", form).body["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/payment_intents/{id}");
        let refused = post(&mut twin, &format!("{path}/confirm"), "payment_method=pm_usBankAccount_processing");
        assert_eq!(refused.body["error"]["code"], "payment_intent_incompatible_payment_method");
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        let attached = post(&mut twin, "/v1/payment_methods/pm_card_visa/attach", &format!("customer={customer}"));
        let others = format!("payment_method={}", attached.body["id"].as_str().unwrap());
        assert_eq!(post(&mut twin, &format!("{path}/confirm"), &others).body["error"]["param"], "source");
        let changed = post(&mut twin, &path, "amount=1300");
        assert_eq!((changed.status, &changed.body["payment_method"]), (200, &Value::Null), "{}", changed.body);
    }

    #[test]
    fn statement_descriptors_follow_stripes_rules() {
        let bank = "amount=500&currency=usd&payment_method_types[]=us_bank_account";
        let card = "amount=500&currency=usd";
        for (form, param, message) in [
            (
                format!("{card}&statement_descriptor=SHOP 1"),
                "statement_descriptor",
                "The statement_descriptor parameter is not supported",
            ),
            (
                format!("{bank}&statement_descriptor=SHOP"),
                "statement_descriptor",
                "The statement descriptor must be at least 5",
            ),
            (
                format!("{bank}&statement_descriptor=12345"),
                "statement_descriptor",
                "The statement descriptor must contain",
            ),
            (
                format!("{bank}&statement_descriptor=SHOP*1"),
                "statement_descriptor",
                "The statement descriptor cannot include *.",
            ),
            (
                format!("{card}&statement_descriptor_suffix=1"),
                "statement_descriptor_suffix",
                "The statement descriptor must contain",
            ),
            (
                format!("{card}&statement_descriptor_suffix=It's"),
                "statement_descriptor_suffix",
                "The statement descriptor cannot include '.",
            ),
            (
                format!("{card}&statement_descriptor_suffix=a%5C"),
                "statement_descriptor_suffix",
                "The statement descriptor cannot include \\.",
            ),
        ] {
            let error = refused(&mut Twin::default(), "/v1/payment_intents", &form);
            assert_eq!(error["param"], param, "{form}");
            assert!(error["message"].as_str().unwrap().starts_with(message), "{form}: {error}");
        }
        let mut twin = Twin::default();
        let made = post(&mut twin, "/v1/payment_intents", &format!("{bank}&statement_descriptor=SHOP 1")).body;
        assert_eq!(made["statement_descriptor"], "SHOP 1");
        let path = format!("/v1/payment_intents/{}", made["id"].as_str().unwrap());
        let error = refused(&mut twin, &path, "payment_method_types[]=card");
        assert_eq!(error["param"], "statement_descriptor");
        let paid =
            post(&mut twin, &path, "payment_method_types[]=card&statement_descriptor=&statement_descriptor_suffix=A1")
                .body;
        assert_eq!((&paid["statement_descriptor"], &paid["statement_descriptor_suffix"]), (&Value::Null, &json!("A1")));
        let held = post(
            &mut twin,
            "/v1/payment_intents",
            &format!("{card}&capture_method=manual&confirm=true&payment_method=pm_card_visa"),
        );
        let path = format!("/v1/payment_intents/{}/capture", held.body["id"].as_str().unwrap());
        assert_eq!(refused(&mut twin, &path, "statement_descriptor=SHOP 1")["param"], "statement_descriptor");
    }
}
