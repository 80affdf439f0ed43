//! Parser of Stripe's bracketed forms, and their check against the parameters that an endpoint accepts.

use std::collections::BTreeMap;

use crate::error::Refusal;

/// Parameters of a request, by dotted names: `amount_details[line_items][0][quantity]=2` has the name
/// `amount_details.line_items.0.quantity`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(BTreeMap<String, String>);

/// Values that a parameter may have. Any parameter may be empty.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number in decimal digits.
    Int,
    /// `true` or `false`.
    Bool,
    /// A text of at most so many characters.
    Text(usize),
    /// One of these values.
    Word(&'static [&'static str]),
}

/// Name and kind of one parameter that an endpoint accepts; `*` in the name matches a list index or a free key.
pub(crate) type Spec = (&'static str, Kind);

const METADATA_KEYS_MAX: usize = 50;
const METADATA_KEY_CHARS_MAX: usize = 40;

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Params {
    /// Collects parameters with dotted names, like `metadata.order_id`.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Params {
    /// Parses a form body or a query.
    pub fn parse(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text);
        Self(
            pairs
                .map(|(key, value)| (key.replace("][", ".").replace('[', ".").replace(']', ""), value.into_owned()))
                .collect(),
        )
    }

    /// Checks that every parameter is one of `specs` and has a value of its kind, and the limits of metadata.
    pub(crate) fn check(&self, specs: &[&[Spec]]) -> Result<(), Refusal> {
        for (name, value) in &self.0 {
            let spec = specs.iter().copied().flatten().find(|(pattern, _)| matches(pattern, name));
            let Some((_, kind)) = spec else {
                return Err(Refusal::parameter("parameter_unknown", &bracketed(name), "Received unknown parameter"));
            };
            kind.check(&bracketed(name), value)?;
        }
        let keys: Vec<_> = self.0.keys().filter_map(|it| it.strip_prefix("metadata.")).collect();
        if keys.len() > METADATA_KEYS_MAX {
            return Err(Refusal::invalid("metadata", "Metadata can have up to 50 keys"));
        }
        if let Some(key) = keys.iter().find(|it| it.chars().count() > METADATA_KEY_CHARS_MAX) {
            return Err(Refusal::invalid(&format!("metadata[{key}]"), "Metadata keys can be up to 40 characters"));
        }
        Ok(())
    }

    /// Value of a parameter; `None` if it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|it| !it.is_empty())
    }

    /// Value of a parameter, also if it is empty: an empty value clears a field.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|it| it.parse().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::parameter("parameter_missing", name, "Missing required param"))
    }

    /// Parameters below `prefix`, by the rest of their names.
    pub(crate) fn under(&self, prefix: &str) -> BTreeMap<String, String> {
        let inside = |(key, value): (&String, &String)| {
            key.strip_prefix(prefix).and_then(|it| it.strip_prefix('.')).map(|it| (it.to_owned(), value.clone()))
        };
        self.0.iter().filter_map(inside).collect()
    }

    /// Values of a list parameter.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.under(name).into_values().collect()
    }

    /// Text that is equal for equal parameters, whatever their order in the form.
    pub(crate) fn fingerprint(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            // Lengths are included so that different parameters never give the same text.
            text.extend([&key.len().to_string(), ":", key, "=", &value.len().to_string(), ":", value, ";"]);
        }
        text
    }
}

impl Kind {
    fn check(self, name: &str, value: &str) -> Result<(), Refusal> {
        let wrong = |code, text: String| Err(Refusal::parameter(code, name, &text));
        match self {
            _ if value.is_empty() => Ok(()),
            Self::Int
                if value.parse::<i64>().is_err() || !value.bytes().all(|it| it.is_ascii_digit() || it == b'-') =>
            {
                wrong("parameter_invalid_integer", format!("Invalid integer: {value}"))
            }
            Self::Bool if value != "true" && value != "false" => {
                wrong("parameter_invalid_boolean", format!("Invalid boolean: {value}"))
            }
            Self::Text(max) if value.chars().count() > max => {
                wrong("parameter_invalid_string_length", format!("must be at most {max} characters"))
            }
            Self::Word(words) if !words.contains(&value) => {
                wrong("parameter_invalid", format!("Invalid {name}: must be one of {}", words.join(", ")))
            }
            Self::Int | Self::Bool | Self::Text(_) | Self::Word(_) => Ok(()),
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('.'), name.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == "*" || one == other => {}
            (_, _) => return false,
        }
    }
}

fn bracketed(name: &str) -> String {
    let mut parts = name.split('.');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| format!("{name}[{part}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bracketed_names_become_dotted_and_unknown_names_are_refused() {
        let params = Params::parse(b"amount=5&metadata[order_id]=9&lines%5B0%5D%5Bquantity%5D=2");
        assert_eq!(params.int("amount"), Some(5));
        assert_eq!(params.text("lines.0.quantity"), Some("2"));
        let specs: &[Spec] = &[("amount", Kind::Int), ("metadata.*", Kind::Text(500))];
        let refused = params.check(&[specs]).unwrap_err();
        assert_eq!(
            (refused.code.as_deref(), refused.param.as_deref()),
            (Some("parameter_unknown"), Some("lines[0][quantity]"))
        );
        let extended: &[Spec] = &[("lines.*.quantity", Kind::Int)];
        assert_eq!(params.check(&[specs, extended]), Ok(()));
    }

    #[test]
    fn each_value_is_checked_by_its_kind() {
        let specs: &[Spec] = &[
            ("amount", Kind::Int),
            ("confirm", Kind::Bool),
            ("name", Kind::Text(3)),
            ("method", Kind::Word(&["a", "b"])),
            ("metadata.*", Kind::Text(500)),
        ];
        let long = format!("metadata[k]={}", "x".repeat(501));
        let many = (0..51).map(|it| format!("metadata[k{it}]=x")).collect::<Vec<_>>().join("&");
        for (form, ok) in [
            ("amount=10&confirm=true&name=abc&method=b", true),
            ("amount=10.5", false),
            ("amount=1e3", false),
            ("amount=%2010", false),
            ("confirm=yes", false),
            ("name=abcd", false),
            ("method=c", false),
            (long.as_str(), false),
            (many.as_str(), false),
        ] {
            assert_eq!(Params::parse(form.as_bytes()).check(&[specs]).is_ok(), ok, "{form}");
        }
    }
}
