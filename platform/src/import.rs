//! `stoa import`: files into a running platform, over its API, as any client would.
#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed, and what they do not have is null"
)]

mod client;
mod crm_sales;
mod customers;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use client::Client;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Import customers from a file: CSV with a header, or one JSON object a line; packed with gzip or not.
    Customers {
        /// The file. What could not be imported is written beside it, to FILE.errors.csv.
        file: PathBuf,
        /// What rows are found by; each by the first of id, externalKey and email whose cell is not empty, unless given.
        #[arg(long, value_enum)]
        key: Option<KeyField>,
        /// What becomes of rows.
        #[arg(long, value_enum, default_value = "upsert")]
        mode: Mode,
        /// A column and its field, such as `Firm=name` or `Size=custom.size`; may be repeated. Other columns are taken as
        /// guessed.
        #[arg(long = "mapping", value_name = "COLUMN=FIELD")]
        mappings: Vec<String>,
        /// Judge every row and write none.
        #[arg(long)]
        dry_run: bool,
        /// Give up once more rows than this have failed.
        #[arg(long, value_name = "ROWS")]
        max_errors: Option<u32>,
        #[command(flatten)]
        defaults: Defaults,
        #[command(flatten)]
        connection: Connection,
    },
    /// Import the data set "CRM Sales Opportunities": offices as branches, sales teams as users and teams, accounts as
    /// customers. Repeated, it changes nothing. Needs an administrator.
    CrmSales {
        /// The folder with accounts.csv, sales_teams.csv and sales_pipeline.csv.
        folder: PathBuf,
        #[command(flatten)]
        connection: Connection,
    },
}

/// What new customers get where their row says nothing.
#[derive(Args)]
pub(crate) struct Defaults {
    /// The id of their branch; that of the caller unless given.
    #[arg(long, value_name = "ID")]
    branch: Option<String>,
    /// The id of their owner; the caller unless given.
    #[arg(long, value_name = "ID")]
    owner: Option<String>,
    /// Their status, such as `active`; `lead` unless given.
    #[arg(long)]
    status: Option<String>,
}

/// Where the platform is, and who asks.
#[derive(Args)]
pub(crate) struct Connection {
    /// Where the API listens.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A file with an access token, read before every request, so that it may be renewed meanwhile; STOA_TOKEN holds the
    /// token unless given.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "camelCase")]
enum KeyField {
    Id,
    ExternalKey,
    Email,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Create,
    Update,
    Upsert,
}

pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<()> {
    match args.command {
        ImportCommand::Customers {
            file,
            key,
            mode,
            mappings,
            dry_run,
            max_errors,
            defaults,
            connection,
        } => {
            let client = Client::new(connection)?;
            let how = customers::How {
                mappings: pairs(&mappings)?,
                start: start(key, mode, dry_run, max_errors, defaults),
            };
            customers::from_file(&client, &file, &how).await
        }
        ImportCommand::CrmSales { folder, connection } => {
            crm_sales::import(&Client::new(connection)?, &folder).await
        }
    }
}

/// The columns and their fields; of two columns for one field, neither is to be forgotten silently.
fn pairs(mappings: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::with_capacity(mappings.len());
    for text in mappings {
        let (column, field) = pair(text)?;
        let other = pairs
            .iter()
            .find(|(known, given)| *given == field && *known != column);
        if let Some((known, _)) = other.filter(|_| field != "ignore") {
            bail!("--mapping gives the field {field} two columns, `{known}` and `{column}`: choose one");
        }
        pairs.push((column, field));
    }
    Ok(pairs)
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    // A column's name may hold the sign, a field's does not.
    let (column, field) = text
        .rsplit_once('=')
        .with_context(|| format!("--mapping {text}: write COLUMN=FIELD"))?;
    Ok((column.to_owned(), field.to_owned()))
}

fn start(
    key: Option<KeyField>,
    mode: Mode,
    dry_run: bool,
    max_errors: Option<u32>,
    defaults: Defaults,
) -> Value {
    let key = key.map(|key| match key {
        KeyField::Id => "id",
        KeyField::ExternalKey => "externalKey",
        KeyField::Email => "email",
    });
    let mode = match mode {
        Mode::Create => "create",
        Mode::Update => "update",
        Mode::Upsert => "upsert",
    };
    let Defaults {
        branch,
        owner,
        status,
    } = defaults;
    let defaults = json!({ "branchId": branch, "ownerId": owner, "status": status });
    json!({ "key": key, "mode": mode, "dryRun": dry_run, "maxErrors": max_errors, "defaults": defaults })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings(texts: &[&str]) -> anyhow::Result<Vec<(String, String)>> {
        pairs(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn two_columns_for_one_field_are_refused() {
        let refused = mappings(&["Firm=name", "Size=ignore", "Ort=name"]).unwrap_err();
        let said = refused.to_string();
        assert!(
            said.contains("`Firm` and `Ort`") && said.contains("name"),
            "{said}"
        );
        let good = mappings(&["Firm=name", "Firm=name", "Ort=ignore", "A=B=ignore"]).unwrap();
        assert_eq!(good[3], ("A=B".to_owned(), "ignore".to_owned()));
    }
}
