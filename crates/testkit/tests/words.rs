//! Rules for the words of comments and documents, as far as a program can check them.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// First words that leave a reader guessing what a doc comment is about. An item is described by a noun (what it is)
/// or by a verb in the third person (what it does); an error type may begin with "Why", a boolean with "Whether".
const VAGUE_BEGINNINGS: [&str; 17] = [
    "What", "Who", "Whom", "Whose", "How", "When", "Where", "Which", "That", "It", "Its", "They", "Their", "There",
    "Those", "Somebody", "Nobody",
];

/// Expressions with one plain word in their place, which the glossary of `docs/architecture.md` has.
const RETIRED: [(&str, &str); 9] = [
    ("the payment provider", "Stripe"),
    ("the provider's", "Stripe's"),
    ("the provider ", "Stripe"),
    ("means of payment", "payment method"),
    ("in vain", "without success"),
    ("befall", "happen to"),
    ("goes back to the customer", "is refunded"),
    ("is given back", "is refunded"),
    ("whoever", "the one that"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Files under `folder` with this extension.
fn files(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, into);
        } else if path.extension().is_some_and(|it| it == extension) && !path.ends_with("tests/words.rs") {
            into.push(path);
        }
    }
}

/// Lines of all sources, each with its place.
fn source_lines() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    files(&root().join("crates"), "rs", &mut sources);
    let lines = sources.iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        let lines = text.lines().enumerate();
        lines.map(|(n, line)| (format!("{place}:{}", n + 1), line.trim().to_owned())).collect::<Vec<_>>()
    });
    lines.collect()
}

fn doc_text(line: &str) -> Option<&str> {
    line.strip_prefix("///").or(line.strip_prefix("//!")).map(str::trim)
}

#[test]
fn doc_comments_begin_with_a_noun_or_a_verb() {
    let lines = source_lines();
    let mut docs = 0;
    let mut vague = Vec::new();
    for pair in lines.windows(2) {
        let [(_, before), (place, line)] = pair else { continue };
        let Some(text) = doc_text(line) else { continue };
        docs += 1;
        let first = text.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
        if doc_text(before).is_none() && VAGUE_BEGINNINGS.contains(&first) {
            vague.push(format!("{place}: {text}"));
        }
    }
    assert!(docs > 3000, "{docs} lines were read");
    assert!(vague.is_empty(), "{} doc comments begin vaguely:\n{}", vague.len(), vague.join("\n"));
}

#[test]
fn prose_uses_the_words_of_the_glossary() {
    let comments = source_lines().into_iter().filter(|(_, line)| line.starts_with("//"));
    let at_root = fs::read_dir(root()).unwrap().map(|it| it.unwrap().path());
    let mut documents: Vec<_> = at_root.filter(|it| it.extension().is_some_and(|it| it == "md")).collect();
    files(&root().join("docs"), "md", &mut documents);
    let documents = documents.iter().flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        let lines = text.lines().enumerate();
        lines.map(|(n, line)| (format!("{place}:{}", n + 1), line.to_owned())).collect::<Vec<_>>()
    });
    let mut read = 0;
    let mut found = Vec::new();
    for (place, line) in comments.chain(documents) {
        read += 1;
        let lower = line.to_lowercase();
        for (retired, instead) in RETIRED {
            if lower.contains(retired) {
                found.push(format!("{place}: \"{}\" ({instead}): {line}", retired.trim()));
            }
        }
    }
    assert!(read > 5000, "{read} lines were read");
    assert!(found.is_empty(), "{} retired expressions:\n{}", found.len(), found.join("\n"));
}
