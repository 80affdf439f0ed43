//! Each relative link of a document leads to a file and a heading that exist, and so does each source path.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of installed packages and of builds, whose documents are not ours.
const SKIPPED: [&str; 4] = ["node_modules", ".venv", "target", ".git"];

/// Folders at the root whose files documents name by their paths. Documents also name files below `crates/` without
/// that folder, such as `domain/src`.
const NAMED: [&str; 7] = ["crates", "docs", "migrations", "scripts", "examples", ".ci", ".github"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Finds the documents under `folder`.
fn documents(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !SKIPPED.contains(&name) {
            documents(&path, into);
        } else if path.extension().is_some_and(|it| it == "md") {
            into.push(path);
        }
    }
}

/// Documents of the repository, each with its path and its lines outside of code blocks.
fn texts() -> Vec<(PathBuf, Vec<String>)> {
    let mut paths = Vec::new();
    documents(&root(), &mut paths);
    let texts = paths.into_iter().map(|path| {
        let mut is_code = false;
        let text = fs::read_to_string(&path).unwrap();
        let prose = text.lines().filter(|line| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        });
        let prose = prose.map(str::to_owned).collect();
        (path, prose)
    });
    texts.collect()
}

/// Anchors of a document's headings, as GitHub makes them.
fn anchors(lines: &[String]) -> BTreeSet<String> {
    let headings = lines.iter().filter(|it| it.starts_with('#'));
    let anchor = |heading: &String| {
        let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        text.chars().filter(|it| it.is_alphanumeric() || matches!(it, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

/// Targets of the links in `line`: what `](` and `)` enclose.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|it| it.split_once(')')).map(|(target, _)| target)
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let texts = texts();
    let mut read = 0;
    let mut broken = Vec::new();
    for (path, lines) in &texts {
        let links = lines.iter().flat_map(|line| targets(line));
        for link in links.filter(|it| !it.contains("://") && !it.starts_with("mailto:")) {
            read += 1;
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let target = target.canonicalize().ok().filter(|it| it.starts_with(root()));
            let has_heading = |anchor: &str| {
                let linked = texts.iter().find(|(path, _)| Some(path) == target.as_ref());
                linked.is_some_and(|(_, lines)| anchors(lines).contains(anchor))
            };
            if target.is_none() || !anchor.is_none_or(has_heading) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(read > 40, "{read} links were read");
    assert!(broken.is_empty(), "{} broken links:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn every_source_path_that_a_document_names_exists() {
    let mut read = 0;
    let mut missing = Vec::new();
    let is_path = |it: char| it.is_ascii_alphanumeric() || matches!(it, '/' | '.' | '-' | '_');
    for (path, lines) in texts() {
        let words = lines.iter().flat_map(|line| line.split('`').skip(1).step_by(2));
        for word in words.filter(|it| it.contains('/') && it.chars().all(is_path)) {
            let first = word.split('/').next().unwrap();
            let file = if NAMED.contains(&first) {
                root().join(word)
            } else if !first.is_empty() && root().join("crates").join(first).is_dir() {
                root().join("crates").join(word)
            } else {
                continue;
            };
            read += 1;
            if !file.exists() {
                missing.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(read > 100, "{read} paths were read");
    assert!(missing.is_empty(), "{} paths that do not exist:\n{}", missing.len(), missing.join("\n"));
}
