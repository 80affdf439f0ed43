//! Pages of lists ("Pagination" in Stripe's API reference).

use serde_json::{Value, json};

use crate::collection::{Collection, Stored};
use crate::error::Refusal;
use crate::params::Params;
use crate::state::Twin;

/// Whether an object created at a time is within `created` of a request: a second, or a range.
pub(crate) fn is_created(at: i64, params: &Params) -> bool {
    params.int("created").is_none_or(|time| at == time)
        && params.int("created.gte").is_none_or(|from| at >= from)
        && params.int("created.gt").is_none_or(|from| at > from)
        && params.int("created.lte").is_none_or(|to| at <= to)
        && params.int("created.lt").is_none_or(|to| at < to)
}

/// Whether a parameter is absent or has this value.
pub(crate) fn is(params: &Params, name: &str, value: &str) -> bool {
    params.text(name).is_none_or(|it| it == value)
}

impl Twin {
    /// Refuses a filter of a list by the id of an object that does not exist. Deleted customers still exist.
    pub(crate) fn check_filters(&self, params: &Params) -> Result<(), Refusal> {
        let check = |name: &str, noun: &str, exists: &dyn Fn(&str) -> bool| match params.text(name) {
            Some(id) if !exists(id) => Err(Refusal::no_such(noun, id).of_param(name)),
            Some(_) | None => Ok(()),
        };
        check("customer", "customer", &|id| self.customers.get(id).is_some())?;
        check("payment_intent", "payment_intent", &|id| self.intents.get(id).is_some())?;
        check("charge", "charge", &|id| self.charges.get(id).is_some())?;
        check("payout", "payout", &|id| self.payouts.get(id).is_some())?;
        check("payment_method", "PaymentMethod", &|id| self.payment_methods.get(id).is_some())
    }
}

/// One page of the wanted objects as JSON, the newest first. `noun` names the kind in a refusal of a cursor.
pub(crate) fn page<T: Stored>(
    url: &str,
    noun: &str,
    all: &Collection<T>,
    params: &Params,
    wanted: impl Fn(&T) -> bool,
    to_json: impl Fn(&T) -> Value,
) -> Result<Value, Refusal> {
    let limit = params.int("limit").unwrap_or(10);
    if limit > 100 {
        let message = format!("Limit cannot be greater than 100; given {limit}");
        return Err(Refusal::invalid("limit", &message));
    }
    if limit < 1 {
        return Err(Refusal::parameter(
            "parameter_invalid_integer",
            "limit",
            "This value must be greater than or equal to 1.",
        ));
    }
    let limit = usize::try_from(limit).unwrap_or(100);
    let cursor = |name: &str| match params.text(name) {
        Some(id) => all.number(id).map(Some).ok_or_else(|| Refusal::no_such(noun, id).of_param(name)),
        None => Ok(None),
    };
    let (after, before) = (cursor("starting_after")?, cursor("ending_before")?);
    let mut found: Vec<&T> = match (after, before) {
        (Some(_), Some(_)) => {
            let message = "You cannot parameterize both `starting_after` and `ending_before`";
            return Err(Refusal::invalid("starting_after", message));
        }
        (Some(after), None) => all.older_than(after).filter(|it| wanted(it)).take(limit + 1).collect(),
        (None, Some(before)) => all.newer_than(before).filter(|it| wanted(it)).take(limit + 1).collect(),
        (None, None) => all.iter().rev().filter(|it| wanted(it)).take(limit + 1).collect(),
    };
    let has_more = found.len() > limit;
    found.truncate(limit);
    if before.is_some() {
        found.reverse();
    }
    let data: Vec<Value> = found.into_iter().map(to_json).collect();
    Ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": url }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::request::Method;
    use crate::state::Twin;
    use crate::twin::tests::{NOW, post, request};

    #[test]
    fn a_filter_by_an_object_that_does_not_exist_is_refused() {
        let mut twin = Twin::default();
        for (list, param, message) in [
            ("payment_intents", "customer", "No such customer: 'x_1'"),
            ("charges", "customer", "No such customer: 'x_1'"),
            ("charges", "payment_intent", "No such payment_intent: 'x_1'"),
            ("refunds", "payment_intent", "No such payment_intent: 'x_1'"),
            ("refunds", "charge", "No such charge: 'x_1'"),
            ("disputes", "payment_intent", "No such payment_intent: 'x_1'"),
            ("disputes", "charge", "No such charge: 'x_1'"),
            ("setup_intents", "customer", "No such customer: 'x_1'"),
            ("setup_intents", "payment_method", "No such PaymentMethod: 'x_1'"),
            ("payment_methods", "customer", "No such customer: 'x_1'"),
        ] {
            let refused = twin.handle(&request(Method::Get, &format!("/v1/{list}"), &format!("{param}=x_1")), NOW).0;
            let error = &refused.body["error"];
            assert_eq!((refused.status, &error["code"]), (400, &json!("resource_missing")), "{list} {param}");
            assert_eq!((&error["param"], &error["message"]), (&json!(param), &json!(message)), "{list} {param}");
        }
    }

    #[test]
    fn the_intents_of_a_deleted_customer_are_listed() {
        let mut twin = Twin::default();
        let customer = post(&mut twin, "/v1/customers", "").body["id"].as_str().unwrap().to_owned();
        post(&mut twin, "/v1/payment_intents", &format!("amount=500&currency=usd&customer={customer}"));
        twin.handle(&request(Method::Delete, &format!("/v1/customers/{customer}"), ""), NOW);
        let list = request(Method::Get, "/v1/payment_intents", &format!("customer={customer}"));
        assert_eq!(twin.handle(&list, NOW).0.body["data"][0]["amount"], 500);
    }
}
