//! Finds PostgreSQL's server programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The oldest major version of PostgreSQL that is supported.
pub const OLDEST_MAJOR: u32 = 15;

/// A folder that holds `initdb`, `postgres` and `pg_ctl`, all of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinaries {
    dir: PathBuf,
    major: u32,
}

impl ServerBinaries {
    /// The programs in `dir`; the error is the reason why they cannot be used.
    ///
    /// # Errors
    /// A text, when a program is missing, does not run or is too old.
    pub fn in_dir(dir: &Path) -> Result<Self, String> {
        for program in ["initdb", "postgres", "pg_ctl"] {
            if !dir.join(program).is_file() {
                return Err(format!("{program} is missing"));
            }
        }
        let major = version_of(&dir.join("postgres"))?;
        if major < OLDEST_MAJOR {
            return Err(format!("it is version {major}"));
        }
        Ok(Self {
            dir: dir.to_path_buf(),
            major,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The major version, such as 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Finds PostgreSQL 15 or newer: in `STOA_PG_BIN`, by `pg_config --bindir`, on the PATH, in Debian's and Red Hat's
/// folders (newest first) and in Homebrew's. `STOA_PG_BIN` is final: when it is set, nothing else is tried.
///
/// # Errors
/// [`Error::ServerNotFound`] says where it looked and how to install; [`Error::UnusableFolder`] when `STOA_PG_BIN` is
/// wrong.
pub fn find_server() -> Result<ServerBinaries, Error> {
    search(|_| true)
}

/// Like [`find_server`], for the data of one major version.
pub(crate) fn find_server_for(data: &str, folder: &Path) -> Result<ServerBinaries, Error> {
    let mut seen = Vec::new();
    let found = search(|server| {
        let right = server.major.to_string() == data;
        let major = server.major.to_string();
        if !right && !seen.contains(&major) {
            seen.push(major);
        }
        right
    });
    match found {
        Err(Error::ServerNotFound { .. }) if !seen.is_empty() => Err(Error::VersionMismatch {
            folder: folder.to_path_buf(),
            data: data.to_owned(),
            found: seen.join(" and "),
        }),
        other => other,
    }
}

fn search(mut accept: impl FnMut(&ServerBinaries) -> bool) -> Result<ServerBinaries, Error> {
    if let Some(folder) = env::var_os("STOA_PG_BIN")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
    {
        let server = ServerBinaries::in_dir(&folder).map_err(|reason| Error::UnusableFolder {
            folder: folder.clone(),
            reason,
        })?;
        if accept(&server) {
            return Ok(server);
        }
        return Err(not_found(&[format!("STOA_PG_BIN={}", folder.display())]));
    }
    let mut tried: Vec<PathBuf> = Vec::new();
    let mut searched = Vec::new();
    for dir in candidates() {
        if tried.contains(&dir) {
            continue;
        }
        match ServerBinaries::in_dir(&dir) {
            Ok(server) if accept(&server) => return Ok(server),
            Ok(server) => searched.push(format!("{} (version {})", dir.display(), server.major)),
            Err(reason) => searched.push(format!("{} ({reason})", dir.display())),
        }
        tried.push(dir);
    }
    Err(not_found(&searched))
}

fn not_found(searched: &[String]) -> Error {
    let searched = if searched.is_empty() {
        "pg_config, PATH, /usr/lib/postgresql, Homebrew; none has one".to_owned()
    } else {
        searched.join(", ")
    };
    Error::ServerNotFound {
        oldest: OLDEST_MAJOR,
        searched,
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = pg_config().into_iter().collect();
    for entry in env::var_os("PATH").iter().flat_map(env::split_paths) {
        let postgres = entry.join("postgres");
        if !postgres.is_file() {
            continue;
        }
        // A link on the PATH leads to the real folder; a wrapper script has no initdb beside it and is skipped.
        if let Some(real) = postgres
            .canonicalize()
            .ok()
            .and_then(|path| path.parent().map(Path::to_path_buf))
        {
            dirs.push(real);
        }
        dirs.push(entry);
    }
    dirs.extend(versioned("/usr/lib/postgresql", "", "bin"));
    dirs.extend(versioned("/usr", "pgsql-", "bin"));
    for prefix in [
        "/opt/homebrew/opt",
        "/usr/local/opt",
        "/home/linuxbrew/.linuxbrew/opt",
    ] {
        dirs.extend(versioned(prefix, "postgresql@", "bin"));
    }
    dirs
}

fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config")
        .arg("--bindir")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let dir = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    // Without the server package pg_config names a folder that holds clients only, or does not exist.
    dir.join("postgres").is_file().then_some(dir)
}

/// `PARENT/PREFIX<major>/LEAF` for every major version present, newest first.
fn versioned(parent: &str, prefix: &str, leaf: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let major = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((major, entry.path().join(leaf)))
        })
        .collect();
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, dir)| dir).collect()
}

fn version_of(postgres: &Path) -> Result<u32, String> {
    let output = Command::new(postgres)
        .arg("--version")
        .output()
        .map_err(|error| format!("{} does not run: {error}", postgres.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).ok_or_else(|| format!("{} --version answers {:?}", postgres.display(), text.trim()))
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 17beta1`, `… 18devel`.
fn parse_version(text: &str) -> Option<u32> {
    let version = text.split(" (PostgreSQL) ").nth(1)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_texts_of_releases_and_previews_are_understood() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(parse_version("postgres (PostgreSQL) 17beta1\n"), Some(17));
        assert_eq!(parse_version("postgres (PostgreSQL) 18devel\n"), Some(18));
        assert_eq!(parse_version("something else 3.2"), None);
    }

    #[test]
    fn a_folder_without_the_server_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            ServerBinaries::in_dir(dir.path()),
            Err("initdb is missing".to_owned())
        );
    }

    #[test]
    fn data_of_a_version_that_is_not_installed_is_a_mismatch() {
        let error = find_server_for("9", Path::new("/data/pg"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("made by PostgreSQL 9"), "{error}");
        assert!(error.contains("pg_upgrade"), "{error}");
    }
}
