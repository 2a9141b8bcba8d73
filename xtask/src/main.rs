//! Chores of the repository: `cargo run -p xtask -- check` and `… new-service NAME`.
#![allow(clippy::print_stdout, reason = "a command-line tool")]

mod check;
mod dashboards;
mod new_service;

use clap::Parser;
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "Chores of the repository")]
enum Cli {
    /// Check the architecture: who depends on whom, where SQL stands, what may be called where.
    Check,
    /// Write the Grafana dashboards to deploy/dashboards/, or with --rules print their queries as recording rules.
    Dashboards {
        /// Print the queries for promtool instead.
        #[arg(long)]
        rules: bool,
    },
    /// Write a new service with one resource, its migration, rule, event and tests, and list it.
    NewService(new_service::Args),
}

fn main() -> anyhow::Result<()> {
    let root = root();
    match Cli::parse() {
        Cli::Check => check::run(&root),
        Cli::Dashboards { rules: false } => dashboards::write(&root),
        Cli::Dashboards { rules: true } => {
            print!("{}", dashboards::rules()?);
            Ok(())
        }
        Cli::NewService(args) => new_service::run(&root, &args),
    }
}

/// The repository: the folder above this crate, or `STOA_ROOT` for a copy of it.
fn root() -> PathBuf {
    std::env::var_os("STOA_ROOT").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .unwrap_or(Path::new("."))
                .to_owned()
        },
        PathBuf::from,
    )
}
