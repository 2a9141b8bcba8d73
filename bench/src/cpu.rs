//! Processor time from `/proc`, so that a process and a whole PostgreSQL can be charged for what they did.

use anyhow::Context;
use std::path::Path;
use std::time::Instant;

/// `/proc` counts in hundredths of a second on every architecture that this runs on (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// One process's times in ticks, and its parent.
#[derive(Debug, Clone, Copy)]
struct Times {
    parent: u32,
    own: u64,
    reaped_children: u64,
}

/// Processor seconds (user and system) of all threads of a process, ended ones included.
///
/// # Errors
/// When there is no such process.
pub fn process(pid: u32) -> anyhow::Result<f64> {
    Ok(seconds(times(pid)?.own))
}

/// Processor seconds of a process, its children alive and its children that have ended: PostgreSQL with all backends.
///
/// # Errors
/// When there is no such process.
pub fn with_children(pid: u32) -> anyhow::Result<f64> {
    let parent = times(pid)?;
    let alive: u64 = processes()?
        .into_iter()
        .filter_map(|child| times(child).ok())
        .filter(|child| child.parent == pid)
        .map(|child| child.own + child.reaped_children)
        .sum();
    Ok(seconds(parent.own + parent.reaped_children + alive))
}

/// Processor seconds of a process and of PostgreSQL at one moment.
pub(crate) struct Meter {
    pub(crate) at: Instant,
    pub(crate) process: f64,
    pub(crate) postgres: f64,
}

impl Meter {
    pub(crate) fn read(process: u32, postgres: u32) -> anyhow::Result<Self> {
        Ok(Self {
            process: self::process(process)?,
            postgres: with_children(postgres)?,
            at: Instant::now(),
        })
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

fn processes() -> anyhow::Result<Vec<u32>> {
    let entries = std::fs::read_dir("/proc").context("reading /proc, which only Linux has")?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| name.parse().ok()).collect())
}

fn times(pid: u32) -> anyhow::Result<Times> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(Path::new(&path)).with_context(|| format!("reading {path}"))?;
    parse(&text).with_context(|| format!("{path} is not as proc(5) says: {text}"))
}

/// The command's name may hold spaces and parentheses; what follows its last `)` are fields 3, 4, …
fn parse(stat: &str) -> Option<Times> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    let mut ticks = fields.skip(9).map_while(|field| field.parse::<u64>().ok());
    let (user, system, child_user, child_system) =
        (ticks.next()?, ticks.next()?, ticks.next()?, ticks.next()?);
    Some(Times {
        parent,
        own: user + system,
        reaped_children: child_user + child_system,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "77 (a) (b c) S 12 77 77 0 -1 4194304 1 2 3 4 100 20 7 3 20 0 1 0 5 6";
        let times = parse(stat).expect("parsed");
        assert_eq!((times.parent, times.own, times.reaped_children), (12, 120, 10));
        assert!(parse("77 (a").is_none());
    }

    #[test]
    fn this_process_has_used_time_or_none() {
        assert!(process(std::process::id()).expect("this process") >= 0.0);
    }
}
