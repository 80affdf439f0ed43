//! Checked texts and email addresses, and errors of names.

use std::fmt;

use email_address::{EmailAddress, Options};
use thiserror::Error;

/// Text of `MIN` to `MAX` characters (Unicode scalar values), of which `MIN` can be seen, without control characters other
/// than line breaks and tabs, and without those that reorder the text around them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Text<const MIN: usize, const MAX: usize>(String);

/// Maximum number of characters of a [`Note`].
pub const NOTE_LEN_MAX: usize = 2000;

/// Note in which a person says why they decided so.
pub type Note = Text<1, NOTE_LEN_MAX>;

/// Why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextProblem {
    /// The text has fewer characters than the minimum, without leading and trailing white space and without characters
    /// that are not seen.
    #[error("must have at least {min} {}", if *.min == 1 { "character" } else { "characters" })]
    TooShort {
        /// Minimum number of characters.
        min: usize,
    },
    /// The text has more characters than the maximum.
    #[error("must have at most {max} characters")]
    TooLong {
        /// Maximum number of characters.
        max: usize,
    },
    /// The text has a control character, which a receipt cannot print.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// The text has a character that reorders the text around it, so that it is read as another text.
    #[error("must not contain characters that reorder text (U+202A to U+202E, U+2066 to U+2069)")]
    Reordering,
    /// The text is not an email address of the form `local@domain.example`.
    #[error("must be an email address like ada@example.com")]
    NotAnEmail,
}

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    /// Checks a text from a caller and keeps it unchanged.
    pub fn new(text: impl Into<String>) -> Result<Self, TextProblem> {
        let text = Self::restore(text)?;
        if seen(&text.0).count() < MIN {
            return Err(TextProblem::TooShort { min: MIN });
        }
        if text.0.contains(reorders_text) { Err(TextProblem::Reordering) } else { Ok(text) }
    }

    /// As [`Self::new`], for a text of one line, like a name: line breaks and tabs are refused too.
    pub fn of_one_line(text: impl Into<String>) -> Result<Self, TextProblem> {
        let text = Self::new(text)?;
        if text.0.contains(char::is_control) { Err(TextProblem::ControlCharacter) } else { Ok(text) }
    }

    /// Reads a text from a store. One that was stored by an earlier release may have characters that are not seen, or
    /// that reorder text.
    pub fn restore(text: impl Into<String>) -> Result<Self, TextProblem> {
        let text = text.into();
        if text.trim().chars().count() < MIN {
            return Err(TextProblem::TooShort { min: MIN });
        }
        if text.chars().count() > MAX {
            return Err(TextProblem::TooLong { max: MAX });
        }
        if text.chars().any(|it| it.is_control() && !matches!(it, '\n' | '\r' | '\t')) {
            return Err(TextProblem::ControlCharacter);
        }
        Ok(Self(text))
    }

    /// The text as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Text<MIN, MAX> {
    type Error = TextProblem;
    /// Reads a text from a store, as [`Self::restore`] does.
    fn try_from(text: String) -> Result<Self, TextProblem> {
        Self::restore(text)
    }
}

