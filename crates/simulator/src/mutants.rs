//! Proof by mutation: without any one of the guards, a run that breaks an invariant is found. One at a time is taken
//! away in a copy of the sources, which is built and run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, fs, io};

/// The guards, and what each becomes when it is taken away.
const GUARDS: &str = include_str!("../mutants/guards.diff");

/// A guard, and the code without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Its name.
    pub name: String,
    /// What it sees to.
    pub purpose: String,
    /// Where it is, from the workspace on.
    pub file: String,
    /// What becomes what.
    pub changes: Vec<(String, String)>,
}

impl Guard {
    /// Every guard, in the order of the file.
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
        // The last line may be the beginning of one.
        let cut = |text: &str| text.strip_suffix('\n').unwrap_or(text).to_owned();
        let changes = changes.iter().map(|(before, after)| (cut(before), cut(after))).collect();
        Self { name, purpose, file, changes }
    }

    /// The source without this guard.
    pub fn take_from(&self, source: &str) -> Result<String, Misplaced> {
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

/// A guard is not where the list says: the list is to be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced {
    guard: String,
    file: String,
    places: usize,
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guard, file, places } = self;
        write!(f, "the code of guard {guard:?} is in {file} {places} times, and should be there once")
    }
}

impl From<Misplaced> for io::Error {
    fn from(misplaced: Misplaced) -> Self {
        Self::other(misplaced.to_string())
    }
}

/// A copy of the sources that guards are taken from.
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

    /// Copies a file that is not the same there: what did not change is not built anew.
    fn refresh(&self, file: &Path) -> io::Result<()> {
        let (from, to) = (self.workspace.join(file), self.copy.join(file));
        let text = fs::read(&from)?;
        if fs::read(&to).is_ok_and(|it| it == text) { Ok(()) } else { fs::write(&to, text) }
    }

    /// Takes a guard away, looks for a run that breaks an invariant, and puts the guard back. Gives what was found, as
    /// the simulator says it in one line (seed, invariant, steps, runs); `None` if nothing was.
    pub fn without(&self, guard: &Guard, minutes: f64, jobs: usize) -> io::Result<Option<String>> {
        let place = self.copy.join(&guard.file);
        let source = fs::read_to_string(&place)?;
        fs::write(&place, guard.take_from(&source)?)?;
        let found = self.look(minutes, jobs);
        fs::write(&place, source)?;
        found
    }

    fn look(&self, minutes: f64, jobs: usize) -> io::Result<Option<String>> {
        let target = self.copy.join("target");
        let built = Command::new("cargo")
            .args(["build", "--quiet", "--locked", "--profile", "simulate", "--package", "paywright-simulator"])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", &target)
            .env("RUSTFLAGS", "--cap-lints allow")
            .status()?;
        if !built.success() {
            return Err(io::Error::other("it does not build without the guard"));
        }
        let ran = Command::new(target.join("simulate/paywright-simulator"))
            .args(["--brief", "--seeds", "1000000000", "--minutes", &minutes.to_string(), "--jobs", &jobs.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&ran.stdout);
        Ok((!ran.status.success()).then(|| text.lines().last().unwrap_or_default().to_owned()))
    }
}
