//! Metrics of this process, read from `/proc/self` (proc(5)). Elsewhere than on Linux they stay at zero.

use std::fs;

use metrics::{Gauge, gauge};

/// Clock ticks a second in `/proc/self/stat`: `USER_HZ`, 100 on every Linux that Stoa runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Gauges named as Prometheus client libraries name them.
pub(crate) struct ProcessGauges {
    resident_bytes: Gauge,
    cpu_seconds: Gauge,
    open_fds: Gauge,
    threads: Gauge,
    memory_limit: Gauge,
}

impl ProcessGauges {
    /// Registers the gauges with the current recorder.
    pub(crate) fn register() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        gauge!("process_cpu_cores").set(u32::try_from(cores).map_or(f64::MAX, f64::from));
        Self {
            resident_bytes: gauge!("process_resident_memory_bytes"),
            // A gauge because counters of the `metrics` crate hold whole numbers; `rate()` works on it alike.
            cpu_seconds: gauge!("process_cpu_seconds_total"),
            open_fds: gauge!("process_open_fds"),
            threads: gauge!("process_threads"),
            memory_limit: gauge!("process_memory_limit_bytes"),
        }
    }

    pub(crate) fn update(&self) {
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            set(
                &self.resident_bytes,
                status_number(&status, "VmRSS:").map(|kib| kib * 1024.0),
            );
            set(&self.threads, status_number(&status, "Threads:"));
        }
        if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
            set(&self.cpu_seconds, cpu_seconds(&stat));
        }
        set(&self.memory_limit, memory_limit());
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory that is being read.
            let open = entries.count().saturating_sub(1);
            self.open_fds.set(u32::try_from(open).map_or(f64::MAX, f64::from));
        }
    }
}

fn set(gauge: &Gauge, value: Option<f64>) {
    if let Some(value) = value {
        gauge.set(value);
    }
}

/// What this process may use, in bytes: its control group's limit (cgroups(7), version 2) or the machine's memory.
fn memory_limit() -> Option<f64> {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine
        .and_then(|text| status_number(&text, "MemTotal:"))
        .map(|kib| kib * 1024.0);
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<f64>().ok());
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

fn status_number(status: &str, key: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of all threads, seconds.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the command in brackets and may itself hold spaces and brackets.
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut fields = after_command.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proc_files() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 100 1000 200";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(
            status_number("Name:\tx\nVmRSS:\t  12 kB\nThreads:\t3\n", "VmRSS:"),
            Some(12.0)
        );
        assert_eq!(status_number("Name:\tx\n", "Threads:"), None);
    }
}
