//! Makes the database with initdb, so that an interruption leaves nothing that looks finished.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::SUPERUSER;
use crate::folder::{Folder, TEMPORARY};
use crate::log::last_lines;
use crate::owner::Owner;
use crate::{Durability, Error, ServerBinaries};

/// The major version of the data, if there is a database. Also clears away what interrupted runs left.
pub(crate) fn existing_version(folder: &Folder) -> Result<Option<String>, Error> {
    remove_interrupted(folder)?;
    let pgdata = folder.pgdata();
    let file = pgdata.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(version) => Ok(Some(version.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !pgdata.exists() => Ok(None),
        // `pg` appears by a rename of a finished database, so this is damage, never an interrupted initdb.
        Err(error) => Err(Error::io("read the version of the data from", &file)(error)),
    }
}

/// Runs initdb in a temporary folder and renames it when it is complete.
pub(crate) async fn initialize(
    folder: &Folder,
    owner: &Owner,
    binaries: &ServerBinaries,
    durability: Durability,
) -> Result<(), Error> {
    let temporary = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempdir_in(folder.root())
        .map_err(Error::io("make a folder in", folder.root()))?;
    owner.own(temporary.path())?;
    run_initdb(folder, owner, binaries, durability, temporary.path()).await?;
    fs::rename(temporary.path(), folder.pgdata())
        .map_err(Error::io("rename to its final name", temporary.path()))?;
    // It is elsewhere now: nothing to remove.
    let _moved = temporary.keep();
    if durability == Durability::Durable {
        File::open(folder.root())
            .and_then(|dir| dir.sync_all())
            .map_err(Error::io("write to disk", folder.root()))?;
    }
    Ok(())
}

async fn run_initdb(
    folder: &Folder,
    owner: &Owner,
    binaries: &ServerBinaries,
    durability: Durability,
    target: &Path,
) -> Result<(), Error> {
    let initdb = binaries.program("initdb");
    let mut command = Command::new(&initdb);
    command
        .arg("-D")
        .arg(target)
        .args([
            "--no-locale",
            "-E",
            "UTF8",
            "--data-checksums",
            "--username",
            SUPERUSER,
        ])
        .args(["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"])
        .arg("--pwfile")
        .arg(folder.password_file())
        .current_dir(folder.root())
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    if durability == Durability::Ephemeral {
        command.arg("--no-sync");
    }
    owner.apply(&mut command);
    let output = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(Error::io("run", &initdb))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Error::InitFailed {
        folder: folder.root().to_path_buf(),
        status: output.status,
        output: last_lines(&String::from_utf8_lossy(&text), 8),
    })
}

fn remove_interrupted(folder: &Folder) -> Result<(), Error> {
    let entries = fs::read_dir(folder.root()).map_err(Error::io("list", folder.root()))?;
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY))
    {
        // Not fatal: an initdb whose parent was killed may still write into it, and every run has its own name.
        if let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "an interrupted initdb's folder remains");
        }
    }
    Ok(())
}
