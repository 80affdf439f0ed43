//! Problems of the fields of a request, bounded in number and length whatever the request contains.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;
use utoipa::ToSchema;

/// Maximum of problems that are listed for one request; the others are counted.
pub(crate) const LISTED_MAX: usize = 50;
/// Maximum of problems in the sentence of a refusal; the others are counted.
const SUMMARY_MAX: usize = 10;
/// Maximum length of a piece of input that a refusal repeats, and of the path of a field, in characters.
const ECHO_CHARS_MAX: usize = 100;
/// Maximum total length of the listed field names that the caller chose, in characters: each may appear twice, in the
/// list and in the sentence. Problems of further such names are counted.
const CALLER_NAMES_CHARS_MAX: usize = 100;
/// Maximum length of the problem of one field, in characters.
const PROBLEM_CHARS_MAX: usize = 200;
/// Maximum length of the sentence of a refusal, in characters.
const SENTENCE_CHARS_MAX: usize = 2_000;

/// Input as a refusal repeats it, cut to [`ECHO_CHARS_MAX`] characters.
pub(crate) fn echo(text: &str) -> Cow<'_, str> {
    cut(text, ECHO_CHARS_MAX)
}

/// Sentence of a refusal, cut to [`SENTENCE_CHARS_MAX`] characters.
pub(crate) fn sentence(text: String) -> String {
    match cut(&text, SENTENCE_CHARS_MAX) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut,
    }
}

fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// Problem of one field. Both texts are short, whatever the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldProblem {
    /// Path of the field, like `line_items[0].quantity`.
    field: String,
    /// Rule that the field violates, like `must be 1 to 10000`.
    problem: String,
}

impl FieldProblem {
    pub(crate) fn new(field: impl AsRef<str>, problem: impl Display) -> Self {
        let problem = cut(&problem.to_string(), PROBLEM_CHARS_MAX).into_owned();
        Self { field: echo(field.as_ref()).into_owned(), problem }
    }

    /// Path of the field, like `line_items[0].quantity`.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// Rule that the field violates, like `must be 1 to 10000`.
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }
}

/// Problems of one request, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldProblems {
    listed: Vec<FieldProblem>,
    /// Number of problems beyond [`LISTED_MAX`] or [`CALLER_NAMES_CHARS_MAX`].
    unlisted: usize,
    /// Total length of the listed names that the caller chose, in characters.
    caller_name_chars: usize,
}

impl FieldProblems {
    /// Adds a problem.
    pub(crate) fn note(&mut self, field: impl AsRef<str>, problem: impl Display) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push(FieldProblem::new(field, problem));
        } else {
            self.unlisted += 1;
        }
    }

    /// As [`Self::note`], for a field whose `name` the caller chose: it is listed up to [`CALLER_NAMES_CHARS_MAX`].
    pub(crate) fn note_caller_name(&mut self, path: impl AsRef<str>, name: &str, problem: impl Display) {
        let chars = name.chars().count().min(ECHO_CHARS_MAX);
        let is_over_limit = self.caller_name_chars > 0 && self.caller_name_chars + chars > CALLER_NAMES_CHARS_MAX;
        if is_over_limit {
            self.unlisted += 1;
        } else {
            self.caller_name_chars += chars;
            self.note(path, problem);
        }
    }

    /// Returns the value, or notes its error as a problem of `field`.
    pub(crate) fn take<T, E: Display>(&mut self, field: impl AsRef<str>, value: Result<T, E>) -> Option<T> {
        value.map_err(|problem| self.note(field, problem)).ok()
    }

    /// Returns the value, or notes its problem.
    pub(crate) fn keep<T>(&mut self, value: Result<T, FieldProblem>) -> Option<T> {
        value.map_err(|it| self.extend([it])).ok()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(crate) fn listed(&self) -> &[FieldProblem] {
        &self.listed
    }

    /// First problem, if there is one.
    pub(crate) fn into_first(self) -> Option<FieldProblem> {
        self.listed.into_iter().next()
    }

    /// Returns the value of another part of the request, or adds that part's problems.
    pub(crate) fn merge<T>(&mut self, value: Result<T, Self>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(others) => {
                self.unlisted += others.unlisted;
                self.caller_name_chars += others.caller_name_chars;
                self.extend(others.listed);
                None
            }
        }
    }

    /// Returns the value if no problem was found.
    pub(crate) fn done<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            Some(_) | None => Err(self),
        }
    }

    /// First problems, each formatted by `format`, and last the number of the others.
    pub(crate) fn summary(&self, format: impl Fn(&FieldProblem) -> String) -> Vec<String> {
        let mut summary: Vec<String> = self.listed.iter().take(SUMMARY_MAX).map(format).collect();
        let more = self.listed.len().saturating_sub(SUMMARY_MAX) + self.unlisted;
        if more > 0 {
            summary.push(format!("{more} more"));
        }
        summary
    }

    /// Every listed problem as a line, and last the number of the others.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.listed.iter().map(|it| format!("{} {}", it.field, it.problem)).collect();
        if self.unlisted > 0 {
            lines.push(format!("and {} more", self.unlisted));
        }
        lines
    }
}

