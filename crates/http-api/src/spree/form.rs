//! Parameters in the form of HTML forms (`application/x-www-form-urlencoded`), in bodies and in queries, with the brackets
//! that Rails reads: `order[email]=…`, `ids[]=…`, `payments[][id]=…`.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::reader::{HAS_NUL, echo};

/// Media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Most brackets of a name, as in Rack.
const DEPTH_MAX: usize = 32;
/// Most parameters of a form or a query, as in Rack.
const PARAMETERS_MAX: usize = 4096;

/// Whether the body of a request is a form, by its media type. Some clients send this type for everything, so a body that
/// begins like a JSON object is none.
pub(super) fn is_form(request: &HttpRequest, body: &[u8]) -> bool {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(FORM) && !body.trim_ascii_start().starts_with(b"{")
}

/// Parses a form or a query. Of a name that occurs twice the last value counts, as in Rails.
pub(super) fn parse(text: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let mut fields = Map::new();
    let pairs = text.split(|it| *it == b'&').filter(|it| !it.is_empty());
    for (place, pair) in pairs.enumerate() {
        if place >= PARAMETERS_MAX {
            return Err(Refusal::bad_request(format!("there must be at most {PARAMETERS_MAX} parameters")));
        }
        let mut parts = pair.splitn(2, |it| *it == b'=');
        let mut decoded = || decode(parts.next().unwrap_or_default());
        let (name, value) = (decoded()?, decoded()?);
        let mut names = names(&name)?.into_iter();
        let root = names.next().unwrap_or_default();
        put(&mut fields, root, names.as_slice(), value).map_err(|()| conflict(&name))?;
    }
    Ok(fields)
}

/// Decodes a name or a value: `+` is a space, `%41` is `A`. The result must be UTF-8.
fn decode(text: &[u8]) -> Result<String, Refusal> {
    let spaced: Vec<u8> = text.iter().map(|it| if *it == b'+' { b' ' } else { *it }).collect();
    let decoded = percent_encoding::percent_decode(&spaced).decode_utf8();
    let decoded = decoded.map_err(|_| Refusal::bad_request("the parameters must be UTF-8"))?;
    if decoded.contains('\0') {
        Err(Refusal::bad_request(format!("a parameter {HAS_NUL}")))
    } else {
        Ok(decoded.into_owned())
    }
}

/// Splits `a[b][]` into `a`, `b` and an empty name. Brackets that do not match are part of the name before them.
fn names(name: &str) -> Result<Vec<&str>, Refusal> {
    let Some((root, rest)) = name.split_once('[').filter(|(root, rest)| !root.is_empty() && rest.ends_with(']')) else {
        return Ok(vec![name]);
    };
    let inner = rest.strip_suffix(']').unwrap_or(rest).split("][");
    let names: Vec<&str> = std::iter::once(root).chain(inner).take(DEPTH_MAX + 1).collect();
    if names.len() > DEPTH_MAX {
        return Err(Refusal::bad_request(format!("{} must have at most {DEPTH_MAX} brackets", echo(name))));
    }
    Ok(names)
}

fn conflict(name: &str) -> Refusal {
    Refusal::bad_request(format!("{} is both a value and something that has values", echo(name)))
}

/// Puts a value at a path of names below `root`; an error where the path leads through a value of another kind.
fn put(fields: &mut Map<String, Value>, root: &str, path: &[&str], value: String) -> Result<(), ()> {
    let Some((first, rest)) = path.split_first() else {
        return match fields.insert(root.to_owned(), Value::String(value)) {
            None | Some(Value::String(_)) => Ok(()),
            Some(_) => Err(()),
        };
    };
    let is_list = first.is_empty();
    let empty = || if is_list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    match (fields.entry(root).or_insert_with(empty), is_list) {
        (Value::Array(list), true) => append(list, rest, value),
        (Value::Object(object), false) => put(object, first, rest, value),
        _ => Err(()),
    }
}

/// Appends a value to a list. Of a list of objects, `a[][b]=1&a[][c]=2` is one and a further `a[][b]=3` begins another.
fn append(list: &mut Vec<Value>, path: &[&str], value: String) -> Result<(), ()> {
    let Some((first, rest)) = path.split_first() else {
        list.push(Value::String(value));
        return Ok(());
    };
    let begins = match list.last() {
        Some(Value::Object(object)) => rest.is_empty() && object.contains_key(*first),
        Some(_) => return Err(()),
        None => true,
    };
    if begins {
        list.push(Value::Object(Map::new()));
    }
    match list.last_mut() {
        Some(Value::Object(object)) => put(object, first, rest, value),
        Some(_) | None => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_read_as_rails_reads_it() {
        for (text, fields) in [
            ("", json!({})),
            ("a=1&b=two+words&c=%C3%A9%26", json!({ "a": "1", "b": "two words", "c": "é&" })),
            ("a=1&a=2&b&=x", json!({ "a": "2", "b": "", "": "x" })),
            ("fields[cart]=number,token", json!({ "fields": { "cart": "number,token" } })),
            (
                "order%5Bship_address_attributes%5D%5Bcity%5D=Paris&order[email]=a%40b.c",
                json!({ "order": { "ship_address_attributes": { "city": "Paris" }, "email": "a@b.c" } }),
            ),
            ("ids[]=1&ids[]=2", json!({ "ids": ["1", "2"] })),
            (
                "p[][id]=1&p[][name]=x&p[][id]=2&p[][a][b]=3",
                json!({ "p": [{ "id": "1", "name": "x" }, { "id": "2", "a": { "b": "3" } }] }),
            ),
            ("s[0][id]=1&s[1][id]=2", json!({ "s": { "0": { "id": "1" }, "1": { "id": "2" } } })),
            ("a[=1&b]=2&[c]=3", json!({ "a[": "1", "b]": "2", "[c]": "3" })),
        ] {
            assert_eq!(Value::Object(parse(text.as_bytes()).unwrap()), fields, "{text}");
        }
        let deep = format!("a{}=1", "[b]".repeat(DEPTH_MAX));
        let many = "a=1&".repeat(PARAMETERS_MAX + 1);
        for wrong in [
            "a=%FF",
            "a=%00",
            "a%00=1",
            "a[b]=1&a=2",
            "a=1&a[b]=2",
            "a[]=1&a[b]=2",
            "a[b]=1&a[]=2",
            "a[]=1&a[][b]=2",
            &deep,
            &many,
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:.40}");
        }
    }
}
