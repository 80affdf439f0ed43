//! Parts of a PaymentIntent's amount, and the check that they add up ("Payment line items"; changelog 2026-01-28).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::kinds::{Kind, Spec, as_flag, clearable, param};
use crate::objects::set;
use crate::params::Params;

/// Most line items of one intent.
const LINES_MAX: usize = 200;

/// Parameters below `amount_details`, with Stripe's limit on each text.
pub(crate) const AMOUNT_DETAILS: &[Spec] = &[
    param("amount_details", Kind::Unset),
    param("amount_details.enforce_arithmetic_validation", Kind::Bool),
    clearable("amount_details.discount_amount", Kind::Int),
    param("amount_details.shipping", Kind::Unset),
    clearable("amount_details.shipping.amount", Kind::Int),
    param("amount_details.shipping.from_postal_code", Kind::Text(10)),
    param("amount_details.shipping.to_postal_code", Kind::Text(10)),
    param("amount_details.tax", Kind::Unset),
    param("amount_details.tax.total_tax_amount", Kind::Int),
    param("amount_details.line_items", Kind::Unset),
    param("amount_details.line_items.*.product_name", Kind::Text(1024)),
    param("amount_details.line_items.*.product_code", Kind::Text(12)),
    param("amount_details.line_items.*.quantity", Kind::Int),
    param("amount_details.line_items.*.unit_cost", Kind::Int),
    param("amount_details.line_items.*.unit_of_measure", Kind::Text(12)),
    param("amount_details.line_items.*.discount_amount", Kind::Int),
    param("amount_details.line_items.*.tax.total_tax_amount", Kind::Int),
    param("amount_details.line_items.*.payment_method_options.card.commodity_code", Kind::Text(12)),
    param("amount_details.line_items.*.payment_method_options.card_present.commodity_code", Kind::Text(12)),
];

/// Parts of an amount: the values below `amount_details`, by their dotted names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct AmountDetails {
    values: BTreeMap<String, String>,
    /// Code and message of a mismatch that the request allowed.
    error: Option<(String, String)>,
}

impl AmountDetails {
    /// Parts after a request: those that it names are replaced, the others stay. They must add up to `amount`, unless
    /// the request has `enforce_arithmetic_validation=false`.
    pub(crate) fn changed(&self, params: &Params, amount: i64) -> Result<Self, Refusal> {
        let given = params.under("amount_details");
        let mut values = if params.given("amount_details") == Some("") { BTreeMap::new() } else { self.values.clone() };
        let parts: BTreeSet<&str> = given.keys().map(|it| part(it)).collect();
        values.retain(|name, _| !parts.contains(part(name)));
        let enforces = given.get("enforce_arithmetic_validation").is_none_or(|it| as_flag(it) != Some(false));
        values.extend(given.into_iter().filter(|(name, it)| !it.is_empty() && name != "enforce_arithmetic_validation"));
        let mut changed = Self { values, error: None };
        changed.check()?;
        match changed.arithmetic_error(amount) {
            Some((code, message)) if enforces => {
                return Err(Refusal::parameter(code, "amount_details", &message));
            }
            Some((code, message)) => changed.error = Some((code.to_owned(), message)),
            None => {}
        }
        Ok(changed)
    }

    /// Parts of a captured amount. If the intent has parts, the request must name those of the captured amount or clear
    /// them, because the intent's own may not add up to it.
    pub(crate) fn captured(&self, params: &Params, amount: i64) -> Result<Self, Refusal> {
        let names_some = params.has("amount_details");
        if !self.values.is_empty() && !names_some {
            let message = "The PaymentIntent was created with amount details: give those of the captured amount, or unset \
                           them";
            return Err(Refusal::parameter("parameter_missing", "amount_details", message));
        }
        self.changed(params, amount)
    }

