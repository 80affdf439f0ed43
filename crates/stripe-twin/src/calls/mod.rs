//! Table of the calls that the twin answers: routes, parameters, and what each parameter does.
//!
//! A parameter of Stripe's description is honoured, or refused as one that the twin does not model. No parameter is
//! dropped silently.

mod listing;
mod not_modelled;
mod parameters;
mod table;

use std::sync::LazyLock;

use serde_json::Value;

pub use listing::{CallListing, ParameterListing, Treatment, calls, calls_table};

use crate::body::Body;
use crate::error::Refusal;
use crate::expand;
use crate::kinds::{Spec, matches};
use crate::objects::Snapshot;
use crate::params::{Params, bracketed};
use crate::request::{Method, Request};
use crate::state::Twin;

const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_CHARS_MAX: usize = 40;

/// Parameters that a call honours.
type Specs = &'static [&'static [Spec]];
/// Function that performs a call and answers JSON.
type ToJson = fn(&mut Twin, &Sent<'_>) -> Result<Value, Refusal>;
/// Function that performs a call and answers an object, which is rendered when it is read.
type ToObject = fn(&mut Twin, &Sent<'_>) -> Result<Snapshot, Refusal>;

enum Handler {
    Json(ToJson),
    Object(ToObject),
}

/// One call: a method and a path, as in Stripe's description.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path with the names of its parameters in braces, like `/v1/payment_intents/{intent}`.
    pub(crate) path: &'static str,
    /// Kind of the object that the call answers, or of the objects of its list.
    object: &'static str,
    is_list: bool,
    /// Parameters that the twin honours.
    pub(crate) honoured: Specs,
    handler: Handler,
}

/// A request that was routed to a call.
pub(crate) struct Sent<'a> {
    pub(crate) request: &'a Request,
    pub(crate) params: &'a Params,
    /// First id of the path; empty if it has none.
    pub(crate) id: &'a str,
    /// Time of the request, in seconds since 1970.
    pub(crate) now: i64,
}

/// Calls with their paths split into segments.
static ROUTES: LazyLock<Vec<(Vec<&'static str>, &'static Call)>> =
    LazyLock::new(|| table::CALLS.iter().map(|it| (it.path.split('/').skip(1).collect(), it)).collect());

/// Longest path of a call, in segments.
const SEGMENTS_MAX: usize = 6;

impl Twin {
    /// Routes a request to its call, checks its parameters and performs it.
    pub(crate) fn perform(&mut self, request: &Request, now: i64) -> Result<Body, Refusal> {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').take(SEGMENTS_MAX).collect();
        let route = ROUTES.iter().find(|(pattern, call)| call.method == request.method && is_at(pattern, &path));
        let Some((pattern, call)) = route else { return Err(Refusal::url(request.method.name(), &request.path)) };
        call.check(&request.params)?;
        let expanded = request.params.list("expand");
        expand::check(&expanded, call.object, call.is_list)?;
        let id = pattern.iter().zip(&path).find(|(it, _)| it.starts_with('{')).map_or("", |(_, id)| *id);
        let sent = Sent { request, params: &request.params, id, now };
        match call.handler {
            Handler::Object(handler) => {
                let object = handler(self, &sent)?;
                if expanded.is_empty() {
                    return Ok(Body::from(object));
                }
                let mut json = object.to_json();
                self.expand(&mut json, &expanded);
                Ok(Body::rendered(object, json))
            }
            Handler::Json(handler) => {
                let mut json = handler(self, &sent)?;
                self.expand(&mut json, &expanded);
                Ok(Body::from(json))
            }
        }
    }
}

fn is_at(pattern: &[&str], path: &[&str]) -> bool {
    // `search` is a call of its own at Stripe, which the twin does not have.
    let is_id = |it: &str| !it.is_empty() && it != "search";
    let fits = |(wanted, given): (&&str, &&str)| wanted == given || (wanted.starts_with('{') && is_id(given));
    pattern.len() == path.len() && pattern.iter().zip(path).all(fits)
}

