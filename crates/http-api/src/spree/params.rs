//! What a request says. Query and body are one namespace in this dialect; of the same name in both, the body's stands.

use actix_web::HttpRequest;
use actix_web::web::{Payload, Query};
use paywright_domain::{Address, CountryCode, Metadata, Text, TextProblem};
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::body::Check;
use crate::receiving::read_body;
use crate::requests::JSON_BYTES_MAX;

/// Names and values, as they came.
#[derive(Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Those of a request with its body.
    pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, Refusal> {
        let mut params = Self::of_query(request)?;
        let body = read_body(request, payload, JSON_BYTES_MAX).await?;
        if !body.is_empty() {
            let parsed = serde_json::from_slice(&body);
            let object: Option<Map<String, Value>> =
                parsed.map_err(|problem| Refusal::bad_request(format!("the body is not a JSON object: {problem}")))?;
            params.0.extend(object.unwrap_or_default());
        }
        Ok(params)
    }

    /// Those of the query alone. `fields[cart]=number` is `fields` with `cart` in it.
    pub(super) fn of_query(request: &HttpRequest) -> Result<Self, Refusal> {
        let query = Query::<Vec<(String, String)>>::from_query(request.query_string())
            .map_err(|problem| Refusal::bad_request(problem.to_string()))?;
        let mut params = Map::new();
        for (name, value) in query.into_inner() {
            let nested = name.strip_suffix(']').and_then(|it| it.split_once('['));
            match nested {
                Some((root, inner)) => {
                    let root = params.entry(root).or_insert_with(|| Value::Object(Map::new()));
                    if let Some(object) = root.as_object_mut() {
                        object.insert(inner.to_owned(), Value::String(value));
                    }
                }
                None => drop(params.insert(name, Value::String(value))),
            }
        }
        Ok(Self(params))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|it| !it.is_null())
    }

    /// Whether it is there, be it as null.
    pub(super) fn names(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A text. A number is taken as one, since ids are given either way.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Refusal::invalid(name, "is invalid")),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.filter(|it| !it.trim().is_empty()).ok_or_else(|| Refusal::missing(name))
    }

    /// A whole number.
    pub(super) fn count(&self, name: &str) -> Result<Option<u32>, Refusal> {
        let text = self.text(name)?;
        // What is no quantity at all is 0 here, which is refused in its own words.
        Ok(text.map(|it| it.trim().parse().unwrap_or(0)))
    }

    /// Yes or no.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|it| matches!(it, Value::Bool(true)) || it.as_str() == Some("true"))
    }

    /// What is under a name.
    pub(super) fn under(&self, name: &str) -> Result<Option<Self>, Refusal> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Self(object.clone()))),
            Some(_) => Err(Refusal::invalid(name, "is invalid")),
        }
    }

    /// What is under a root that must have something in it.
    pub(super) fn root(&self, name: &str) -> Result<Self, Refusal> {
        match self.under(name) {
            Ok(Some(root)) if !root.is_empty() => Ok(root),
            Ok(_) | Err(_) => Err(Refusal::missing(name)),
        }
    }

    /// Each of a list of objects.
    pub(super) fn each(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let wrong = || Refusal::invalid(name, "is invalid");
        let Some(list) = self.get(name) else { return Ok(Vec::new()) };
        let object = |it: &Value| it.as_object().cloned().map(Self).ok_or_else(wrong);
        list.as_array().ok_or_else(wrong)?.iter().map(object).collect()
    }

    /// The shop's own notes: texts, numbers and yes or no.
    pub(super) fn metadata(&self, name: &str) -> Result<Metadata, Refusal> {
        let Some(notes) = self.under(name)? else { return Ok(Metadata::new()) };
        let note = |(key, value): (&str, &Value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return Err(Refusal::invalid(name, "is invalid")),
            };
            let problem = |problem: TextProblem| Refusal::invalid(name, problem.to_string());
            Ok((Text::new(key).map_err(problem)?, Text::new(text).map_err(problem)?))
        };
        notes.entries().map(note).collect()
    }

    /// An address, with every problem of it named under `name`.
    pub(super) fn address(&self, name: &str) -> Result<Address, Refusal> {
        let mut check = Check::default();
        let country = match self.text("country_iso").ok().flatten().map(|it| it.parse::<CountryCode>()) {
            Some(Ok(country)) if super::country::is_known(country) => Ok(country),
            Some(_) => Err("must be the two letters of a country, like DE"),
            None => Err("can't be blank"),
        };
        let address = check.take(format!("{name}.country_iso"), country).map(|country| Address {
            first_name: self.bounded(name, "firstname", &mut check),
            last_name: self.bounded(name, "lastname", &mut check),
            company: self.bounded(name, "company", &mut check),
            address1: self.bounded(name, "address1", &mut check),
            address2: self.bounded(name, "address2", &mut check),
            city: self.bounded(name, "city", &mut check),
            zipcode: self.bounded(name, "zipcode", &mut check),
            state: self.bounded(name, "state_name", &mut check),
            country,
            phone: self.bounded(name, "phone", &mut check),
            label: self.bounded(name, "label", &mut check),
            is_quick: self.flag("quick_checkout"),
        });
        if let Some(address) = address.as_ref().filter(|_| check.0.is_empty()) {
            for field in address.missing_when_given() {
                check.note(format!("{name}.{}", field.name()), &"can't be blank");
            }
        }
        match address {
            Some(address) if check.0.is_empty() => Ok(address),
            Some(_) | None => Err(Refusal::all_invalid(check.0)),
        }
    }

    /// A text of an address, or none with its problem noted.
    fn bounded<const MAX: usize>(&self, address: &str, field: &str, check: &mut Check) -> Text<0, MAX> {
        let at = format!("{address}.{field}");
        let Ok(text) = self.text(field) else {
            check.note(at, &"is invalid");
            return Text::default();
        };
        check.take(at, Text::new(text.unwrap_or_default())).unwrap_or_default()
    }
}
