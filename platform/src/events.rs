//! `stoa events`: dead letters, which somebody must look at.

use crate::cli::{ConfigArgs, say};
use crate::services;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Write;
use stoa_eventlog::{DeadLetter, OperateError};
use stoa_kernel::config::{Config, Role};
use stoa_kernel::{Clock, Database};
use uuid::Uuid;

/// Dead letters that are read at a time.
const PAGE: i64 = 200;

/// The flags of `stoa events`.
#[derive(Args)]
pub struct EventsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the open dead letters, oldest first, one JSON object a line.
    DeadLetters {
        /// Of this consumer only, such as `customer.activities`.
        #[arg(long, value_name = "NAME")]
        consumer: Option<String>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Hand a dead letter's event to its consumer again.
    Redrive {
        /// The letter's id.
        id: Uuid,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Give a dead letter up for good; its row stays for the record.
    Discard {
        /// The letter's id.
        id: Uuid,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Runs a subcommand. The log shows a service its own letters only, so each service's role is asked in turn.
///
/// # Errors
/// An unknown consumer or letter, or the database's.
pub async fn run(args: EventsArgs) -> anyhow::Result<()> {
    match args.command {
        Command::DeadLetters { consumer, config } => list(&config.load()?, consumer.as_deref()).await,
        Command::Redrive { id, config } => {
            resolve(&config.load()?, id, Resolution::Redrive).await?;
            say(&format!("{id}: its consumer handles it again"));
            Ok(())
        }
        Command::Discard { id, config } => {
            resolve(&config.load()?, id, Resolution::Discard).await?;
            say(&format!("{id}: discarded"));
            Ok(())
        }
    }
}

async fn list(config: &Config, consumer: Option<&str>) -> anyhow::Result<()> {
    let owner = consumer.map(|name| name.split('.').next().unwrap_or(name));
    for (_, db) in databases(config, owner)? {
        let mut after = None;
        loop {
            let letters = stoa_eventlog::dead_letters(&db, consumer, after, PAGE).await?;
            for letter in &letters {
                writeln!(std::io::stdout(), "{}", line(letter)).context("writing to standard output")?;
            }
            after = letters.last().map(|letter| letter.id);
            if (letters.len() as i64) < PAGE {
                break;
            }
        }
    }
    Ok(())
}

fn line(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "id": letter.id,
        "consumer": letter.consumer,
        "cause": letter.cause,
        "attempts": letter.attempts,
        "diedAt": letter.died_at,
        "event": stoa_eventlog::cloud_event(&letter.event),
    })
}

#[derive(Clone, Copy)]
enum Resolution {
    Redrive,
    Discard,
}

async fn resolve(config: &Config, id: Uuid, resolution: Resolution) -> anyhow::Result<()> {
    let clock = Clock::system();
    for (service, db) in databases(config, None)? {
        let resolved = match resolution {
            Resolution::Redrive => stoa_eventlog::redrive(&db, &clock, id).await,
            Resolution::Discard => stoa_eventlog::discard(&db, &clock, id).await,
        };
        match resolved {
            Ok(()) => return Ok(()),
            Err(OperateError::NoSuchLetter(_)) => {}
            Err(error) => {
                return Err(error).with_context(|| format!("asking the {service} service's part of the log"));
            }
        }
    }
    Err(OperateError::NoSuchLetter(id).into())
}

/// The event log as each service's system role sees it; of one service when it is named.
fn databases(config: &Config, only: Option<&str>) -> anyhow::Result<Vec<(&'static str, Database)>> {
    let all = services::all();
    if let Some(unknown) = only.filter(|name| !all.iter().any(|s| s.name == *name)) {
        bail!("there is no service {unknown}; a consumer is called SERVICE.WHAT");
    }
    all.iter()
        .filter(|service| only.is_none_or(|name| name == service.name))
        .map(|service| {
            let mut options = config.connect_options(service.name, Role::System)?;
            options.on_connect = Some(stoa_eventlog::ON_CONNECT);
            Ok((service.name, Database::open(&options)?))
        })
        .collect()
}
