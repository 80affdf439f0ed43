//! Reader from JSON and from queries to typed values, for both dialects and for files. All problems are found, each
//! with the path of its field and in terms of JSON.

mod json;
mod problems;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Query;
pub(crate) use problems::{FieldProblem, FieldProblems, echo, sentence};
use serde_json::error::Category;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// Fields of a JSON object, by name.
pub(crate) type Fields = Map<String, Value>;

/// Problem of a text with a character that no text may have.
pub(crate) const HAS_NUL: &str = "must not contain the character U+0000";

/// Reason for which a value is refused, without the name of its field.
#[derive(Debug)]
pub(crate) struct Reason(String);

impl<E: std::fmt::Display> From<E> for Reason {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Why a text is refused as JSON.
#[derive(Debug)]
pub(crate) enum NotRead {
    /// The text is not JSON.
    Malformed(serde_json::Error),
    /// The text is JSON with problems, like a duplicate name.
    Invalid(FieldProblems),
}

/// Parses JSON in which no object has a name twice.
pub(crate) fn parse(text: &[u8]) -> Result<Value, NotRead> {
    let mut problems = FieldProblems::default();
    let value = json::parse(text, &mut problems).map_err(NotRead::Malformed)?;
    problems.done(Some(value)).map_err(NotRead::Invalid)
}

/// Sentence for a text that is not JSON, without the parser's own words.
pub(crate) fn not_json(text: &[u8], error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof if text.trim_ascii().is_empty() => "the body is missing: it must be a JSON object".to_owned(),
        Category::Eof => "the body is not JSON: it ends too early".to_owned(),
        Category::Io | Category::Syntax | Category::Data => {
            format!("the body is not JSON: syntax error at line {line}, column {column}")
        }
    }
}

/// Parses a body that must be a JSON object. `invalid` is the error code for its fields.
pub(crate) fn parse_json(request: &HttpRequest, body: &[u8], invalid: &'static str) -> Result<Fields, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = "the Content-Type must be application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_not_supported", detail));
    }
    match parse(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Problem::invalid(invalid, FieldProblem::new("body", "must be an object").into())),
        Err(NotRead::Malformed(error)) => Err(Problem::bad_request("json_malformed", not_json(body, &error))),
        Err(NotRead::Invalid(problems)) => Err(Problem::invalid(invalid, problems)),
    }
}

/// As [`parse_json`], for a body that may be empty.
pub(crate) fn parse_json_if_any(request: &HttpRequest, body: &[u8], invalid: &'static str) -> Result<Fields, Problem> {
    if body.is_empty() { Ok(Fields::new()) } else { parse_json(request, body, invalid) }
}

/// Parses a query, in which each name may appear once.
pub(crate) fn parse_query(request: &HttpRequest) -> Result<Fields, Problem> {
    parse_form(request.query_string())
}

/// Parses the text of a query or of a form, in which each name may appear once.
pub(crate) fn parse_form(text: &str) -> Result<Fields, Problem> {
    let query = Query::<Vec<(String, String)>>::from_query(text)
        .map_err(|error| Problem::bad_request("query_malformed", error.to_string()))?;
    let (mut fields, mut problems) = (Fields::new(), FieldProblems::default());
    for (name, value) in query.into_inner() {
        if name.contains('\0') || value.contains('\0') {
            problems.note_caller_name(&name, &name, HAS_NUL);
        }
        if fields.contains_key(&name) {
            problems.note_caller_name(&name, &name, "appears twice");
        }
        fields.insert(name, Value::String(value));
    }
    problems.done(Some(fields)).map_err(Problem::query)
}

/// Reads a string.
pub(crate) fn string(value: &Value) -> Result<&str, Reason> {
    Ok(value.as_str().ok_or("must be a string")?)
}

/// Reads an integer, which may have a fraction of zero as in JSON Schema. One above `i64::MAX` is read as `i64::MAX`,
/// which every field refuses with its own limit.
pub(crate) fn integer(value: &Value) -> Result<i64, Reason> {
    let large = || value.is_u64().then_some(i64::MAX);
    let whole = || value.as_number().and_then(|it| it.to_string().strip_suffix(".0")?.parse().ok());
    Ok(value.as_i64().or_else(large).or_else(whole).ok_or("must be an integer")?)
}

/// Reads `true` or `false`.
pub(crate) fn boolean(value: &Value) -> Result<bool, Reason> {
    Ok(value.as_bool().ok_or("must be true or false")?)
}

