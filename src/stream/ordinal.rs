//! Which instance of its group on this host a lane is: the lowest number that no living process holds.
//!
//! The number makes the transactional id. A restart claims the same one and so frees at once what its predecessor left open; two
//! instances on one host with one configuration claim different ones and do not fence each other.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// More instances than partitions make no sense; this many partitions of one group on one host neither.
const ORDINALS: u32 = 4_096;

/// A claimed number, held until dropped.
#[derive(Debug)]
pub struct Ordinal {
    number: u32,
    _held: File,
}

impl Ordinal {
    /// Claims the lowest free number of `group` in `folder`, which is made if need be.
    ///
    /// # Errors
    /// When the folder cannot be written, or every number is taken.
    pub fn claim(folder: &Path, group: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for number in 0..ORDINALS {
            let file = File::create(folder.join(format!("{}-{number}.lock", as_file_name(group))))?;
            match file.try_lock() {
                Ok(()) => return Ok(Self { number, _held: file }),
                Err(TryLockError::WouldBlock) => (),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, format!("{ORDINALS} instances of group {group} run on this host")))
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }
}

/// `<prefix><group>-<host>-<n>`.
#[must_use]
pub fn transactional_id(prefix: &str, group: &str, ordinal: &Ordinal) -> String {
    format!("{prefix}{group}-{}-{}", host(), ordinal.number)
}

/// Where locks are held when the configuration does not say: the user's state folder.
#[must_use]
pub fn default_folder() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state")))
        .unwrap_or_else(std::env::temp_dir);
    state.join("gaitkeeper")
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".into())
}

/// Letters, digits, `.`, `_` and `-` as they are, every other byte as `%xx`, so that no two groups share a file.
fn as_file_name(group: &str) -> String {
    use std::fmt::Write;
    let mut name = String::new();
    for byte in group.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            write!(name, "%{byte:02x}").expect("a String takes everything");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_claimed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let claim = |group| Ordinal::claim(folder.path(), group).expect("free numbers");
        let (first, second, third) = (claim("g"), claim("g"), claim("g"));
        assert_eq!([first.number(), second.number(), third.number()], [0, 1, 2]);
        drop(second);
        assert_eq!(claim("g").number(), 1);
        assert_eq!(claim("other").number(), 0);
    }

    #[test]
    fn a_group_name_cannot_leave_the_folder() {
        assert_eq!(as_file_name("../a b"), "..%2fa%20b");
        assert_ne!(as_file_name("a/b"), as_file_name("a%2fb"));
    }

    #[test]
    fn the_id_survives_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let id = || transactional_id("p.", "g", &Ordinal::claim(folder.path(), "g").expect("a free number"));
        assert_eq!(id(), id());
        assert!(id().starts_with("p.g-") && id().ends_with("-0"), "{}", id());
    }
}
