//! File that remembers the highest timeline outside the database, because a replaced database does not know that it was.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::timeline::{Known, Refusal, Server};

/// Maximum size of the file in bytes.
const BYTES_MAX: u64 = 4096;

/// Why a timeline cannot be remembered.
#[derive(Debug, Error)]
pub enum TimelineFileError {
    /// The file exists and cannot be read.
    #[error(
        "the timeline file {} cannot be read: {error}. The user that Paywright runs as must be able to read and \
         write it, and its folder (`database.timeline_file`)",
        path.display()
    )]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        error: std::io::Error,
    },
    /// The file has other content.
    #[error(
        "the timeline file {} is damaged: {problem}. Find out which server is the primary, set only its address, and \
         run `paywright database trust-timeline` to write the file again",
        path.display()
    )]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the problem.
        problem: String,
    },
    /// The file cannot be written.
    #[error(
        "the timeline file {} cannot be written: {error}. Set `database.timeline_file` to a path on a persistent disk \
         that the user of Paywright may write to, or to an empty text to run without the protection from a \
         replaced primary",
        path.display()
    )]
    Unwritable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        error: std::io::Error,
    },
}

/// Content of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    system_identifier: String,
    timeline: u32,
    seen_at: String,
}

/// Timeline file, which need not exist yet.
#[derive(Debug, Clone)]
pub(crate) struct TimelineFile(PathBuf);

impl TimelineFile {
    pub(crate) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads the remembered timeline; `None` if there is no file.
    pub(crate) fn read(&self) -> Result<Option<Known>, TimelineFileError> {
        let path = || self.0.clone();
        let text = match fs::metadata(&self.0) {
            Ok(found) if found.len() > BYTES_MAX => {
                let problem = format!("it has more than {BYTES_MAX} bytes");
                return Err(TimelineFileError::Damaged { path: path(), problem });
            }
            Ok(_) => fs::read(&self.0),
            Err(error) => Err(error),
        };
        let text = match text {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TimelineFileError::Unreadable { path: path(), error }),
        };
        match serde_json::from_slice::<Content>(&text) {
            Ok(content) => {
                let Content { system_identifier: system, timeline, seen_at } = content;
                Ok(Some(Known { system, timeline, seen_at }))
            }
            Err(error) => Err(TimelineFileError::Damaged { path: path(), problem: error.to_string() }),
        }
    }

    /// Writes a timeline that is higher than the one in the file, and returns the file's content then, which may be higher,
    /// or of another cluster. Concurrent processes take turns.
    pub(crate) fn raise(&self, to: &Known) -> Result<Known, TimelineFileError> {
        let unwritable = |error| TimelineFileError::Unwritable { path: self.0.clone(), error };
        let stays = |there: &Known| there.system != to.system || there.timeline >= to.timeline;
        if let Some(there) = self.read()?.filter(stays) {
            return Ok(there);
        }
        let folder = File::open(self.folder()).map_err(unwritable)?;
        folder.lock().map_err(unwritable)?;
        if let Some(there) = self.read()?.filter(stays) {
            return Ok(there);
        }
        self.write(&folder, to).map_err(unwritable)?;
        Ok(to.clone())
    }

    /// Writes this timeline, whatever the file contains.
    pub(crate) fn replace(&self, by: &Known) -> Result<(), TimelineFileError> {
        let written = File::open(self.folder()).and_then(|folder| {
            folder.lock()?;
            self.write(&folder, by)
        });
        written.map_err(|error| TimelineFileError::Unwritable { path: self.0.clone(), error })
    }

    /// Replaces the file atomically: a crash leaves the old or the new content.
    fn write(&self, folder: &File, known: &Known) -> std::io::Result<()> {
        let content = Content {
            system_identifier: known.system.clone(),
            timeline: known.timeline,
            seen_at: known.seen_at.clone(),
        };
        let mut text = serde_json::to_string_pretty(&content)?;
        text.push('\n');
        let mut beside = self.0.clone().into_os_string();
        beside.push(".new");
        let mut file = File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.0)?;
        folder.sync_all()
    }

    fn folder(&self) -> &Path {
        match self.0.parent() {
            Some(folder) if folder != Path::new("") => folder,
            Some(_) | None => Path::new("."),
        }
    }
}

/// Whether a server may be used for writes, by the content of the file after it was raised.
pub(crate) fn fits(server: &Server, held: &Known) -> Result<(), Refusal> {
    let place = server.place.clone();
    if held.system != server.system {
        return Err(Refusal::OtherCluster { place, seen: server.system.clone(), known: held.clone() });
    }
    if server.timeline < held.timeline {
        return Err(Refusal::OldTimeline { place, seen: server.timeline, known: held.clone() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(system: &str, timeline: u32) -> Known {
        Known { system: system.into(), timeline, seen_at: "db1:5432/shop".into() }
    }

    /// Timeline file in a directory of one test.
    fn file(test: &str) -> (PathBuf, TimelineFile) {
        let folder = std::env::temp_dir().join(format!("paywright-timeline-{test}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        (folder.clone(), TimelineFile::at(folder.join("timeline.json")))
    }

    #[test]
    fn a_timeline_file_is_lowered_only_when_it_is_replaced() {
        let (folder, file) = file("raised");
        assert_eq!(file.read().unwrap(), None);
        for (seen, held) in [
            (known("7", 2), known("7", 2)),
            (known("7", 1), known("7", 2)),
            (known("8", 9), known("7", 2)),
            (known("7", 3), known("7", 3)),
        ] {
            assert_eq!(file.raise(&seen).unwrap(), held, "{seen:?}");
            assert_eq!(file.read().unwrap(), Some(held), "{seen:?}");
        }
        file.replace(&known("8", 1)).unwrap();
        assert_eq!(file.read().unwrap(), Some(known("8", 1)));
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(files, ["timeline.json"], "nothing is left beside it");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn concurrent_processes_keep_the_highest_timeline() {
        let (folder, file) = file("at-once");
        let threads: Vec<_> = (1..=16)
            .map(|n| {
                let file = file.clone();
                std::thread::spawn(move || file.raise(&known("7", n)).unwrap().timeline >= n)
            })
            .collect();
        assert!(threads.into_iter().all(|it| it.join().unwrap()));
        assert_eq!(file.read().unwrap(), Some(known("7", 16)));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_error_of_an_unusable_timeline_file_has_its_path_and_advice() {
        let (folder, file) = file("damaged");
        for text in [String::new(), "{}".into(), "{\"timeline\": 2".into(), " ".repeat(5000)] {
            fs::write(&file.0, &text).unwrap();
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains("timeline.json is damaged") && error.contains("trust-timeline"), "{error}");
            assert!(file.raise(&known("7", 2)).is_err());
            assert_eq!(fs::read(&file.0).unwrap(), text.as_bytes(), "it is left as it was");
        }
        let nowhere = TimelineFile::at(folder.join("nowhere/timeline.json"));
        let error = nowhere.raise(&known("7", 2)).unwrap_err().to_string();
        assert!(error.contains("cannot be written") && error.contains("database.timeline_file"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