impl Extend<FieldProblem> for FieldProblems {
    fn extend<I: IntoIterator<Item = FieldProblem>>(&mut self, more: I) {
        for it in more {
            if self.listed.len() < LISTED_MAX {
                self.listed.push(it);
            } else {
                self.unlisted += 1;
            }
        }
    }
}

impl FromIterator<FieldProblem> for FieldProblems {
    fn from_iter<I: IntoIterator<Item = FieldProblem>>(problems: I) -> Self {
        let mut all = Self::default();
        all.extend(problems);
        all
    }
}

impl From<FieldProblem> for FieldProblems {
    fn from(problem: FieldProblem) -> Self {
        Self::from_iter([problem])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_problems_is_bounded_and_counts_the_others() {
        let mut problems = FieldProblems::default();
        for place in 0..1000 {
            problems.note(format!("{place}{}", "é".repeat(5000)), "x".repeat(5000));
        }
        assert_eq!((problems.listed().len(), problems.unlisted), (LISTED_MAX, 950));
        assert!(problems.listed().iter().all(|it| it.field.chars().count() <= ECHO_CHARS_MAX + 1));
        assert!(problems.listed().iter().all(|it| it.problem.chars().count() <= PROBLEM_CHARS_MAX + 1));
        let summary = problems.summary(|it| it.field.clone());
        assert_eq!((summary.len(), summary.last().unwrap().as_str()), (SUMMARY_MAX + 1, "990 more"));
        let lines = problems.lines();
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (LISTED_MAX + 1, "and 950 more"));
        let few: FieldProblems = [FieldProblem::new("email", "is missing")].into_iter().collect();
        assert_eq!(few.lines(), ["email is missing"]);
    }

    #[test]
    fn names_chosen_by_the_caller_are_listed_up_to_a_limit() {
        let mut problems = FieldProblems::default();
        for n in 0..60 {
            let name = format!("{n:02}{}", "x".repeat(28));
            problems.note_caller_name(format!("metadata.{name}"), &name, "is not a known field");
        }
        assert_eq!((problems.listed().len(), problems.unlisted), (3, 57));
        problems.note("email", "is missing");
        assert_eq!(problems.listed().len(), 4, "known names are still listed");
    }

    #[test]
    fn input_is_repeated_up_to_a_limit() {
        assert_eq!(echo("short"), "short");
        assert_eq!(echo(&"ü".repeat(101)), format!("{}…", "ü".repeat(100)));
        assert_eq!(sentence("x".repeat(3000)).chars().count(), SENTENCE_CHARS_MAX + 1);
        assert_eq!(sentence("x".repeat(2000)).len(), SENTENCE_CHARS_MAX);
    }
}
