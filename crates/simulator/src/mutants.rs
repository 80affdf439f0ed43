//! Mutation testing: each guard is removed in turn from a copy of the sources, which is built and run. For every guard
//! a run that breaks an invariant must be found.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// List of guards, with the code that replaces each.
const GUARDS: &str = include_str!("../mutants/guards.diff");

/// A guard of the code, and the change that removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Name of the guard.
    pub name: String,
    /// Rule that the guard enforces, as a sentence.
    pub purpose: String,
    /// Path of its file, relative to the workspace.
    pub file: String,
    /// Replacements that remove the guard: code before and after.
    pub changes: Vec<(String, String)>,
}

impl Guard {
    /// Every guard, in the order of the list.
    pub fn all() -> Vec<Self> {
        GUARDS.split("\n# ").skip(1).map(Self::read).collect()
    }

    fn read(section: &str) -> Self {
        let mut lines = section.lines();
        let mut head = || lines.next().unwrap_or_default().to_owned();
        let (name, purpose, file) = (head(), head(), head());
        let mut changes: Vec<(String, String)> = Vec::new();
        let mut is_adding = true;
        for line in lines {
            if let Some(old) = line.strip_prefix('-') {
                if std::mem::take(&mut is_adding) {
                    changes.push((String::new(), String::new()));
                }
                if let Some((before, _)) = changes.last_mut() {
                    before.extend([old, "\n"]);
                }
            } else if let Some(new) = line.strip_prefix('+') {
                is_adding = true;
                if let Some((_, after)) = changes.last_mut() {
                    after.extend([new, "\n"]);
                }
            }
        }
        // Without the final line break, a change may end in the middle of a line of the source.
        let cut = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
        let changes = changes.iter().map(|(before, after)| (cut(before), cut(after))).collect();
        Self { name, purpose, file, changes }
    }

    /// Removes the guard from the source of its file.
    pub fn remove_from(&self, source: &str) -> Result<String, Misplaced> {
        let mut text = source.to_owned();
        for (before, after) in &self.changes {
            let places = text.matches(before.as_str()).count();
            if places != 1 {
                return Err(Misplaced { guard: self.name.clone(), file: self.file.clone(), places });
            }
            text = text.replacen(before.as_str(), after, 1);
        }
        Ok(text)
    }
}

/// Error of a guard whose code is not found once in its file: the list must be updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    guard: String,
    file: String,
    places: usize,
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guard, file, places } = self;
        write!(f, "the code of guard {guard:?} occurs {places} times in {file}; it must occur once")
    }
}

impl From<Misplaced> for io::Error {
    fn from(misplaced: Misplaced) -> Self {
        Self::other(misplaced.to_string())
    }
}

/// Copy of the sources in which guards are removed.
pub struct Scratch {
    workspace: PathBuf,
    copy: PathBuf,
}

impl Scratch {
    /// Copies the sources of `workspace` into its `target` folder.
    pub fn of(workspace: &Path) -> io::Result<Self> {
        let copy = workspace.join("target/mutants");
        let scratch = Self { workspace: workspace.to_owned(), copy };
        for part in ["crates", "migrations"] {
            scratch.mirror(Path::new(part))?;
        }
        for file in ["Cargo.toml", "Cargo.lock"] {
            scratch.refresh(Path::new(file))?;
        }
        Ok(scratch)
    }

    fn mirror(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(self.copy.join(folder))?;
        for entry in fs::read_dir(self.copy.join(folder))? {
            let entry = entry?;
            if !self.workspace.join(folder).join(entry.file_name()).exists() {
                let path = entry.path();
                if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
            }
        }
        for entry in fs::read_dir(self.workspace.join(folder))? {
            let (kind, path) = entry.and_then(|it| Ok((it.file_type()?, folder.join(it.file_name()))))?;
            if kind.is_dir() { self.mirror(&path)? } else { self.refresh(&path)? }
        }
        Ok(())
    }

    /// Copies a file if its content differs, so that unchanged crates are not rebuilt.
    fn refresh(&self, file: &Path) -> io::Result<()> {
        let (from, to) = (self.workspace.join(file), self.copy.join(file));
        let text = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|it| it == text) { Ok(()) } else { fs::write(&to, text) }
    }

    /// Removes a guard, searches for a run that breaks an invariant, and restores the guard. Returns the simulator's
    /// brief line about the broken run (seed, invariant, steps, runs); `None` if no run breaks an invariant.
    pub fn without(&self, guard: &Guard, minutes: f64, jobs: usize) -> io::Result<Option<String>> {
        let place = self.copy.join(&guard.file);
        let source = fs::read_to_string(&place)?;
        fs::write(&place, guard.remove_from(&source)?)?;
        let found = self.search(minutes, jobs);
        fs::write(&place, source)?;
        found
    }

    fn search(&self, minutes: f64, jobs: usize) -> io::Result<Option<String>> {
        let target = self.copy.join("target");
        let built = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "--profile", "simulate", "--package", "paywright-simulator"])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTFLAGS", "--cap-lints allow")
            .status()?;
        if !built.success() {
            return Err(io::Error::other("the sources do not build without the guard"));
        }
        let ran = Command::new(target.join("simulate/paywright-simulator"))
            .args(["--brief", "--seeds", "1000000000", "--minutes", &minutes.to_string(), "--jobs", &jobs.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&ran.stdout);
        Ok((!ran.status.success()).then(|| text.lines().last().unwrap_or_default().to_owned()))
    }
}