    fn int(&self, name: &str) -> i64 {
        self.values.get(name).and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    /// Line items by index, each as its fields.
    fn lines(&self) -> BTreeMap<&str, BTreeMap<&str, &str>> {
        let mut lines: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
        for (name, value) in &self.values {
            let line = name.strip_prefix("line_items.").and_then(|it| it.split_once('.'));
            if let Some((index, field)) = line {
                lines.entry(index).or_default().insert(field, value);
            }
        }
        lines
    }

    /// Checks each part on its own.
    fn check(&self) -> Result<(), Refusal> {
        let lines = self.lines();
        if lines.len() > LINES_MAX {
            return Err(Refusal::invalid("amount_details[line_items]", "There is a maximum of 200 line items"));
        }
        for (index, line) in &lines {
            for field in ["product_name", "quantity", "unit_cost"] {
                if !line.contains_key(field) {
                    let name = format!("amount_details[line_items][{index}][{field}]");
                    return Err(Refusal::required(&name));
                }
            }
        }
        let positive = |name: &str| name.ends_with("discount_amount") || name.ends_with("quantity");
        let too_small = |name: &&String| self.int(name) < 1 && positive(name);
        if let Some(name) = self.values.keys().find(too_small) {
            return Err(Refusal::parameter(
                "parameter_invalid_integer",
                &format!("amount_details.{name}"),
                "at least 1",
            ));
        }
        for (of_all, of_line) in
            [("discount_amount", "discount_amount"), ("tax.total_tax_amount", "tax.total_tax_amount")]
        {
            if self.values.contains_key(of_all) && lines.values().any(|it| it.contains_key(of_line)) {
                let names = format!("amount_details[{of_all}], amount_details[line_items][#][{of_line}]");
                return Err(Refusal::parameter("parameters_exclusive", &names, "Only one of these may be given"));
            }
        }
        Ok(())
    }

    /// Stripe's code and a message if the parts do not add up to `amount` (`amount_details.error` of a PaymentIntent).
    fn arithmetic_error(&self, amount: i64) -> Option<(&'static str, String)> {
        let tax = self.int("tax.total_tax_amount");
        let (shipping, discount) = (self.int("shipping.amount"), self.int("discount_amount"));
        if tax + shipping - discount > amount {
            let message = format!("The sum of tax, shipping and discount is greater than the amount {amount}");
            return Some(("amount_details_tax_shipping_discount_greater_than_amount", message));
        }
        let lines = self.lines();
        let number = |line: &BTreeMap<&str, &str>, field: &str| {
            line.get(field).and_then(|it| it.parse::<i64>().ok()).unwrap_or_default()
        };
        let of_line = |line: &BTreeMap<&str, &str>| {
            number(line, "unit_cost") * number(line, "quantity") - number(line, "discount_amount")
                + number(line, "tax.total_tax_amount")
        };
        let sum: i64 = lines.values().map(of_line).sum::<i64>() - discount + tax + shipping;
        (!lines.is_empty() && sum != amount).then(|| {
            let message =
                format!("The line items, discount, tax and shipping add up to {sum}, but the amount is {amount}");
            ("amount_details_amount_mismatch", message)
        })
    }

    /// The line items as a list, as a PaymentIntent shows them if they are expanded.
    pub(crate) fn lines_json(&self, intent: &str) -> Value {
        let mut lines: Vec<_> = self.lines().into_iter().collect();
        lines.sort_by_key(|(index, _)| index.parse::<u64>().unwrap_or(u64::MAX));
        let line = |(index, line): (&str, BTreeMap<&str, &str>)| {
            let number = |field: &str| line.get(field).and_then(|it| it.parse::<i64>().ok());
            let tax = number("tax.total_tax_amount").map(|it| json!({ "total_tax_amount": it }));
            json!({ "id": format!("uli_{intent}_{index}"), "object": "payment_intent_amount_details_line_item",
                "discount_amount": number("discount_amount"), "payment_method_options": null,
                "product_code": line.get("product_code"), "product_name": line.get("product_name"),
                "quantity": number("quantity"), "tax": tax, "unit_cost": number("unit_cost"),
                "unit_of_measure": line.get("unit_of_measure") })
        };
        let data: Vec<Value> = lines.into_iter().map(line).collect();
        let url = format!("/v1/payment_intents/{intent}/amount_details_line_items");
        json!({ "object": "list", "data": data, "has_more": false, "url": url })
    }

    /// The parts as JSON, without the line items, which Stripe shows only if they are expanded.
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({ "tip": {} });
        if self.values.contains_key("discount_amount") {
            set(&mut json, "discount_amount", json!(self.int("discount_amount")));
        }
        if self.values.contains_key("shipping.amount") {
            let code = |name: &str| self.values.get(name);
            let shipping = json!({ "amount": self.int("shipping.amount"),
                "from_postal_code": code("shipping.from_postal_code"),
                "to_postal_code": code("shipping.to_postal_code") });
            set(&mut json, "shipping", shipping);
        }
        if self.values.contains_key("tax.total_tax_amount") {
            set(&mut json, "tax", json!({ "total_tax_amount": self.int("tax.total_tax_amount") }));
        }
        if let Some((code, message)) = &self.error {
            set(&mut json, "error", json!({ "code": code, "message": message }));
        }
        json
    }
}

