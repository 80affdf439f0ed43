//! Kinds of values that a parameter may have, and Stripe's refusals of others.

use crate::error::Refusal;

/// Values that a parameter may have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number in decimal digits.
    Int,
    /// `true` or `false`; `True` and `False` too, as older Python clients write them.
    Bool,
    /// A boolean or one of these words.
    BoolOr(&'static [&'static str]),
    /// A text of at most so many characters; an empty one unsets the field.
    Text(usize),
    /// Id of an object.
    Id,
    /// A URL with its scheme, like `https` or that of an app.
    Url,
    /// A text on the statement of the customer's bank, of at least so many characters.
    Descriptor(usize),
    /// One of these values.
    Word(&'static [&'static str]),
    /// Only the empty value, which unsets everything below the name.
    Unset,
}

/// One parameter that the twin honours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    /// Dotted name; `*` stands for a list index or a free key.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether an empty value is accepted and unsets the field.
    pub(crate) can_unset: bool,
    /// Whether the name contains `*`.
    is_pattern: bool,
}

const fn has_star(name: &str) -> bool {
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'*' {
            return true;
        }
        rest = after;
    }
    false
}

/// A parameter that cannot be unset, unless it is a text.
pub(crate) const fn param(name: &'static str, kind: Kind) -> Spec {
    Spec { name, kind, can_unset: matches!(kind, Kind::Text(_) | Kind::Unset), is_pattern: has_star(name) }
}

/// A text that cannot be unset.
pub(crate) const fn required_text(name: &'static str, max: usize) -> Spec {
    Spec { name, kind: Kind::Text(max), can_unset: false, is_pattern: has_star(name) }
}

/// A parameter that an empty value unsets.
pub(crate) const fn clearable(name: &'static str, kind: Kind) -> Spec {
    Spec { name, kind, can_unset: true, is_pattern: has_star(name) }
}

/// Boolean that a text stands for.
pub(crate) fn as_flag(text: &str) -> Option<bool> {
    match text {
        "true" | "True" => Some(true),
        "false" | "False" => Some(false),
        _ => None,
    }
}

impl Spec {
    /// Whether this parameter has the given dotted name.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name == name || (self.is_pattern && matches(self.name, name))
    }

    /// Name of the list in a name of this pattern that has a key in place of an index. Metadata and rates of exchange have keys.
    pub(crate) fn list_with_key<'a>(&self, name: &'a str) -> Option<&'a str> {
        if !self.is_pattern || matches!(self.name, "metadata.*" | "exchange_rates.*") {
            return None;
        }
        let is_index = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let mut start: usize = 0;
        for (wanted, given) in self.name.split('.').zip(name.split('.')) {
            if wanted == "*" && !is_index(given) {
                return name.get(..start.saturating_sub(1));
            }
            start += given.len() + 1;
        }
        None
    }

    /// Checks the value of the parameter; `name` is its name with brackets.
    pub(crate) fn check(&self, value: &str, name: impl Fn() -> String) -> Result<(), Refusal> {
        if value.is_empty() {
            return if self.can_unset { Ok(()) } else { Err(Refusal::empty(&name())) };
        }
        let wrong = |message: String| Err(Refusal::invalid(&name(), &message));
        match self.kind {
            Kind::Int
                if value.parse::<i64>().is_err() || !value.bytes().all(|it| it.is_ascii_digit() || it == b'-') =>
            {
                Err(Refusal::parameter("parameter_invalid_integer", &name(), &format!("Invalid integer: {value}")))
            }
            Kind::Bool if as_flag(value).is_none() => wrong(format!("Invalid boolean: {value}")),
            Kind::BoolOr(words) if as_flag(value).is_none() && !words.contains(&value) => {
                wrong(format!("Invalid {}: must be one of true, false, {}", name(), choice(words)))
            }
            Kind::Text(max) if value.chars().count() > max => Err(too_long(&name(), value, max)),
            Kind::Word(words) if !words.contains(&value) => {
                wrong(format!("Invalid {}: must be one of {}", name(), choice(words)))
            }
            Kind::Unset => wrong("Invalid object".to_owned()),
            Kind::Url if !is_url(value) => Err(Refusal::parameter("url_invalid", &name(), "Not a valid URL")),
            Kind::Descriptor(min) => check_descriptor(value, min, &name()),
            Kind::Int | Kind::Bool | Kind::BoolOr(_) | Kind::Text(_) | Kind::Id | Kind::Url | Kind::Word(_) => Ok(()),
        }
    }
}

/// Whether a text is a URL with a scheme, and with a host if that is of the web. The URLs of apps, like `shop://paid`, are
/// valid too.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|it: char| it.is_ascii_alphabetic())
        && scheme.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it));
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let has_host = !rest.starts_with(['/', '?', '#', ':']);
    is_scheme
        && !rest.is_empty()
        && (has_host || !is_web)
        && !text.contains(|it: char| it.is_whitespace() || it.is_control())
}

/// Most characters of a statement descriptor, and of its suffix.
const DESCRIPTOR_CHARS_MAX: usize = 22;

/// Checks a text on a statement by the rules of the section "Statement descriptor requirements" of Stripe's page
/// "Statement descriptors".
fn check_descriptor(value: &str, min: usize, name: &str) -> Result<(), Refusal> {
    let length = value.chars().count();
    if length > DESCRIPTOR_CHARS_MAX {
        return Err(too_long(name, value, DESCRIPTOR_CHARS_MAX));
    }
    if length < min {
        let message = format!("The statement descriptor must be at least {min} characters.");
        return Err(Refusal::invalid(name, &message));
    }
    if let Some(forbidden) = value.chars().find(|it| r#"<>\'"*"#.contains(*it)) {
        return Err(Refusal::invalid(name, &format!("The statement descriptor cannot include {forbidden}.")));
    }
    if !value.chars().any(|it| it.is_ascii_alphabetic()) {
        return Err(Refusal::invalid(name, "The statement descriptor must contain at least one Latin character."));
    }
    Ok(())
}

/// Words as Stripe enumerates them: `a, b, or c`.
fn choice(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} or {other}"),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}

fn too_long(name: &str, value: &str, max: usize) -> Refusal {
    let length = value.chars().count();
    if name.starts_with("metadata[") {
        let message = format!(
            "Metadata values can have up to {max} characters, but you passed in a value that is {length} characters. \
             Invalid value: {value}"
        );
        return Refusal::invalid(name, &message);
    }
    let start: String = value.chars().take(5).collect();
    let end: String = value.chars().skip(length.saturating_sub(5)).collect();
    Refusal::invalid(name, &format!("Invalid string: {start}...{end}; must be at most {max} characters"))
}

/// Whether a dotted name matches a pattern in which `*` stands for one segment.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    if pattern.as_bytes().first() != name.as_bytes().first() {
        return false;
    }
    let (mut wanted, mut given) = (pattern.split('.'), name.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(one), Some(other)) if one == "*" || one == other => {}
            (_, _) => return false,
        }
    }
}
