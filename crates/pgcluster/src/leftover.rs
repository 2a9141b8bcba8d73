//! Servers and lock files that a killed process left in the data directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use crate::folder::Folder;
use crate::{Error, Progress};

/// How each signal is given time to work, gentlest first.
const STEPS: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(30)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const POLL: Duration = Duration::from_millis(20);

/// Stops a postmaster that still runs on this data, and disarms a stale `postmaster.pid`.
pub(crate) async fn clear(folder: &Folder, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<(), Error> {
    let pgdata = folder.pgdata();
    let Some(pid) = recorded_pid(&pgdata) else {
        return Ok(());
    };
    if !is_alive(pid) {
        return Ok(());
    }
    if serves(pid, &pgdata) {
        progress(Progress::StoppingLeftover { pid: pid.as_raw() });
        stop(pid, &folder.log()).await?;
    }
    disarm(&pgdata)
}

/// Whether the last server on this data ended without shutting down: it would have removed its file.
pub(crate) fn was_killed(pgdata: &Path) -> bool {
    pgdata.join("postmaster.pid").exists()
}

/// Ends backends that outlived their postmaster and keep the shared memory in use.
pub(crate) fn end_orphans(pgdata: &Path) {
    for pid in orphans(pgdata) {
        tracing::warn!(pid = pid.as_raw(), "ending a backend that outlived its server");
        let _ = kill(pid, Signal::SIGQUIT);
    }
}

async fn stop(pid: Pid, log: &Path) -> Result<(), Error> {
    for (signal, patience) in STEPS {
        let _ = kill(pid, signal);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !is_alive(pid) {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(Error::WillNotStop {
        pid: pid.as_raw(),
        log: log.to_path_buf(),
    })
}

/// The first line of `postmaster.pid`. Negative in a stand-alone backend.
fn recorded_pid(pgdata: &Path) -> Option<Pid> {
    let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    let pid: i32 = text.lines().next()?.trim().parse().ok()?;
    Some(Pid::from_raw(pid.checked_abs()?)).filter(|pid| pid.as_raw() > 1)
}

/// A new server refuses to start while the recorded process exists, even if that is now a stranger (the id was given
/// out again, after a reboot for example) or a zombie that nobody reaps. Removing the file would also remove the check
/// that no old backend is attached to the shared memory. The server takes its own parent's id for stale: write that.
fn disarm(pgdata: &Path) -> Result<(), Error> {
    let path = pgdata.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    fs::write(&path, format!("{}\n{rest}", std::process::id())).map_err(Error::io("write", &path))
}

#[cfg(target_os = "linux")]
fn is_alive(pid: Pid) -> bool {
    // The state follows the name, which is in parentheses and may hold some itself.
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, Some('Z' | 'X') | None)
}

#[cfg(not(target_os = "linux"))]
fn is_alive(pid: Pid) -> bool {
    !matches!(kill(pid, None), Err(nix::errno::Errno::ESRCH))
}

/// Whether the process is a server on this data directory and not a stranger with a recycled id.
#[cfg(target_os = "linux")]
fn serves(pid: Pid, pgdata: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let named = arguments
        .split(|byte| *byte == 0)
        .any(|argument| argument == pgdata.as_os_str().as_bytes());
    named || works_in(pid, pgdata)
}

#[cfg(not(target_os = "linux"))]
fn serves(pid: Pid, pgdata: &Path) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-ww", "-o", "command=", "-p", &pid.to_string()])
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*pgdata.to_string_lossy()))
}

/// Every PostgreSQL process changes into its data directory.
#[cfg(target_os = "linux")]
fn works_in(pid: Pid, pgdata: &Path) -> bool {
    let is_postgres =
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("postgres"));
    is_postgres && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == pgdata)
}

#[cfg(target_os = "linux")]
fn orphans(pgdata: &Path) -> Vec<Pid> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| works_in(*pid, pgdata))
        .collect()
}

/// Without /proc a process's folder is not to be had cheaply; the start is retried until the backends notice.
#[cfg(not(target_os = "linux"))]
fn orphans(_pgdata: &Path) -> Vec<Pid> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_lock_file_keeps_its_shared_memory_key_when_disarmed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("postmaster.pid");
        fs::write(&file, "4711\n/data/pg\n1700000000\n5432\n/run\n\n  123  456\n").unwrap();
        assert_eq!(recorded_pid(dir.path()), Some(Pid::from_raw(4711)));
        disarm(dir.path()).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            format!(
                "{}\n/data/pg\n1700000000\n5432\n/run\n\n  123  456\n",
                std::process::id()
            )
        );
    }

    #[test]
    fn this_process_is_alive_and_no_server() {
        let dir = tempfile::tempdir().unwrap();
        let own = Pid::this();
        assert!(is_alive(own));
        assert!(!serves(own, dir.path()));
    }
}
