//! Each test that the documents name exists.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::path::Path;

/// Collects the names of all functions under `folder`.
fn functions(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("fn ").skip(1);
            let is_name = |it: &char| it.is_ascii_alphanumeric() || *it == '_';
            into.extend(after.map(|it| it.chars().take_while(is_name).collect::<String>()));
        }
    }
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut known = BTreeSet::new();
    functions(&root.join("crates"), &mut known);
    let text = std::fs::read_to_string(root.join("docs/guarantees.md")).unwrap();
    let words = text.split('`').skip(1).step_by(2);
    // Test names are sentences; other words between backticks have fewer underscores.
    let named: BTreeSet<_> = words.filter(|it| it.matches('_').count() > 3 && !it.contains('/')).collect();
    let missing: Vec<_> = named.iter().filter(|it| !known.contains(**it)).collect();
    assert!(named.len() > 60, "{} names were read", named.len());
    assert!(missing.is_empty(), "named in the guarantees, but missing: {missing:?}");
}