/// Whether a character reorders the text around it when it is shown: the embeddings, overrides and isolates of Unicode's
/// bidirectional algorithm (UAX 9, section 2), and their ends.
pub const fn reorders_text(it: char) -> bool {
    matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a text has no character that can be seen.
#[cfg(feature = "storefront")]
pub(crate) fn is_blank(text: &str) -> bool {
    seen(text).next().is_none()
}

/// Characters that can be seen, and the white space between them.
fn seen(text: &str) -> impl Iterator<Item = char> {
    text.trim_matches(|it: char| it.is_whitespace() || is_invisible(it)).chars().filter(|it| !is_invisible(*it))
}

/// Whether a character is not seen: those that Unicode's property `Default_Ignorable_Code_Point` has, of the planes that
/// have letters, and the braille pattern without dots.
const fn is_invisible(it: char) -> bool {
    matches!(it,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}

impl<const MIN: usize, const MAX: usize> From<Text<MIN, MAX>> for String {
    fn from(text: Text<MIN, MAX>) -> Self {
        text.0
    }
}

/// Error of a text that is none of the names of an enum.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not {what}: must be one of {}", .names.join(", "))]
#[non_exhaustive]
pub struct UnknownName {
    /// Text that was parsed.
    pub text: String,
    /// Description of the enum, with its article.
    pub what: &'static str,
    /// Names of all variants.
    pub names: Vec<&'static str>,
}

impl UnknownName {
    pub(crate) fn new(text: &str, what: &'static str, names: impl Iterator<Item = &'static str>) -> Self {
        Self { text: text.to_owned(), what, names: names.collect() }
    }
}

/// Email address. Only its form is checked, by the grammar of RFC 5321 and 5322 without comments, display names and
/// domain literals: the domain has at least two labels, and there is no white space. At most 254 characters (RFC 5321,
/// section 4.5.3.1.3, less the angle brackets; Stripe allows 512).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Email(String);

impl Email {
    /// Maximum number of characters of an address.
    pub const CHARS_MAX: usize = 254;

    /// Checks an address from a caller by the full grammar.
    pub fn new(text: impl Into<String>) -> Result<Self, TextProblem> {
        let email = Self::restore(text)?;
        let grammar = Options::default().with_required_tld().without_domain_literal().without_display_text();
        match EmailAddress::parse_with_options(&email.0, grammar) {
            Ok(_) if !email.0.contains(|it| reorders_text(it) || is_invisible(it)) => Ok(email),
            Ok(_) | Err(_) => Err(TextProblem::NotAnEmail),
        }
    }

    /// Reads an address from a store. An address that was stored before the grammar was checked only needs one `@` with
    /// text on both sides.
    pub fn restore(text: impl Into<String>) -> Result<Self, TextProblem> {
        let text = text.into();
        if text.chars().count() > Self::CHARS_MAX {
            return Err(TextProblem::TooLong { max: Self::CHARS_MAX });
        }
        let well_formed = text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
            && !text.chars().any(|it| it.is_whitespace() || it.is_control());
        if well_formed { Ok(Self(text)) } else { Err(TextProblem::NotAnEmail) }
    }

    /// The address as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = TextProblem;
    /// Reads an address from a store, as [`Self::restore`] does.
    fn try_from(text: String) -> Result<Self, TextProblem> {
        Self::restore(text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_with_the_names_that_are_known() {
        use crate::intent::CaptureMethod;
        assert_eq!("manual".parse(), Ok(CaptureMethod::Manual));
        let refused = "late".parse::<CaptureMethod>().unwrap_err();
        assert_eq!(refused.to_string(), "`late` is not a capture method: must be one of automatic, manual");
    }

    #[test]
    fn a_text_is_counted_in_characters_and_has_no_control_characters() {
        type Name = Text<1, 4>;
        for (text, expected) in [
            ("Zoë☕", Ok(())),
            ("", Err(TextProblem::TooShort { min: 1 })),
            ("  ", Err(TextProblem::TooShort { min: 1 })),
            ("abcde", Err(TextProblem::TooLong { max: 4 })),
            ("a\0b", Err(TextProblem::ControlCharacter)),
            ("a\nb", Ok(())),
            ("\u{200b}", Err(TextProblem::TooShort { min: 1 })),
            (" \u{feff}\u{2060} ", Err(TextProblem::TooShort { min: 1 })),
            ("\u{200b} \u{200b}", Err(TextProblem::TooShort { min: 1 })),
            ("\u{2800}", Err(TextProblem::TooShort { min: 1 })),
            ("a\u{200d}b", Ok(())),
            ("a\u{202e}b", Err(TextProblem::Reordering)),
            ("\u{2066}ab", Err(TextProblem::Reordering)),
        ] {
            assert_eq!(Name::new(text).map(drop), expected, "{text:?}");
        }
        for text in ["a\nb", "a\rb", "a\tb", "a\u{85}b"] {
            assert_eq!(Name::of_one_line(text), Err(TextProblem::ControlCharacter), "{text:?}");
        }
        // An earlier release has stored them.
        for text in ["\u{200b}", "a\u{202e}b", "a\nb"] {
            assert_eq!(Name::restore(text).map(String::from), Ok(text.to_owned()));
            assert_eq!(Name::try_from(text.to_owned()).map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn an_email_has_one_at_sign_a_dotted_domain_and_no_white_space() {
        let long_label = format!("a@{}.com", "x".repeat(64));
        let long_local = format!("{}@example.com", "x".repeat(65));
        for (text, ok) in [
            ("ada@example.com", true),
            ("ada.lovelace+shop@mail.example.co.uk", true),
            ("o'hara@example.com", true),
            ("zoë@example.com", true),
            ("a@xn--exmple-cua.com", true),
            ("a\u{202e}b@example.com", false),
            ("a\u{200b}b@example.com", false),
            ("a@b", false),
            ("x@gmail", false),
            ("root@localhost", false),
            ("a@example,com", false),
            ("<a@example.com>", false),
            ("Ada <a@example.com>", false),
            ("a@example..com", false),
            ("a@example.com.", false),
            ("a..b@example.com", false),
            (".a@example.com", false),
            ("a@[127.0.0.1]", false),
            ("a@-example.com", false),
            ("a@example.com,b@example.com", false),
            ("\"a b\"@example.com", false),
            (&long_label, false),
            (&long_local, false),
            ("ada", false),
            ("@example.com", false),
            ("ada@", false),
            ("a@b@c", false),
            ("a da@example.com", false),
            ("", false),
        ] {
            assert_eq!(Email::new(text).is_ok(), ok, "{text:?}");
        }
        for stored in ["a@b", "x@gmail", "a@example,com", "<a@example.com>"] {
            assert_eq!(Email::restore(stored).map(String::from), Ok(stored.to_owned()));
        }
        assert_eq!(Email::restore("ada"), Err(TextProblem::NotAnEmail));
        let long = format!("{}@example.com", "a".repeat(Email::CHARS_MAX));
        assert_eq!(Email::new(long), Err(TextProblem::TooLong { max: Email::CHARS_MAX }));
    }
}
