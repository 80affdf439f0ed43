//! Parameters of a request. In Spree, query and body are one namespace; of a name in both, the value of the body counts.

use std::fmt::Display;
use std::ops::RangeInclusive;

use actix_web::HttpRequest;
use actix_web::web::Payload;
use paywright_domain::order::Metadata;
use paywright_domain::storefront::Address;
use paywright_domain::text::Text;
use serde_json::Value;

use super::PLATFORM;
use super::country::country;
use super::form;
use super::refusal::Refusal;
use crate::reader::{self, FieldProblem, FieldProblems, Fields, NotRead, Reader, Reason};
use crate::receiving::read_body;
use crate::requests::{JSON_BYTES_MAX, JSON_BYTES_WITH_KEY_MAX};

/// Problem of a text that is no code of a country.
pub(super) const NO_COUNTRY: &str = "must be the two or three letters of a country, like DE or DEU";

/// Parameters as they were sent, with the path of the object that they belong to.
#[derive(Debug, Default)]
pub(super) struct Params {
    path: String,
    fields: Fields,
}

/// Reads a string. A number is read as a string too, since clients send ids either way.
pub(super) fn text(value: &Value) -> Result<String, Reason> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err("must be a string".into()),
    }
}

/// Reads an integer, given as a JSON number or as a string. One that an `i64` cannot hold counts as the nearest that it
/// can, which is outside the limits of every field.
fn integer(value: &Value) -> Result<i64, Reason> {
    let text = text(value).map_err(|_| "must be an integer")?;
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err("must be an integer".into());
    }
    Ok(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

/// Reads a boolean, also as forms send it: `true`, `1`, `false`, `0` or an empty string, which a cleared checkbox sends.
pub(super) fn flag(value: &Value) -> Result<bool, Reason> {
    if let Value::Bool(flag) = value {
        return Ok(*flag);
    }
    let text = text(value).map_err(|_| "must be true or false")?;
    match text.as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

impl Params {
    /// Reads the parameters of a request with its body.
    pub(super) async fn read(request: &HttpRequest, payload: Payload) -> Result<Self, Refusal> {
        let mut params = Self::of_query(request)?;
        let is_of_application = request.path().starts_with(PLATFORM);
        let bytes_max = if is_of_application { JSON_BYTES_WITH_KEY_MAX } else { JSON_BYTES_MAX };
        let body = read_body(request, payload, bytes_max).await?;
        if form::is_form(request, &body) {
            params.fields.extend(form::parse(&body)?);
        } else if !body.is_empty() {
            match reader::parse(&body) {
                Ok(Value::Object(fields)) => params.fields.extend(fields),
                Ok(Value::Null) => {}
                Ok(_) => return Err(Refusal::bad_request("the body must be a JSON object")),
                Err(NotRead::Malformed(error)) => {
                    return Err(Refusal::bad_request(reader::not_json(&body, &error)));
                }
                Err(NotRead::Invalid(problems)) => return Err(problems.into()),
            }
        }
        Ok(params)
    }

    /// Reads the parameters of the query alone. `fields[cart]=number` is an object `fields` with a field `cart`.
    pub(super) fn of_query(request: &HttpRequest) -> Result<Self, Refusal> {
        Ok(Self { path: String::new(), fields: form::parse(request.query_string().as_bytes())? })
    }

    /// Returns the parameters without blank strings, which forms of filters send for what is not filled in.
    pub(super) fn without_blanks(mut self) -> Self {
        let is_blank = |it: &Value| it.as_str().is_some_and(|it| it.trim().is_empty());
        self.fields.retain(|_, it| !is_blank(it));
        for fields in self.fields.values_mut().filter_map(Value::as_object_mut) {
            fields.retain(|_, it| !is_blank(it));
        }
        self
    }

    /// Path of a parameter.
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Problem of a parameter.
    pub(super) fn problem(&self, name: &str, problem: impl Display) -> FieldProblem {
        FieldProblem::new(self.path_of(name), problem)
    }

    /// Reader that notes every problem of the parameters.
    pub(super) fn reader<'a>(&'a self, problems: &'a mut FieldProblems) -> Reader<'a> {
        Reader::open(self.path.clone(), &self.fields, problems)
    }

    /// [`Self::reader`] that also notes parameters other than those `known`.
    pub(super) fn reader_of<'a>(&'a self, known: &[&str], problems: &'a mut FieldProblems) -> Reader<'a> {
        Reader::at(self.path.clone(), &self.fields, known, problems)
    }

    /// Notes parameters other than those `known`.
    pub(super) fn note_others(&self, known: &[&str], problems: &mut FieldProblems) {
        drop(self.reader_of(known, problems));
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|it| !it.is_null())
    }

    /// Whether the parameter is present, even as null.
    pub(super) fn names(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    fn one<T>(&self, name: &str, read: impl FnOnce(&Value) -> Result<T, Reason>) -> Result<Option<T>, FieldProblem> {
        let mut problems = FieldProblems::default();
        let value = self.reader(&mut problems).optional(name, read);
        match problems.into_first() {
            Some(problem) => Err(problem),
            None => Ok(value),
        }
    }

    /// Reads an optional string.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, FieldProblem> {
        self.one(name, text)
    }

    /// Reads a string that must be present and not blank.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.filter(|it| !it.trim().is_empty()).ok_or_else(|| Refusal::missing(name))
    }

    /// Whether the field is an integer below `minimum`.
    pub(super) fn is_below(&self, name: &str, minimum: i64) -> Result<bool, FieldProblem> {
        Ok(self.one(name, integer)?.is_some_and(|it| it < minimum))
    }

    /// Reads an optional integer. One outside `range` is refused with the limits.
    pub(super) fn integer_in<T>(&self, name: &str, range: RangeInclusive<T>) -> Result<Option<T>, FieldProblem>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        self.one(name, |it| {
            let number = T::try_from(integer(it)?).ok().filter(|it| range.contains(it));
            Ok(number.ok_or_else(|| format!("must be {} to {}", range.start(), range.end()))?)
        })
    }

    /// Reads an integer, which is `default` if it is absent or outside `range`.
    pub(super) fn integer_or<T>(&self, name: &str, range: RangeInclusive<T>, default: T) -> Result<T, FieldProblem>
    where
        T: TryFrom<i64> + PartialOrd,
    {
        let number = self.one(name, integer)?.and_then(|it| T::try_from(it).ok());
        Ok(number.filter(|it| range.contains(it)).unwrap_or(default))
    }

    /// Reads a boolean, which is false by default.
    pub(super) fn flag(&self, name: &str) -> Result<bool, FieldProblem> {
        Ok(self.one(name, flag)?.unwrap_or_default())
    }

    /// Reads an optional object.
    pub(super) fn under(&self, name: &str) -> Result<Option<Self>, FieldProblem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self { path: self.path_of(name), fields: fields.clone() })),
            Some(_) => Err(self.problem(name, "must be an object")),
        }
    }

    /// Reads an optional object whose name is no part of the paths in problems: `order[email]` is `email`.
    pub(super) fn under_root(&self, name: &str) -> Result<Option<Self>, FieldProblem> {
        Ok(self.under(name)?.map(|it| it.at("")))
    }

    /// Returns the parameters with another path.
    pub(super) fn at(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// Reads an object, as [`Self::under_root`], that must be present and not empty.
    pub(super) fn root(&self, name: &str) -> Result<Self, Refusal> {
        let root = self.under_root(name)?;
        root.filter(|it| !it.fields.is_empty()).ok_or_else(|| Refusal::missing(name))
    }

    /// Reads an array of objects, which is empty by default. As in Rails, it may be an object with the numbers of its
    /// elements as names: forms send `shipments_attributes[0][id]`.
    pub(super) fn each(&self, name: &str) -> Result<Vec<Self>, FieldProblem> {
        let Some(list) = self.get(name) else { return Ok(Vec::new()) };
        let is_number = |it: &String| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let numbered = list.as_object().filter(|it| it.keys().all(is_number)).map(|it| it.values().collect::<Vec<_>>());
        let list = list.as_array().map(|it| it.iter().collect()).or(numbered);
        let list = list.ok_or_else(|| self.problem(name, "must be an array"))?;
        let object = |(place, it): (usize, &Value)| {
            let path = format!("{}[{place}]", self.path_of(name));
            match it.as_object() {
                Some(fields) => Ok(Self { path, fields: fields.clone() }),
                None => Err(FieldProblem::new(path, "must be an object")),
            }
        };
        list.into_iter().enumerate().map(object).collect()
    }

    /// Reads metadata, whose values are strings, numbers or booleans.
    pub(super) fn metadata(&self, name: &str) -> Result<Metadata, FieldProblems> {
        let mut problems = FieldProblems::default();
        let entries = self.reader(&mut problems).entries(name, |key, value| {
            let flag = value.as_bool().map(|it| Ok(it.to_string()));
            let text = flag.unwrap_or_else(|| text(value));
            let text = text.map_err(|_| "must be a string, a number, true or false")?;
            Ok((Text::of_one_line(key)?, Text::new(text)?))
        });
        problems.done(Some(entries.unwrap_or_default().into_iter().collect()))
    }

    /// Reads an address, with all of its problems.
    pub(super) fn address(&self) -> Result<Address, FieldProblems> {
        let mut problems = FieldProblems::default();
        let mut it = self.reader(&mut problems);
        if it.get("country_iso").is_none() {
            it.note("country_iso", "can't be blank");
        }
        let country = it.optional("country_iso", |it| Ok(country(&text(it)?).ok_or(NO_COUNTRY)?));
        let address = Address {
            first_name: bounded(&mut it, "firstname"),
            last_name: bounded(&mut it, "lastname"),
            company: bounded(&mut it, "company"),
            address1: bounded(&mut it, "address1"),
            address2: bounded(&mut it, "address2"),
            city: bounded(&mut it, "city"),
            zipcode: bounded(&mut it, "zipcode"),
            state: bounded(&mut it, "state_name"),
            phone: bounded(&mut it, "phone"),
            label: bounded(&mut it, "label"),
            is_quick: it.optional("quick_checkout", flag).unwrap_or_default(),
            country: match country {
                Some(country) => country,
                None => return Err(problems),
            },
        };
        if problems.is_empty() {
            for field in address.missing_when_given() {
                problems.keep::<()>(Err(self.problem(field.name(), "can't be blank")));
            }
        }
        problems.done(Some(address))
    }
}

/// Reads a text of an address. An absent one is empty; a refused one is noted.
fn bounded<const MAX: usize>(address: &mut Reader<'_>, field: &str) -> Text<0, MAX> {
    address.optional(field, |it| Ok(Text::new(text(it)?)?)).unwrap_or_default()
}
