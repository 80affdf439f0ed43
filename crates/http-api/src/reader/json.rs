//! JSON parser that notes duplicate names of an object, since parsers disagree on which of the two values counts, and the
//! character U+0000, which PostgreSQL cannot store.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{FieldProblems, HAS_NUL};

/// Parses a whole text. An error is a syntax error: the text is not JSON.
pub(super) fn parse(text: &[u8], problems: &mut FieldProblems) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Node { path: &Path::Root, problems }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Path from the root to a value, without allocation: it is formatted only for a problem.
enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(before, name) => write!(f, "{before}.{name}"),
            Self::Item(before, place) => write!(f, "{before}[{place}]"),
        }
    }
}

/// Value at a path, to be deserialized.
struct Node<'a> {
    path: &'a Path<'a>,
    problems: &'a mut FieldProblems,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        if value.contains('\0') {
            self.problems.note(self.path.to_string(), HAS_NUL);
        }
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        loop {
            let path = Path::Item(self.path, read.len());
            match items.next_element_seed(Node { path: &path, problems: &mut *self.problems })? {
                Some(item) => read.push(item),
                None => return Ok(Value::Array(read)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = Path::Field(self.path, &name);
            let value = fields.next_value_seed(Node { path: &path, problems: &mut *self.problems })?;
            if name.contains('\0') {
                self.problems.note(self.path.to_string(), HAS_NUL);
            }
            if read.contains_key(&name) {
                let path = path.to_string();
                self.problems.note_caller_name(&path, &path, "appears twice");
            }
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}
