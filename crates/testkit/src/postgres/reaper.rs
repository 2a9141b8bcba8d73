//! Removes a server and its files when the test process ends, also when that is killed.
//!
//! A shell waits for the end of its standard input, whose other end only the test process holds. The kernel closes it
//! whatever ends the process. The shell then ends the postmaster that `postmaster.pid` names, if it is the one of this
//! folder, and removes the folder. (A parent-death signal would need unsafe code, and not exist on macOS.)

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;

const SCRIPT: &str = r#"
folder=$1
read -r _
pid=$(head -n 1 "$folder/data/pg/postmaster.pid" 2>/dev/null)
case $pid in ''|*[!0-9]*) pid= ;; esac
command_line() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null || ps -ww -o command= -p "$1" 2>/dev/null; }
if [ -n "$pid" ]; then
  case $(command_line "$pid") in *"$folder"*)
    kill -QUIT "$pid" 2>/dev/null
    n=0
    # The file goes with the server, also where nobody reaps orphans and the process id stays.
    while [ $n -lt 200 ] && [ -e "$folder/data/pg/postmaster.pid" ]; do sleep 0.05; n=$((n + 1)); done
    [ $n -lt 200 ] || kill -KILL "$pid" 2>/dev/null ;;
  esac
fi
# An initdb whose parent was killed may still write.
n=0
until rm -rf "$folder" 2>/dev/null || [ $n -ge 50 ]; do sleep 0.1; n=$((n + 1)); done
"#;

/// Removes a folder, and the server in its `data` folder, when dropped or when the process ends.
#[derive(Debug)]
pub(crate) struct Reaper {
    shell: Child,
}

impl Reaper {
    /// Watches over `folder`, which must be an absolute path without links.
    pub(crate) fn watch(folder: &Path) -> anyhow::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "stoa-testkit-reaper"])
            .arg(folder)
            .current_dir("/")
            // Ctrl-C is for the tests; this has work to do afterwards.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start /bin/sh to watch over the test server")?;
        Ok(Self { shell })
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Nothing can be done about a failure, and nothing depends on it.
        let _ = self.shell.wait();
    }
}
