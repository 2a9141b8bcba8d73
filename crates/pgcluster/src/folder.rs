//! The data folder: what is where in it, its lock and its password.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::owner::Owner;

/// Names that may be in a data folder; [`TEMPORARY`] is a prefix.
const ENTRIES: [&str; 7] = [
    "cluster.lock",
    "pg",
    "postgres.log",
    "postgres.log.1",
    "run",
    "superuser.password",
    "superuser.password.new",
];
/// What a fresh volume or a desktop may have put there.
const HARMLESS: [&str; 2] = ["lost+found", ".DS_Store"];
/// The prefix of data directories whose initdb has not finished.
pub(crate) const TEMPORARY: &str = "pg.tmp-";

/// A data folder that exists, as an absolute path without links.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folder when it does not exist, and refuses one that holds something else.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::io("make the data folder", path))?;
        let root = path
            .canonicalize()
            .map_err(Error::io("find the data folder", path))?;
        let folder = Self { root };
        folder.refuse_foreign_content()?;
        Ok(folder)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// PostgreSQL's own data directory.
    pub(crate) fn pgdata(&self) -> PathBuf {
        self.root.join("pg")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.root.join("superuser.password")
    }

    /// Gives the folder to the server's user, for it alone.
    pub(crate) fn hand_over(&self, owner: &Owner) -> Result<(), Error> {
        owner.check_reach(&self.root)?;
        fs::set_permissions(&self.root, Permissions::from_mode(0o700))
            .map_err(Error::io("restrict the permissions of", &self.root))?;
        owner.own(&self.root)
    }

    /// Locks the folder for this process until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<FolderLock, Error> {
        let path = self.root.join("cluster.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.in_use(file)),
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        }
        let note = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        note(&mut file).map_err(Error::io("write", &path))?;
        Ok(FolderLock(file))
    }

    /// The superuser's password: the stored one, else a new one if there is no database yet that needs the old.
    pub(crate) fn password(&self, owner: &Owner) -> Result<String, Error> {
        let path = self.password_file();
        let stored = match fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        if !stored.is_empty() {
            return Ok(stored);
        }
        if self.pgdata().exists() {
            return Err(Error::PasswordLost { file: path });
        }
        self.write_password(owner)
    }

    fn write_password(&self, owner: &Owner) -> Result<String, Error> {
        let password = hex::encode(rand::random::<[u8; 32]>());
        let path = self.password_file();
        let new = self.root.join("superuser.password.new");
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(password.as_bytes())?;
            file.sync_all()
        };
        write().map_err(Error::io("write", &new))?;
        // initdb reads it as the server's user.
        owner.own(&new)?;
        fs::rename(&new, &path).map_err(Error::io("rename to its final name", &new))?;
        Ok(password)
    }

    fn in_use(&self, mut file: File) -> Error {
        let mut holder = String::new();
        let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
        let holder = if known {
            holder.trim().to_owned()
        } else {
            "unknown".to_owned()
        };
        Error::InUse {
            folder: self.root.clone(),
            holder,
        }
    }

    /// Guards a mistyped path: the folder is about to be given away and closed to others.
    fn refuse_foreign_content(&self) -> Result<(), Error> {
        if self.root.join("pg").is_dir() && self.root.join("superuser.password").is_file() {
            // Ours; what the caller keeps beside the database is its own affair.
            return Ok(());
        }
        let entries = fs::read_dir(&self.root).map_err(Error::io("list", &self.root))?;
        for entry in entries {
            let name = entry.map_err(Error::io("list", &self.root))?.file_name();
            let name = name.to_string_lossy();
            let known =
                ENTRIES.contains(&&*name) || HARMLESS.contains(&&*name) || name.starts_with(TEMPORARY);
            if !known {
                return Err(Error::NotADataFolder {
                    folder: self.root.clone(),
                    found: name.into_owned(),
                });
            }
        }
        Ok(())
    }
}

/// The lock on a data folder.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

impl Drop for FolderLock {
    /// Closing alone would not do: a child that another thread has forked holds a copy until its exec.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the data folder was not unlocked");
        }
    }
}

/// Makes a folder for the owner alone; an existing one is taken over.
pub(crate) fn private_dir(path: &Path, owner: &Owner) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("make", path)(error)),
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(Error::io("restrict the permissions of", path))?;
    owner.own(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_lock_is_free_although_a_forked_child_still_has_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let lock = folder.lock().unwrap();
        let _copy = lock.0.try_clone().unwrap();
        assert!(matches!(folder.lock(), Err(Error::InUse { .. })));
        drop(lock);
        folder.lock().unwrap();
    }
}
