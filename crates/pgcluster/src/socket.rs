//! Where the socket is. A socket's address has room for about a hundred bytes only.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::folder::{Folder, private_dir};
use crate::owner::Owner;

/// `sun_path` is 104 bytes on macOS (108 on Linux), with the final zero.
const LONGEST: usize = 103;
/// The longest file name of a socket.
const NAME: &str = ".s.PGSQL.65535";

/// A folder for the socket, mode 0700 and owned by the server's user.
#[derive(Debug)]
pub(crate) struct SocketDir {
    path: PathBuf,
    outside: bool,
}

impl SocketDir {
    /// In the data folder if the path is short enough, else in the user's runtime folder or in /tmp.
    pub(crate) fn open(folder: &Folder, owner: &Owner) -> Result<Self, Error> {
        let inside = folder.run();
        if fits(&inside) {
            private_dir(&inside, owner)?;
            return Ok(Self {
                path: inside,
                outside: false,
            });
        }
        let path = short_base(owner).join(short_name(folder.root()));
        claim(&path, owner)?;
        Ok(Self { path, outside: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketDir {
    /// Leaves nothing behind outside the data folder; the server has removed its socket by now.
    fn drop(&mut self) {
        if self.outside
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "the socket's folder was not removed");
        }
    }
}

fn fits(dir: &Path) -> bool {
    dir.as_os_str().as_bytes().len() + 1 + NAME.len() <= LONGEST
}

fn short_base(owner: &Owner) -> PathBuf {
    // The runtime folder belongs to this process's user, so another user's server cannot enter it.
    let runtime = env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|_| !owner.is_dropped());
    runtime
        .filter(|dir| dir.is_dir() && fits(&dir.join(short_name(Path::new("")))))
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// The same folder always gets the same name, so that a crash leaves one entry at most. FNV-1a: unlike the standard
/// library's hasher it is the same in every release. It needs no secrecy, because [`claim`] refuses strangers' folders.
fn short_name(root: &Path) -> String {
    let hash = root
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("stoa-pg-{hash:016x}")
}

/// In a folder that everybody can write to, a name may have been taken by somebody else.
fn claim(path: &Path, owner: &Owner) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => return owner.own(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("make", path)(error)),
    }
    let meta = fs::symlink_metadata(path).map_err(Error::io("look at", path))?;
    if meta.is_dir() && meta.uid() == owner.uid() && meta.mode() & 0o077 == 0 {
        return Ok(());
    }
    let foreign = io::Error::new(
        io::ErrorKind::PermissionDenied,
        "it belongs to another user; remove it or choose a shorter data folder",
    );
    Err(Error::io("use", path)(foreign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_stable_and_differ() {
        assert_eq!(short_name(Path::new("")), "stoa-pg-cbf29ce484222325");
        assert_ne!(short_name(Path::new("/a")), short_name(Path::new("/b")));
    }

    #[test]
    fn the_limit_counts_the_socket_name() {
        assert!(fits(Path::new(&format!("/{}", "d".repeat(87)))));
        assert!(!fits(Path::new(&format!("/{}", "d".repeat(88)))));
    }
}
