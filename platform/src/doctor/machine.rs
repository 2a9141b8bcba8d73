//! The machine: what every process needs, and what `stoa up` needs.

use super::Finding;
use crate::cli::ConfigArgs;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, User, access};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Each connection is a file; below this a busy gateway refuses some.
const ENOUGH_FILES: u64 = 4096;
/// PostgreSQL stops writing when the disk is full.
const ENOUGH_BYTES: u64 = 1 << 30;
const MEBIBYTE: u64 = 1 << 20;

pub(super) fn examine() -> Vec<Finding> {
    vec![files(), clock()]
}

/// What `stoa up` needs beyond that.
pub(super) fn examine_for_up(data: &Path, config: &ConfigArgs) -> Vec<Finding> {
    let (listen, admin) = config.addresses();
    vec![
        server(),
        user(),
        folder(data),
        space(data),
        port("API", listen, "--listen"),
        port("health and metrics", admin, "--admin-listen"),
    ]
}

fn files() -> Finding {
    let what = "open files";
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, _)) if soft >= ENOUGH_FILES => Finding::ok(what, format!("up to {soft}")),
        Ok((soft, hard)) => Finding::warning(
            what,
            format!("up to {soft}, so at most about {} connections at once", soft / 2),
            format!("raise it before the start: ulimit -n {}", hard.min(65_536)),
        ),
        Err(error) => Finding::warning(what, error.to_string(), "check ulimit -n"),
    }
}

/// Tokens and certificates compare with the clock; one that was never set says 1970 or the image's build.
fn clock() -> Finding {
    let (what, now) = ("clock", stoa_kernel::Clock::system().now());
    // 2026-01-01: no release of this program is older.
    if now.as_second() < 1_767_225_600 {
        return Finding::error(
            what,
            now.to_string(),
            "set the clock, best by NTP (timedatectl set-ntp true)",
        );
    }
    Finding::ok(what, now.to_string())
}

fn server() -> Finding {
    let what = "PostgreSQL's server";
    match stoa_pgcluster::find_server() {
        Ok(found) => Finding::ok(
            what,
            format!("version {} in {}", found.major(), found.dir().display()),
        ),
        Err(error) => Finding::error(
            what,
            error.to_string(),
            "scripts/install-deps run installs it, or set STOA_PG_BIN to the folder that holds initdb and postgres",
        ),
    }
}

/// PostgreSQL refuses to run as root, so `stoa up` runs it as somebody else then.
fn user() -> Finding {
    let what = "user";
    if !Uid::effective().is_root() {
        return Finding::ok(what, format!("{}", Uid::effective()));
    }
    let unprivileged = ["postgres", "nobody"]
        .into_iter()
        .find(|name| User::from_name(name).is_ok_and(|user| user.is_some()));
    match unprivileged {
        Some(name) => Finding::ok(what, format!("root; PostgreSQL will run as {name}")),
        None => Finding::error(
            what,
            "root, and there is neither a user postgres nor nobody to run PostgreSQL as",
            "run stoa as another user",
        ),
    }
}

fn folder(data: &Path) -> Finding {
    let what = format!("data folder {}", data.display());
    let there = existing(data);
    match access(&there, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) if there == data => Finding::ok(what, "there and writable"),
        Ok(()) => Finding::ok(what, "will be made"),
        Err(error) => Finding::error(
            what,
            format!("{} cannot be written to: {error}", there.display()),
            "choose another with --data, or change its owner",
        ),
    }
}

fn space(data: &Path) -> Finding {
    let what = "disk";
    match statvfs(&existing(data)) {
        Ok(stat) => {
            #[allow(
                clippy::useless_conversion,
                reason = "the types differ between Linux and macOS"
            )]
            let free = u64::from(stat.blocks_available()).saturating_mul(u64::from(stat.fragment_size()));
            let found = format!("{} MiB free", free / MEBIBYTE);
            if free < ENOUGH_BYTES {
                let remedy = "make room: below 1 GiB PostgreSQL will soon stop writing";
                return Finding::warning(what, found, remedy);
            }
            Finding::ok(what, found)
        }
        Err(error) => Finding::warning(what, error.to_string(), "check the data folder's disk"),
    }
}

/// The folder, or the nearest one above it that is there.
fn existing(data: &Path) -> PathBuf {
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_path_buf());
    let there = absolute.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("/")).to_path_buf();
    if there == absolute {
        data.to_path_buf()
    } else {
        there
    }
}

fn port(what: &str, address: SocketAddr, flag: &str) -> Finding {
    let what = format!("address of {what}");
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(what, format!("{address} is free")),
        Err(error) => Finding::error(
            what,
            format!("{address}: {error}"),
            format!("stop what listens there (maybe Stoa itself), or choose another with {flag}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_busy_address_is_named_with_the_flag_to_change_it() {
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = port("API", busy.local_addr().unwrap(), "--listen");
        assert_eq!(found.level, Level::Error);
        assert!(found.remedy.unwrap().contains("--listen"));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_above() {
        let dir = std::env::temp_dir();
        let found = folder(&dir.join("stoa-doctor/none/such"));
        assert_eq!((found.level, found.found.as_str()), (Level::Ok, "will be made"));
    }
}
