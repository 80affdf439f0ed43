//! What is wrong with the fields of a request, within bounds whatever the request says.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;

/// The most problems of one request that are listed; the others are counted.
pub(crate) const LISTED_MAX: usize = 50;
/// The most problems that are told in one sentence; the others are counted.
const TOLD_MAX: usize = 10;
/// The most characters of a caller's input that a refusal repeats, and of a path to a field.
const ECHO_CHARS_MAX: usize = 100;
/// The most characters that the names of one request have together that are the caller's own and not ours: each may be told
/// twice, in the list and in the sentence. The others are counted.
const FOREIGN_CHARS_MAX: usize = 100;
/// The most characters of what is wrong with one field, and of a refusal's sentence.
const PROBLEM_CHARS_MAX: usize = 200;
const SENTENCE_CHARS_MAX: usize = 2_000;

/// A caller's input as a refusal repeats it: cut to [`ECHO_CHARS_MAX`] characters.
pub(crate) fn echo(text: &str) -> Cow<'_, str> {
    cut(text, ECHO_CHARS_MAX)
}

/// The sentence of a refusal, whatever went into it.
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

/// What is wrong with one field. Both texts are short, whatever the caller sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldProblem {
    field: String,
    problem: String,
}

impl FieldProblem {
    pub(crate) fn new(field: impl AsRef<str>, problem: impl Display) -> Self {
        let problem = cut(&problem.to_string(), PROBLEM_CHARS_MAX).into_owned();
        Self { field: echo(field.as_ref()).into_owned(), problem }
    }

    /// The path of the field, like `line_items[0].quantity`.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// The rule that it breaks, like `must be 1 to 10000`.
    pub(crate) fn problem(&self) -> &str {
        &self.problem
    }
}

/// The problems of one request, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldProblems {
    listed: Vec<FieldProblem>,
    /// How many were found beyond [`LISTED_MAX`], or with names beyond [`FOREIGN_CHARS_MAX`].
    unlisted: usize,
    /// How many characters the caller's own names have that are listed.
    foreign_chars: usize,
}

impl FieldProblems {
    /// Adds one.
    pub(crate) fn note(&mut self, field: impl AsRef<str>, problem: impl Display) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push(FieldProblem::new(field, problem));
        } else {
            self.unlisted += 1;
        }
    }

    /// As [`Self::note`], of a field whose `name` is the caller's own: it is listed as long as such names are few.
    pub(crate) fn note_foreign(&mut self, path: impl AsRef<str>, name: &str, problem: impl Display) {
        let chars = name.chars().count().min(ECHO_CHARS_MAX);
        let is_one_too_many = self.foreign_chars > 0 && self.foreign_chars + chars > FOREIGN_CHARS_MAX;
        if is_one_too_many {
            self.unlisted += 1;
        } else {
            self.foreign_chars += chars;
            self.note(path, problem);
        }
    }

    /// The value, or its problem noted.
    pub(crate) fn take<T, E: Display>(&mut self, field: impl AsRef<str>, value: Result<T, E>) -> Option<T> {
        value.map_err(|problem| self.note(field, problem)).ok()
    }

    /// The value, or the problem that it came with noted.
    pub(crate) fn keep<T>(&mut self, value: Result<T, FieldProblem>) -> Option<T> {
        value.map_err(|it| self.extend([it])).ok()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(crate) fn listed(&self) -> &[FieldProblem] {
        &self.listed
    }

    /// The first of them, if there is one.
    pub(crate) fn into_first(self) -> Option<FieldProblem> {
        self.listed.into_iter().next()
    }

    /// Adds those of another part of the request, and gives the value if there are none.
    pub(crate) fn merge<T>(&mut self, value: Result<T, Self>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(others) => {
                self.unlisted += others.unlisted;
                self.foreign_chars += others.foreign_chars;
                self.extend(others.listed);
                None
            }
        }
    }

    /// The value that was read, if nothing was found to be wrong.
    pub(crate) fn done<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            Some(_) | None => Err(self),
        }
    }

    /// The first problems, each as `say` words it, and last how many more there are.
    pub(crate) fn told(&self, say: impl Fn(&FieldProblem) -> String) -> Vec<String> {
        let mut told: Vec<String> = self.listed.iter().take(TOLD_MAX).map(say).collect();
        let more = self.listed.len().saturating_sub(TOLD_MAX) + self.unlisted;
        if more > 0 {
            told.push(format!("{more} more"));
        }
        told
    }

    /// Every listed problem as a line, and last how many more there are.
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
    fn a_list_of_problems_is_bounded_and_says_how_many_more_there_are() {
        let mut problems = FieldProblems::default();
        for place in 0..1000 {
            problems.note(format!("{place}{}", "é".repeat(5000)), "x".repeat(5000));
        }
        assert_eq!((problems.listed().len(), problems.unlisted), (LISTED_MAX, 950));
        assert!(problems.listed().iter().all(|it| it.field.chars().count() <= ECHO_CHARS_MAX + 1));
        assert!(problems.listed().iter().all(|it| it.problem.chars().count() <= PROBLEM_CHARS_MAX + 1));
        let told = problems.told(|it| it.field.clone());
        assert_eq!((told.len(), told.last().unwrap().as_str()), (TOLD_MAX + 1, "990 more"));
        let lines = problems.lines();
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (LISTED_MAX + 1, "and 950 more"));
        let few: FieldProblems = [FieldProblem::new("email", "is missing")].into_iter().collect();
        assert_eq!(few.lines(), ["email is missing"]);
    }

    #[test]
    fn a_callers_own_names_are_listed_as_long_as_they_are_few() {
        let mut problems = FieldProblems::default();
        for n in 0..60 {
            let name = format!("{n:02}{}", "x".repeat(28));
            problems.note_foreign(format!("metadata.{name}"), &name, "is not a known field");
        }
        assert_eq!((problems.listed().len(), problems.unlisted), (3, 57));
        problems.note("email", "is missing");
        assert_eq!(problems.listed().len(), 4, "ours are listed all the same");
    }

    #[test]
    fn what_a_caller_sent_is_repeated_in_part() {
        assert_eq!(echo("short"), "short");
        assert_eq!(echo(&"ü".repeat(101)), format!("{}…", "ü".repeat(100)));
        assert_eq!(sentence("x".repeat(3000)).chars().count(), SENTENCE_CHARS_MAX + 1);
        assert_eq!(sentence("x".repeat(2000)).len(), SENTENCE_CHARS_MAX);
    }
}
