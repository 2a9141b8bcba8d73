//! Whom the server runs as. PostgreSQL refuses to run as root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::Error;

/// The user that owns the data and runs the server: this process's own, unless that is root.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    drop_to: Option<Ids>,
    name: String,
}

#[derive(Debug, Clone, Copy)]
struct Ids {
    uid: u32,
    gid: u32,
}

impl Owner {
    /// For root: whoever owns the data already, else `postgres`, else `nobody`.
    pub(crate) fn resolve(pgdata: &Path) -> Result<Self, Error> {
        if !geteuid().is_root() {
            return Ok(Self {
                drop_to: None,
                name: String::new(),
            });
        }
        if let Some(meta) = pgdata.metadata().ok().filter(|meta| meta.uid() != 0) {
            let name = User::from_uid(meta.uid().into())
                .ok()
                .flatten()
                .map(|user| user.name);
            let ids = Ids {
                uid: meta.uid(),
                gid: meta.gid(),
            };
            return Ok(Self {
                drop_to: Some(ids),
                name: name.unwrap_or_else(|| meta.uid().to_string()),
            });
        }
        let user = ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .ok_or(Error::NoUnprivilegedUser)?;
        Ok(Self {
            drop_to: Some(Ids {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }),
            name: user.name,
        })
    }

    /// The user id that files of the cluster belong to.
    pub(crate) fn uid(&self) -> u32 {
        self.drop_to.map_or_else(|| geteuid().as_raw(), |ids| ids.uid)
    }

    /// Whether the server runs as another user than this process.
    pub(crate) fn is_dropped(&self) -> bool {
        self.drop_to.is_some()
    }

    /// Makes `command` run as this user; supplementary groups are dropped by it.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some(Ids { uid, gid }) = self.drop_to {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives `path` to this user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        let Some(Ids { uid, gid }) = self.drop_to else {
            return Ok(());
        };
        chown(path, Some(uid), Some(gid)).map_err(Error::io("change the owner of", path))
    }

    /// Checks that this user can reach `target` through its parents. Only root needs it: others find out themselves.
    pub(crate) fn check_reach(&self, target: &Path) -> Result<(), Error> {
        let Some(ids) = self.drop_to else { return Ok(()) };
        let mut folders: Vec<&Path> = target.ancestors().skip(1).collect();
        folders.reverse();
        for folder in folders {
            let meta = folder.metadata().map_err(Error::io("look at", folder))?;
            if !may_enter(ids, meta.uid(), meta.gid(), meta.mode()) {
                return Err(Error::NotTraversable {
                    folder: folder.to_path_buf(),
                    target: target.to_path_buf(),
                    user: self.name.clone(),
                });
            }
        }
        Ok(())
    }
}

/// The search permission by the classic mode bits: the first class that applies decides.
fn may_enter(ids: Ids, uid: u32, gid: u32, mode: u32) -> bool {
    let bit = if ids.uid == uid {
        0o100
    } else if ids.gid == gid {
        0o010
    } else {
        0o001
    };
    mode & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_applies_decides() {
        let ids = Ids { uid: 5, gid: 6 };
        assert!(may_enter(ids, 0, 0, 0o755));
        assert!(!may_enter(ids, 0, 0, 0o700));
        assert!(may_enter(ids, 0, 6, 0o710));
        assert!(!may_enter(ids, 0, 6, 0o701));
        assert!(!may_enter(ids, 5, 6, 0o077));
    }
}
