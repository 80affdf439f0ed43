//! Table of the calls that the twin answers: routes, parameters, and what each parameter does.
//!
//! A parameter of Stripe's description is honoured, or refused as one that the twin does not model. No parameter is
//! dropped silently.

mod checks;
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
        if call.is_list {
            self.check_filters(&request.params)?;
        }
        let expanded = request.params.list("expand");
        expand::check(&expanded, call.object, call.is_list)?;
        let id = pattern.iter().zip(&path).find(|(it, _)| it.starts_with('{')).map_or("", |(_, id)| *id);
        self.check_secret(id, &request.params)?;
        self.check_metadata(call.object, id, &request.params)?;
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
        if params.is_garbled() {
            return Err(Refusal::garbled());
        }
        for (name, value) in params.iter() {
            match self.spec(name) {
                Some(spec) => {
                    if let Some(list) = spec.list_with_key(name) {
                        return Err(Refusal::invalid(&bracketed(list), "Invalid array"));
                    }
                    spec.check(value, || bracketed(name))?;
                }
                None => return Err(self.refuse(name, params)),
            }
        }
        let mut keys = 0;
        for (key, _) in params.below("metadata") {
            keys += 1;
            if key.is_empty() {
                return Err(Refusal::invalid("metadata", "Invalid object"));
            }
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
            return Err(checks::too_many_keys(keys));
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
        if let Some(nested) = name.strip_prefix("metadata.").filter(|_| self.spec("metadata").is_some()) {
            // Stripe reads brackets inside a key as an object.
            let (_, inner) = nested.split_once('.').unwrap_or_default();
            let value = params.given(name).unwrap_or_default();
            let message = format!("Invalid value type: {{{inner:?}=>{value:?}}} must be a string");
            return Refusal::invalid("metadata", &message);
        }
        let below = format!("{name}.");
        if self.honoured.iter().copied().flatten().any(|it| it.name.starts_with(&below)) {
            if params.given(name) == Some("") {
                return Refusal::empty(&bracketed(name));
            }
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
    fn a_form_that_is_garbled_or_nests_metadata_is_refused() {
        for (form, param, message) in [
            ("description=caf%E9", Value::Null, "Invalid UTF-8"),
            ("metadata[a[b]]=x", "metadata".into(), "Invalid value type: {\"b\"=>\"x\"} must be a string"),
            ("metadata[a][b]=x", "metadata".into(), "Invalid value type: {\"b\"=>\"x\"} must be a string"),
            ("metadata[]=x", "metadata".into(), "Invalid object"),
            ("expand[a]=customer", "expand".into(), "Invalid array"),
            ("amount_details[line_items][a][quantity]=1", "amount_details[line_items]".into(), "Invalid array"),
        ] {
            let refused = refused("/v1/payment_intents", &format!("amount=500&currency=usd&{form}"));
            assert_eq!(refused["param"], param, "{form}");
            assert!(refused["message"].as_str().unwrap().starts_with(message), "{form}: {refused}");
        }
        let made = post(&mut Twin::default(), "/v1/customers", "metadata[0]=x&name=%EF%BF%BD").body;
        assert_eq!((&made["metadata"]["0"], &made["name"]), (&"x".into(), &"\u{fffd}".into()));
    }

    #[test]
    fn metadata_has_a_limit_also_over_several_updates() {
        let mut twin = Twin::default();
        let keys =
            |range: std::ops::Range<u32>| range.map(|it| format!("metadata[k{it}]=x")).collect::<Vec<_>>().join("&");
        let made = post(&mut twin, "/v1/customers", &keys(0..50)).body;
        let path = format!("/v1/customers/{}", made["id"].as_str().unwrap());
        assert_eq!(post(&mut twin, &path, &keys(0..10)).status, 200, "these keys are there already");
        let refused = post(&mut twin, &path, "metadata[more]=x&name=Ada");
        assert_eq!((refused.status, &refused.body["error"]["param"]), (400, &"metadata".into()));
        let swapped = post(&mut twin, &path, "metadata[more]=x&metadata[k0]=").body;
        assert_eq!((&swapped["metadata"]["more"], &swapped["name"]), (&"x".into(), &Value::Null));
    }

    #[test]
    fn a_client_secret_of_another_intent_is_refused_also_with_a_secret_key() {
        let mut twin = Twin::default();
        for (collection, form, noun, code) in [
            ("payment_intents", "amount=500&currency=usd", "PaymentIntent", "payment_intent_invalid_parameter"),
            ("setup_intents", "", "SetupIntent", "setup_intent_invalid_parameter"),
        ] {
            let made = post(&mut twin, &format!("/v1/{collection}"), form).body;
            let path = format!("/v1/{collection}/{}", made["id"].as_str().unwrap());
            let form = "payment_method=pm_card_authenticationRequired&client_secret=other";
            let finish = path.replace("/v1/", "/_twin/") + "/finish";
            for (method, path, form) in [
                (Method::Get, path.clone(), "client_secret=other"),
                (Method::Post, format!("{path}/confirm"), form),
                (Method::Post, finish, "client_secret=other"),
            ] {
                let refused = twin.handle(&request(method, &path, form), 0).0;
                let error = &refused.body["error"];
                let message =
                    format!("The client_secret provided does not match the client_secret associated with the {noun}.");
                assert_eq!((refused.status, &error["param"]), (400, &"client_secret".into()), "{path}");
                assert_eq!((&error["code"], &error["message"]), (&code.into(), &message.into()), "{path}");
            }
            let own = format!("client_secret={}", made["client_secret"].as_str().unwrap());
            assert_eq!(twin.handle(&request(Method::Get, &path, &own), 0).0.status, 200);
            let empty = twin.handle(&request(Method::Get, &path, "client_secret="), 0).0;
            assert_eq!(empty.body["error"]["code"], "parameter_invalid_empty");
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
