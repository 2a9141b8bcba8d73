//! `stoa-bench [decide|read_customer|list_customers|import|proxy|log|start|all]`; see `docs/benchmarks.md`.

#![allow(
    clippy::print_stderr,
    reason = "telling why it failed is the last thing this program does"
)]

use clap::{Args, FromArgMatches, Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stoa_bench::machine::Surroundings;
use stoa_bench::report::Report;
use stoa_bench::{decide, docs, import, list_customers, log, proxy, read_customer, start};

/// Where results go; those of smoke runs below it.
const RESULTS: &str = "target/bench";

/// Measures Stoa and its peers, appends to `target/bench/NAME.json` and prints a table.
#[derive(Parser)]
#[command(name = "stoa-bench")]
struct Cli {
    /// Small sizes, to see that everything works; results go to `target/bench/smoke`.
    #[arg(long, global = true)]
    smoke: bool,
    /// Where the databases are made; the disk below it is measured too.
    #[arg(long, global = true, value_name = "DIR", default_value = "target/bench")]
    data: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
#[command(rename_all = "snake_case")]
enum Command {
    /// One decision of the policy engine, against casbin-rs.
    Decide(decide::Options),
    /// Processor time of `GET /api/customers/{id}`, against the bare transaction.
    ReadCustomer(read_customer::Options),
    /// Pages of `GET /api/customers`.
    ListCustomers(list_customers::Options),
    /// A large file of customers through the API, against COPY.
    Import(import::Options),
    /// Processor time per proxied request, against nginx.
    Proxy(proxy::Options),
    /// Events through the event log with three consumers.
    Log(log::Options),
    /// From exec to ready, and the memory then.
    Start(start::Options),
    /// Everything, one after the other.
    All,
    /// Put the newest results into `docs/benchmarks.md`.
    Docs,
}

#[tokio::main]
async fn main() -> ExitCode {
    match measure(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stoa-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(cli: Cli) -> anyhow::Result<()> {
    let folder = if cli.smoke { "target/bench/smoke" } else { RESULTS };
    let report = Report::new(folder.into(), Surroundings::look());
    tokio::select! {
        done = run(cli.command.unwrap_or(Command::All), cli.smoke, &cli.data, &report) => done,
        // Ends the database and the platform, which are dropped.
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}

async fn run(command: Command, smoke: bool, data: &Path, report: &Report) -> anyhow::Result<()> {
    match command {
        Command::Decide(options) => {
            let options = if smoke { decide::Options::smoke() } else { options };
            decide::run(&options, report).await
        }
        Command::ReadCustomer(options) => {
            let options = if smoke {
                read_customer::Options::smoke()
            } else {
                options
            };
            read_customer::run(&options, data, report).await
        }
        Command::ListCustomers(options) => {
            let options = if smoke {
                list_customers::Options::smoke()
            } else {
                options
            };
            list_customers::run(&options, data, report).await
        }
        Command::Import(options) => {
            let options = if smoke { import::Options::smoke() } else { options };
            import::run(&options, data, report).await
        }
        Command::Proxy(options) => {
            let options = if smoke { proxy::Options::smoke() } else { options };
            proxy::run(&options, data, report).await
        }
        Command::Log(options) => {
            let options = if smoke { log::Options::smoke() } else { options };
            log::run(&options, data, report).await
        }
        Command::Start(options) => {
            let options = if smoke { start::Options::smoke() } else { options };
            start::run(&options, data, report).await
        }
        Command::Docs => docs::update(Path::new("docs/benchmarks.md"), Path::new(RESULTS)),
        Command::All => {
            for command in everything() {
                Box::pin(run(command, smoke, data, report)).await?;
            }
            Ok(())
        }
    }
}

/// Each with its defaults.
fn everything() -> Vec<Command> {
    vec![
        Command::Decide(defaults()),
        Command::Start(defaults()),
        Command::ReadCustomer(defaults()),
        Command::ListCustomers(defaults()),
        Command::Import(defaults()),
        Command::Proxy(defaults()),
        Command::Log(defaults()),
    ]
}

fn defaults<O: Args + FromArgMatches>() -> O {
    let matches = O::augment_args(clap::Command::new("defaults")).get_matches_from(["defaults"]);
    O::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}