/// JSON object that is being read, with its path. Problems are noted as they are found.
pub(crate) struct Reader<'a> {
    path: String,
    fields: &'a Fields,
    problems: &'a mut FieldProblems,
}

impl<'a> Reader<'a> {
    /// Reads the root object. Fields other than those `known` are noted as problems.
    pub(crate) fn new(fields: &'a Fields, known: &[&str], problems: &'a mut FieldProblems) -> Self {
        Self::at(String::new(), fields, known, problems)
    }

    /// Reads the object at a path. Fields other than those `known` are noted as problems.
    pub(crate) fn at(path: String, fields: &'a Fields, known: &[&str], problems: &'a mut FieldProblems) -> Self {
        let reader = Self::open(path, fields, problems);
        for name in fields.keys().filter(|it| !known.contains(&it.as_str())) {
            let path = reader.path_of(name);
            reader.problems.note_caller_name(path, name, "is not a known field");
        }
        reader
    }

    /// Reads an object in which unknown fields are allowed.
    pub(crate) const fn open(path: String, fields: &'a Fields, problems: &'a mut FieldProblems) -> Self {
        Self { path, fields, problems }
    }

    /// Path of a field of this object.
    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes a problem of a field.
    pub(crate) fn note(&mut self, name: &str, problem: impl std::fmt::Display) {
        let path = self.path_of(name);
        self.problems.note(path, problem);
    }

    /// Notes a problem of the object itself.
    pub(crate) fn note_here(&mut self, problem: impl std::fmt::Display) {
        self.problems.note(&self.path, problem);
    }

