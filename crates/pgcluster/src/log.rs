//! The server's log file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// A log longer than this (bytes) is set aside at the next start.
const SET_ASIDE: u64 = 16 << 20;
/// How much of the end is read for an error (bytes), and how many lines are shown.
const TAIL_BYTES: u64 = 8 << 10;
const TAIL_LINES: usize = 12;

/// A log file and where the current server's part begins.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    path: PathBuf,
    start: u64,
}

impl Log {
    /// Opens the log to append to, and the file to give to the server.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, File), Error> {
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > SET_ASIDE) {
            fs::rename(&path, path.with_extension("log.1")).map_err(Error::io("set aside", &path))?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        let start = file.metadata().map_err(Error::io("look at", &path))?.len();
        Ok((Self { path, start }, file))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The last lines that the current server wrote; empty when they cannot be read.
    pub(crate) fn tail(&self) -> String {
        last_lines(&self.read_end().unwrap_or_default(), TAIL_LINES)
    }

    fn read_end(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        let from = self.start.max(file.metadata()?.len().saturating_sub(TAIL_BYTES));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The last `count` lines of `text`.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines
        .get(lines.len().saturating_sub(count)..)
        .unwrap_or_default()
        .join("\n")
}