impl Call {
    /// Name of the call: its method and its path.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method.name(), self.path)
    }

    /// Parameters of the call in Stripe's description that the twin does not model; each covers all names below it.
    fn not_modelled(&self) -> impl Iterator<Item = &'static str> {
        let name = self.name();
        let found = not_modelled::NOT_MODELLED.iter().filter(move |(call, _)| *call == name);
        found.flat_map(|(_, names)| names.split_ascii_whitespace())
    }

    fn spec(&self, name: &str) -> Option<&'static Spec> {
        self.honoured.iter().copied().flatten().find(|it| it.is_named(name))
    }

    /// Checks every parameter: its name, its value, and the limits of metadata.
    fn check(&self, params: &Params) -> Result<(), Refusal> {
        for (name, value) in params.iter() {
            match self.spec(name) {
                Some(spec) => spec.check(value, || bracketed(name))?,
                None => return Err(self.refuse(name, params)),
            }
        }
        let mut keys = 0;
        for (key, _) in params.below("metadata") {
            keys += 1;
            let length = key.chars().count();
            if length > METADATA_KEY_CHARS_MAX {
                let message = format!(
                    "Metadata keys can have up to {METADATA_KEY_CHARS_MAX} characters, but you passed in a key that is \
                     {length} characters. Invalid key: {key}"
                );
                return Err(Refusal::invalid("metadata", &message));
            }
        }
        if keys > METADATA_KEYS_MAX {
            let message = format!("You can have up to {METADATA_KEYS_MAX} keys in metadata, but you passed in {keys}");
            return Err(Refusal::invalid("metadata", &message));
        }
        Ok(())
    }

    /// Whether a name is one of the parameters that the twin does not model, or below one.
    fn is_not_modelled(&self, name: &str) -> bool {
        self.not_modelled().any(|covering| {
            let start: Vec<&str> = name.split('.').take(covering.split('.').count()).collect();
            matches(covering, &start.join("."))
        })
    }

    /// Refusal of a parameter that the twin does not honour.
    fn refuse(&self, name: &str, params: &Params) -> Refusal {
        if self.is_not_modelled(name) {
            return Refusal::not_modelled(&bracketed(name));
        }
        let below = format!("{name}.");
        if self.honoured.iter().copied().flatten().any(|it| it.name.starts_with(&below)) {
            let noun = if self.spec(&format!("{below}0")).is_some() { "array" } else { "object" };
            return Refusal::invalid(&bracketed(name), &format!("Invalid {noun}"));
        }
        let unknown = params.iter().map(|(name, _)| name);
        let unknown = unknown.filter(|it| self.spec(it).is_none() && !self.is_not_modelled(it));
        let unknown: Vec<String> = unknown.map(bracketed).collect();
        Refusal::unknown_parameters(&unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::tests::{post, request};

    fn refused(path: &str, form: &str) -> Value {
        let answer = post(&mut Twin::default(), path, form);
        assert_eq!(answer.status, 400, "{form}: {}", answer.body);
        answer.body["error"].clone()
    }

    #[test]
    fn an_unknown_parameter_and_one_that_is_not_modelled_are_refused_by_name() {
        let form = "amount=500&currency=usd&color=red&size[x]=1";
        let unknown = refused("/v1/payment_intents", form);
        assert_eq!((&unknown["code"], &unknown["param"]), (&"parameter_unknown".into(), &"color".into()));
        assert_eq!(unknown["message"], "Received unknown parameters: color, size[x]");
        for (form, param) in [
            ("transfer_data[destination]=acct_1", "transfer_data[destination]"),
            (
                "payment_method_options[alipay][setup_future_usage]=none",
                "payment_method_options[alipay][setup_future_usage]",
            ),
            ("on_behalf_of=acct_1", "on_behalf_of"),
        ] {
            let refused = refused("/v1/payment_intents", &format!("amount=500&currency=usd&{form}"));
            assert_eq!((&refused["code"], &refused["param"]), (&"parameter_not_modelled".into(), &param.into()));
            assert!(refused["message"].as_str().unwrap().contains("does not model"), "{refused}");
        }
    }

    #[test]
    fn each_value_is_checked_by_its_kind() {
        let metadata = (0..51).map(|it| format!("metadata[k{it}]=x")).collect::<Vec<_>>().join("&");
        for (form, message) in [
            ("amount=10.5", "Invalid integer: 10.5"),
            ("amount=1e3", "Invalid integer: 1e3"),
            ("amount=%2010", "Invalid integer:  10"),
            ("confirm=yes", "Invalid boolean: yes"),
            (
                "statement_descriptor_suffix=aaaaabbbbbcccccdddddeeeee",
                "Invalid string: aaaaa...eeeee; must be at most 22",
            ),
            ("capture_method=often", "Invalid capture_method: must be one of automatic, automatic_async, or manual"),
            ("expand=customer", "Invalid array"),
            ("metadata=x", "Invalid object"),
            ("customer=", "You passed an empty string for 'customer'."),
            (
                &format!("metadata[k]={}", "x".repeat(501)),
                "Metadata values can have up to 500 characters, but you passed",
            ),
            (&format!("metadata[{}]=x", "k".repeat(41)), "Metadata keys can have up to 40 characters, but you passed"),
            (&metadata, "You can have up to 50 keys"),
        ] {
            let refused = refused("/v1/payment_intents", &format!("currency=usd&{form}"));
            assert!(refused["message"].as_str().unwrap().starts_with(message), "{form}: {refused}");
        }
        for yes in ["true", "True"] {
            let form = format!("amount=500&currency=usd&confirm={yes}&payment_method=pm_card_visa");
            assert_eq!(post(&mut Twin::default(), "/v1/payment_intents", &form).body["status"], "succeeded");
        }
    }

    #[test]
    fn a_path_that_is_no_call_is_refused() {
        for (method, path) in [
            (Method::Post, "/v1/moonbeams"),
            (Method::Get, "/v1/payment_intents/pi_1/confirm"),
            (Method::Delete, "/v1/refunds/re_1"),
            (Method::Get, "/v1/payment_intents/search"),
            (Method::Get, "/v1/a/b/c/d/e/f/g/h"),
        ] {
            let answer = Twin::default().handle(&request(method, path, ""), 0).0;
            let message = format!("Unrecognized request URL ({}: {path}).", method.name());
            assert_eq!(answer.status, 404);
            assert!(answer.body["error"]["message"].as_str().unwrap().starts_with(&message), "{}", answer.body);
        }
    }
}
