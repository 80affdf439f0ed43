//! Disk space in reserve for what must work on a full disk: opening the file, and revoking a key.
//!
//! SQLite needs 32 KiB beside a file to open it at all (its `-shm`), and some pages in the `-wal` for each commit. A file
//! of its own holds that space; it is deleted to free it, and written again as far as the disk has room.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Size of the reserve in bytes: enough to open the file and to revoke some thirty keys.
const BYTES: u64 = 512 * 1024;

/// Reserve file beside a database file.
#[derive(Debug, Clone)]
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    /// Reserve beside the file at `database`.
    pub(crate) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        Self(path.into())
    }

    /// Deletes the reserve. Returns whether there was one.
    pub(crate) fn free(&self) -> bool {
        fs::remove_file(&self.0).is_ok()
    }

    /// Writes the missing part of the reserve, as far as there is room. A failure is ignored: nothing depends on it now.
    pub(crate) fn fill(&self) {
        let Ok(mut file) = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0) else { return };
        let written = file.metadata().map_or(0, |it| it.len());
        let mut noise = Noise(1);
        for _ in (written..BYTES).step_by(Noise::BYTES) {
            if file.write_all(&noise.block()).is_err() {
                return;
            }
        }
    }
}

/// Bytes that a file system cannot compress, from a linear congruential generator (Knuth's MMIX).
struct Noise(u64);

impl Noise {
    const BYTES: usize = 4096;

    fn block(&mut self) -> [u8; Self::BYTES] {
        std::array::from_fn(|_| {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [highest, ..] = self.0.to_be_bytes();
            highest
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_written_once_and_completed_when_short() {
        let folder = std::env::temp_dir().join(format!("paywright-reserve-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let reserve = Reserve::beside(&folder.join("orders.db"));
        let size = || fs::metadata(folder.join("orders.db-reserve")).map(|it| it.len()).ok();
        assert!(!reserve.free());
        for before in [0, BYTES - 5000, BYTES] {
            fs::write(folder.join("orders.db-reserve"), vec![0; usize::try_from(before).unwrap()]).unwrap();
            reserve.fill();
            assert!((BYTES..BYTES + 4096).contains(&size().unwrap()), "{before}");
        }
        assert!(reserve.free());
        assert_eq!(size(), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