    /// Value of a field; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|it| !it.is_null())
    }

    /// Whether a field is present, even as null.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Reads an optional field. `None` also for an invalid value, which is noted.
    pub(crate) fn optional<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Reason>) -> Option<T> {
        read(self.get(name)?).map_err(|Reason(problem)| self.note(name, problem)).ok()
    }

    /// Reads a required field.
    pub(crate) fn required<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Reason>) -> Option<T> {
        if self.is_present(name) { self.optional(name, read) } else { None }
    }

    /// Whether a required field is present; an absent one is noted.
    fn is_present(&mut self, name: &str) -> bool {
        let is_present = self.get(name).is_some();
        if !is_present {
            self.note(name, "is missing");
        }
        is_present
    }

    /// Reads an optional array of objects with the fields `known`.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        known: &[&str],
        mut read: impl FnMut(&mut Reader<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(items) = self.get(name)?.as_array() else {
            self.note(name, "must be an array");
            return None;
        };
        let mut list = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let path = format!("{}[{place}]", self.path_of(name));
            match item.as_object() {
                Some(fields) => list.extend(read(&mut Reader::at(path, fields, known, self.problems))),
                None => self.problems.note(path, "must be an object"),
            }
        }
        Some(list)
    }

    /// As [`Self::list`], for a required field.
    pub(crate) fn required_list<T>(
        &mut self,
        name: &str,
        known: &[&str],
        read: impl FnMut(&mut Reader<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.is_present(name) { self.list(name, known, read) } else { None }
    }

    /// Reads a required object with the fields `known`.
    pub(crate) fn object<T>(
        &mut self,
        name: &str,
        known: &[&str],
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Option<T> {
        if !self.is_present(name) {
            return None;
        }
        let path = self.path_of(name);
        let fields = self.get(name).and_then(Value::as_object);
        if fields.is_none() {
            self.problems.note(&path, "must be an object");
        }
        read(&mut Reader::at(path, fields?, known, self.problems))
    }

    /// Reads an optional object whose names the caller chooses.
    pub(crate) fn entries<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str, &Value) -> Result<T, Reason>,
    ) -> Option<Vec<T>> {
        let Some(fields) = self.get(name)?.as_object() else {
            self.note(name, "must be an object");
            return None;
        };
        let mut list = Vec::new();
        for (key, value) in fields {
            let path = format!("{}.{key}", self.path_of(name));
            match read(key, value) {
                Ok(entry) => list.push(entry),
                Err(Reason(problem)) => self.problems.note_caller_name(path, key, problem),
            }
        }
        Some(list)
    }

    /// As [`Self::entries`], for a required field.
    pub(crate) fn required_entries<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str, &Value) -> Result<T, Reason>,
    ) -> Option<Vec<T>> {
        if self.is_present(name) { self.entries(name, read) } else { None }
    }

    /// Reads an optional array of plain values.
    pub(crate) fn values<T>(&mut self, name: &str, read: impl Fn(&Value) -> Result<T, Reason>) -> Option<Vec<T>> {
        let Some(items) = self.get(name)?.as_array() else {
            self.note(name, "must be an array");
            return None;
        };
        let mut list = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let path = format!("{}[{place}]", self.path_of(name));
            let value = read(item).map_err(|Reason(problem)| problem);
            list.extend(self.problems.take(path, value));
        }
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(text: &str) -> Vec<String> {
        match parse(text.as_bytes()) {
            Err(NotRead::Invalid(problems)) => problems.lines(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_duplicate_name_is_refused_at_any_depth() {
        assert_eq!(invalid("{\"a\":1,\"a\":1}"), ["a appears twice"]);
        let nested = "{\"a\":[{\"b\":{\"c\":1,\"d\":2,\"c\":3}},{\"e\":1,\"e\":2}]}";
        assert_eq!(invalid(nested), ["a[0].b.c appears twice", "a[1].e appears twice"]);
    }

    #[test]
    fn the_character_that_a_database_cannot_store_is_refused_at_any_depth() {
        let nested = "{\"a\":[{\"b\":\"x\\u0000\"}],\"c\":{\"d\\u0000\":1}}";
        let problem = "must not contain the character U+0000";
        assert_eq!(invalid(nested), [format!("a[0].b {problem}"), format!("c {problem}")]);
    }

    #[test]
    fn parsed_values_equal_those_of_serde_json() {
        let text = "{\"a\":[1,-2,18446744073709551615,0.5,1e3,null,true,\"x\\u00e9\\ud83d\\ude00\"],\"b\":{}}";
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for wrong in ["", "{", "[1,]", "{} {}", "{\"a\":1e999}", "nul", "{\"a\":\"\\ud800\"}", &"[".repeat(1000)] {
            assert!(matches!(parse(wrong.as_bytes()), Err(NotRead::Malformed(_))), "{wrong}");
        }
    }

    #[test]
    fn an_integer_may_have_a_fraction_of_zero() {
        for (text, read) in [
            ("7", Some(7)),
            ("7.0", Some(7)),
            ("-7.0", Some(-7)),
            ("1e3", Some(1000)),
            ("7.5", None),
            ("1e30", None),
            ("0.1", None),
            ("\"7\"", None),
            ("18446744073709551615", Some(i64::MAX)),
        ] {
            assert_eq!(integer(&parse(text.as_bytes()).unwrap()).ok(), read, "{text}");
        }
    }

    #[test]
    fn every_problem_has_a_path_and_a_rule_in_terms_of_json() {
        let Ok(Value::Object(fields)) = parse(
            br#"{"text": 1, "whole": 1.5, "large": 18446744073709551615, "flag": "yes", "none": null, "odd": 1,
                "list": [{"whole": "1"}, [], {"odd": 2}], "object": [], "entries": {"k": 1}, "values": ["x", 2]}"#,
        ) else {
            panic!("an object")
        };
        let mut problems = FieldProblems::default();
        let known = ["text", "whole", "large", "flag", "none", "list", "object", "entries", "values"];
        let mut it = Reader::new(&fields, &known, &mut problems);
        it.optional("text", |it| Ok(string(it)?.to_owned()));
        it.optional("whole", integer);
        assert_eq!(it.optional("large", integer), Some(i64::MAX));
        it.optional("flag", boolean);
        assert_eq!(it.optional("none", integer), None);
        it.required("none", integer);
        it.list("list", &["whole"], |it| it.required("whole", integer));
        it.object("object", &[], |_| Some(()));
        it.object("none", &[], |_| Some(()));
        it.entries("entries", |_, value| Ok(string(value)?.to_owned()));
        it.values("values", |value| Ok(string(value)?.to_owned()));
        it.required_list("whole", &[], |_| Some(()));
        let expected = [
            "odd is not a known field",
            "text must be a string",
            "whole must be an integer",
            "flag must be true or false",
            "none is missing",
            "list[0].whole must be an integer",
            "list[1] must be an object",
            "list[2].odd is not a known field",
            "list[2].whole is missing",
            "object must be an object",
            "none is missing",
            "entries.k must be a string",
            "values[1] must be a string",
            "whole must be an array",
        ];
        assert_eq!(problems.lines(), expected);
    }
}