/// Part to which a value belongs, like `shipping` for `shipping.amount`.
fn part(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::state::Twin;
    use crate::twin::tests::post;

    /// Two items at 20.00, shipping 5.90, a discount of 4.00 and 3.00 of added tax: 44.90.
    const LINES: &str = "amount_details[line_items][0][product_name]=x&amount_details[line_items][0][quantity]=2&\
                         amount_details[line_items][0][unit_cost]=2000";
    const REST: &str = "amount_details[shipping][amount]=590&amount_details[discount_amount]=400&\
                        amount_details[tax][total_tax_amount]=300";

    fn code(answer: &crate::request::Response) -> Option<&str> {
        answer.body["error"]["code"].as_str()
    }

    #[test]
    fn an_amount_that_differs_from_the_sum_of_its_parts_is_refused() {
        let mismatch = Some("amount_details_amount_mismatch");
        for (form, expected) in [
            (format!("amount=4490&currency=usd&{LINES}&{REST}"), None),
            (format!("amount=4490&currency=usd&{LINES}"), mismatch),
            (format!("amount=4000&currency=usd&{LINES}"), None),
            // Stripe's own example: 2 x 2000 - 200 + 400 + 400.
            (
                format!(
                    "amount=4600&currency=usd&{LINES}&amount_details[discount_amount]=200&\
                     amount_details[tax][total_tax_amount]=400&amount_details[shipping][amount]=400"
                ),
                None,
            ),
            (
                "amount=500&currency=usd&amount_details[shipping][amount]=501".to_owned(),
                Some("amount_details_tax_shipping_discount_greater_than_amount"),
            ),
            (
                format!("amount=4490&currency=usd&{LINES}&{REST}&amount_details[line_items][0][discount_amount]=1"),
                Some("parameters_exclusive"),
            ),
            (
                format!("amount=4000&currency=usd&{LINES}&amount_details[discount_amount]=0"),
                Some("parameter_invalid_integer"),
            ),
            (
                "amount=500&currency=usd&amount_details[line_items][0][unit_cost]=500".to_owned(),
                Some("parameter_missing"),
            ),
        ] {
            let answer = post(&mut Twin::default(), "/v1/payment_intents", &form);
            assert_eq!((code(&answer), answer.status == 200), (expected, expected.is_none()), "{form}");
        }
    }

    #[test]
    fn an_unenforced_mismatch_is_reported_in_the_answer() {
        let form = format!("amount=4490&currency=usd&{LINES}&amount_details[enforce_arithmetic_validation]=false");
        let made = post(&mut Twin::default(), "/v1/payment_intents", &form).body;
        assert_eq!(made["amount_details"]["error"]["code"], "amount_details_amount_mismatch");
    }

    #[test]
    fn an_update_keeps_parts_that_it_does_not_name() {
        let mut twin = Twin::default();
        let made = post(&mut twin, "/v1/payment_intents", &format!("amount=4490&currency=usd&{LINES}&{REST}")).body;
        assert_eq!(made["amount_details"]["shipping"]["amount"], 590);
        let path = format!("/v1/payment_intents/{}", made["id"].as_str().unwrap());
        let mismatch = Some("amount_details_amount_mismatch");
        for (form, expected) in [
            ("amount=3900", mismatch),
            ("amount=3900&amount_details[shipping]=", None),
            ("amount=3900&description=x", None),
            ("amount=500&amount_details[line_items]=", None),
            ("amount=600&amount_details=", None),
        ] {
            assert_eq!(code(&post(&mut twin, &path, form)), expected, "{form}");
        }
    }

    #[test]
    fn a_capture_must_name_or_clear_the_parts_of_the_amount() {
        for (form, expected) in [
            ("amount_to_capture=2000".to_owned(), Some("parameter_missing")),
            (String::new(), Some("parameter_missing")),
            (format!("amount_to_capture=2000&{LINES}&{REST}"), Some("amount_details_amount_mismatch")),
            ("amount_to_capture=2000&amount_details=".to_owned(), None),
            (
                "amount_to_capture=2000&amount_details[line_items]=&amount_details[shipping]=&amount_details[tax]=&\
                 amount_details[discount_amount]="
                    .to_owned(),
                None,
            ),
            (format!("{LINES}&{REST}"), None),
        ] {
            let mut twin = Twin::default();
            let made = format!("amount=4490&currency=usd&capture_method=manual&confirm=true&{LINES}&{REST}");
            let made = post(&mut twin, "/v1/payment_intents", &format!("{made}&payment_method=pm_card_visa")).body;
            let path = format!("/v1/payment_intents/{}/capture", made["id"].as_str().unwrap());
            assert_eq!(code(&post(&mut twin, &path, &form)), expected, "{form}");
        }
    }
}
