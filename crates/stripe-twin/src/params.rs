//! Parser of Stripe's bracketed forms.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::error::Refusal;
use crate::kinds::as_flag;

/// Parameters of a request, by dotted names: `amount_details[line_items][0][quantity]=2` has the name
/// `amount_details.line_items.0.quantity`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params {
    values: BTreeMap<String, String>,
    /// Whether the form was not UTF-8.
    is_garbled: bool,
}

/// Character that replaces a dot inside one segment of a name, like the key of `metadata[a.b]`.
const DOT: char = '\u{1}';

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Params {
    /// Collects parameters with dotted names, like `metadata.order_id`.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { values, is_garbled: false }
    }
}

impl Params {
    /// Parses a form body or a query. `x[]=a&x[]=b` is a list in order of appearance; of a repeated name the last value
    /// counts.
    pub fn parse(text: &[u8]) -> Self {
        let mut parsed = BTreeMap::new();
        let mut lengths = HashMap::new();
        let mut has_replacement = false;
        for (key, value) in form_urlencoded::parse(text) {
            has_replacement |= key.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER);
            let name = dotted(&key, &mut lengths, &parsed);
            parsed.insert(name, value.into_owned());
        }
        // The character may have been sent as such.
        Self { values: parsed, is_garbled: has_replacement && std::str::from_utf8(&unescaped(text)).is_err() }
    }

    /// Whether the form was not UTF-8: some of its characters are lost.
    pub(crate) fn is_garbled(&self) -> bool {
        self.is_garbled
    }

    /// Every parameter with its dotted name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Value of a parameter; `None` if it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// Value of a parameter as an owned text; `None` if it is absent or empty.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// Value of a parameter, also if it is empty: an empty value clears a field.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Replaces a field by the value of a parameter if the request has it; an empty value clears the field.
    pub(crate) fn replace(&self, name: &str, field: &mut Option<String>) {
        if let Some(value) = self.given(name) {
            *field = Some(value.to_owned()).filter(|it| !it.is_empty());
        }
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|it| it.parse().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.bool(name) == Some(true)
    }

    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        self.text(name).and_then(as_flag)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::required(&bracketed(name)))
    }

    /// Whether the request has any parameter below `prefix`, or `prefix` itself.
    pub(crate) fn has(&self, prefix: &str) -> bool {
        self.values.contains_key(prefix) || self.below(prefix).next().is_some()
    }

    /// Parameters below `prefix`, with the rest of their names, in order of the names.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let inside = move |(key, value): (&'a String, &'a String)| {
            key.strip_prefix(prefix).and_then(|it| it.strip_prefix('.')).map(|it| (it, value.as_str()))
        };
        let sorted = self.values.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        sorted.take_while(move |(key, _)| key.starts_with(prefix)).filter_map(inside)
    }

    /// Parameters below `prefix`, by the rest of their names.
    pub(crate) fn under(&self, prefix: &str) -> BTreeMap<String, String> {
        self.below(prefix).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Values of a list parameter, in order of their indices.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let mut values: Vec<_> = self.below(name).collect();
        values.sort_by_key(|(index, _)| index.parse::<u64>().unwrap_or(u64::MAX));
        values.into_iter().map(|(_, value)| value.to_owned()).collect()
    }

    /// Changes metadata as the request says: `metadata=` clears all keys, `metadata[k]=` removes one ("Metadata").
    pub(crate) fn merge_metadata(&self, metadata: &mut BTreeMap<String, String>) {
        if self.given("metadata") == Some("") {
            metadata.clear();
        }
        for (key, value) in self.below("metadata") {
            let key = plain(key);
            if value.is_empty() {
                metadata.remove(key.as_ref());
            } else {
                metadata.insert(key.into_owned(), value.to_owned());
            }
        }
    }

    /// Metadata of a new object.
    pub(crate) fn metadata(&self) -> BTreeMap<String, String> {
        let mut metadata = BTreeMap::new();
        self.merge_metadata(&mut metadata);
        metadata
    }

    /// Text that is equal for equal parameters, whatever their order in the form.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.values {
            // Lengths are included so that different parameters never give the same text.
            text.extend([&key.len().to_string(), ":", key, "=", &value.len().to_string(), ":", value, ";"]);
        }
        text
    }
}

/// Bytes of a form without its percent-encoding.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit =
        |at: usize| text.get(at).and_then(|it| char::from(*it).to_digit(16)).and_then(|it| u8::try_from(it).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, digit(at + 1), digit(at + 2)) {
            bytes.push(high * 16 + low);
            at += 3;
        } else {
            bytes.push(*byte);
            at += 1;
        }
    }
    bytes
}

