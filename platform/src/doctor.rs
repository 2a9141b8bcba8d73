//! `stoa doctor`: what is wrong with this machine or this configuration, and the remedy.

mod configured;
mod machine;

use crate::cli::ConfigArgs;
use clap::Args;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// The flags of `stoa doctor`.
#[derive(Args)]
pub struct DoctorArgs {
    /// The data folder of `stoa up`.
    #[arg(long, value_name = "DIR", default_value = ".stoa")]
    data: PathBuf,
    /// Say it as JSON.
    #[arg(long)]
    json: bool,
    /// With --config or STOA_CONFIG, what `stoa serve` needs is examined, else what `stoa up` needs.
    #[command(flatten)]
    config: ConfigArgs,
}

/// How a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// Works, but not as well as it could, or not for long.
    Warning,
    /// Does not work.
    Error,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    /// What was examined.
    what: String,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            what: what.into(),
            found: found.into(),
            remedy: None,
        }
    }

    fn warning(what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(what, found)
        }
    }

    fn error(what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Error,
            ..Self::warning(what, found, remedy)
        }
    }
}

/// Examines and reports on standard output.
///
/// # Errors
/// When something does not work, so that scripts can rely on the exit status.
pub async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let mut findings = machine::examine();
    if args.config.is_given() {
        findings.extend(configured::examine(&args.config).await);
    } else {
        findings.extend(machine::examine_for_up(&args.data, &args.config));
    }
    let report = if args.json {
        serde_json::to_string_pretty(&findings)?
    } else {
        text(&findings)
    };
    writeln!(std::io::stdout(), "{report}")?;
    let errors = findings.iter().filter(|f| f.level == Level::Error).count();
    anyhow::ensure!(errors == 0, "{errors} of {} checks failed", findings.len());
    Ok(())
}

fn text(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for Finding {
        level,
        what,
        found,
        remedy,
    } in findings
    {
        let mark = match level {
            Level::Ok => "ok     ",
            Level::Warning => "warning",
            Level::Error => "ERROR  ",
        };
        lines.push(format!("{mark}  {what}: {found}"));
        if let Some(remedy) = remedy {
            lines.push(format!("         → {remedy}"));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_follows_its_finding() {
        let findings = [
            Finding::ok("PostgreSQL", "version 15"),
            Finding::error("disk", "10 MB free", "make room"),
        ];
        assert_eq!(
            text(&findings),
            "ok       PostgreSQL: version 15\nERROR    disk: 10 MB free\n         → make room"
        );
    }
}
