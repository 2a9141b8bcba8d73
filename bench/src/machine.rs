//! Where and when a figure was taken.

use serde::Serialize;
use std::process::Command;
use stoa_kernel::Clock;

/// What belongs to every figure of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Surroundings {
    /// The commit, with `+` when files differ from it.
    pub commit: String,
    /// Processor, cores, memory, kernel.
    pub machine: String,
    /// What was run.
    pub command: String,
    /// When it began (RFC 3339, UTC).
    pub at: String,
    /// The load average of the last minute before: near zero on a quiet machine.
    pub load: f64,
}

impl Surroundings {
    /// Looks around, once, when a run begins.
    #[must_use]
    pub fn look() -> Self {
        Self {
            commit: commit(),
            machine: machine(),
            command: command(),
            at: Clock::system().now().to_string(),
            load: first_number(&file("/proc/loadavg")),
        }
    }
}

fn commit() -> String {
    let head = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    match head.is_empty() {
        true => "unknown".to_owned(),
        false if changed.is_empty() => head,
        false => format!("{head}+"),
    }
}

fn machine() -> String {
    let cpu = file("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = file("/proc/meminfo");
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let gib = kib.map_or(0.0, first_number) / f64::from(1 << 20);
    let kernel = file("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, {gib:.0} GiB, Linux {}", kernel.trim())
}

/// The program without its folder, and its arguments.
fn command() -> String {
    let mut words: Vec<String> = std::env::args().collect();
    if let Some(program) = words.first_mut() {
        *program = "stoa-bench".to_owned();
    }
    words.join(" ")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.filter(|output| output.status.success());
    text.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

/// Empty where there is no such file: these are labels, not measurements.
fn file(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn first_number(text: &str) -> f64 {
    let word = text.split_whitespace().next();
    word.and_then(|word| word.parse().ok()).unwrap_or(0.0)
}