/// Dotted name of a bracketed key. An empty bracket is the next index of its list, or inside a list of objects the
/// index of the present object, until one of its fields is repeated; metadata is no list. A bracket inside a bracket opens
/// an object, as in `metadata[a[b]]`.
fn dotted(key: &str, lengths: &mut HashMap<String, usize>, taken: &BTreeMap<String, String>) -> String {
    let (first, rest) = key.split_once('[').map_or((key, ""), |(first, rest)| (first, rest));
    let mut name = first.replace('.', "\u{1}");
    let mut groups = rest.split('[').flat_map(|it| it.trim_end_matches(']').split(']')).peekable();
    if rest.is_empty() {
        return name;
    }
    while let Some(group) = groups.next() {
        if !group.is_empty() || name == "metadata" {
            name.push('.');
            name.extend(group.chars().map(|it| if it == '.' { DOT } else { it }));
            continue;
        }
        let length = lengths.entry(name.clone()).or_default();
        let mut is_present = |index: usize| match groups.peek() {
            Some(field) => *length > 0 && !taken.contains_key(&format!("{name}.{index}.{field}")),
            None => false,
        };
        if !is_present(length.saturating_sub(1)) {
            *length += 1;
        }
        name = format!("{name}.{}", length.saturating_sub(1));
    }
    name
}

/// A segment of a name as the request had it, with its dots.
fn plain(segment: &str) -> Cow<'_, str> {
    if segment.contains(DOT) { Cow::Owned(segment.replace(DOT, ".")) } else { Cow::Borrowed(segment) }
}

/// Name of a parameter with brackets, as Stripe writes it.
pub(crate) fn bracketed(name: &str) -> String {
    let mut parts = name.split('.').map(plain);
    let first = parts.next().unwrap_or_default().into_owned();
    parts.fold(first, |name, part| format!("{name}[{part}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bracketed_names_become_dotted() {
        let params = Params::parse(b"amount=5&metadata[order_id]=9&lines%5B0%5D%5Bquantity%5D=2");
        assert_eq!(params.int("amount"), Some(5));
        assert_eq!(params.text("lines.0.quantity"), Some("2"));
        assert_eq!(bracketed("lines.0.quantity"), "lines[0][quantity]");
    }

    #[test]
    fn a_list_keeps_its_order_and_repeated_values() {
        let numbered: Vec<_> = (0..12).rev().map(|it| format!("x[{it}]=v{it}")).collect();
        let all: Vec<_> = (0..12).map(|it| format!("v{it}")).collect();
        assert_eq!(Params::parse(numbered.join("&").as_bytes()).list("x"), all);
        let empty: Vec<_> = all.iter().map(|it| format!("x[]={it}")).collect();
        assert_eq!(Params::parse(empty.join("&").as_bytes()).list("x"), all);
        assert_eq!(Params::parse(b"x[]=a&x[]=a").list("x"), ["a", "a"]);
        let lines = Params::parse(b"l[][n]=a&l[][q]=1&l[][n]=b&l[][q]=2").under("l");
        let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(lines, [("0.n", "a"), ("0.q", "1"), ("1.n", "b"), ("1.q", "2")]);
    }

    #[test]
    fn metadata_keys_may_have_any_character_and_are_cleared_by_empty_values() {
        let mut metadata = Params::parse("metadata[a.b]=1&metadata[é c]=2&metadata[none]=".as_bytes()).metadata();
        assert_eq!(metadata.keys().collect::<Vec<_>>(), ["a.b", "é c"]);
        Params::parse(b"metadata[a.b]=&metadata[d]=4").merge_metadata(&mut metadata);
        assert_eq!(metadata.keys().collect::<Vec<_>>(), ["d", "é c"]);
        Params::parse(b"metadata=").merge_metadata(&mut metadata);
        assert!(metadata.is_empty());
        assert_eq!(bracketed("metadata.a\u{1}b"), "metadata[a.b]");
    }

    #[test]
    fn a_bracket_inside_a_bracket_opens_an_object() {
        let names =
            |form: &str| Params::parse(form.as_bytes()).iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        for form in ["m[a][b]=1", "m[a[b]]=1", "m[a[b]=1", "m[a]b=1", "m%5Ba%5Bb%5D%5D=1"] {
            assert_eq!(names(form), ["m.a.b"], "{form}");
        }
        assert_eq!(names("metadata[]=1"), ["metadata."]);
    }

    #[test]
    fn a_form_that_is_not_utf_8_is_recognized() {
        for (form, is_garbled) in [
            (&b"name=caf%E9"[..], true),
            (b"name=caf\xe9", true),
            (b"%C3=1", true),
            (b"name=caf%C3%A9", false),
            ("name=café".as_bytes(), false),
            (b"name=%EF%BF%BD", false),
            (b"name=100%&x=%zz", false),
        ] {
            assert_eq!(Params::parse(form).is_garbled(), is_garbled, "{}", form.escape_ascii());
        }
    }
}
