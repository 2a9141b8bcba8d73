//! A file of customers: sent, mapped, started, watched to its end.

use super::client::Client;
use crate::cli::say;
use anyhow::{Context, bail};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(300);

/// How to import.
pub(super) struct How {
    /// Columns and the fields that they are for, where the guess is not good.
    pub(super) mappings: Vec<(String, String)>,
    /// What else `start` is told.
    pub(super) start: Value,
}

/// Imports a file; what fails is written beside it.
///
/// # Errors
/// When the import does not succeed, or rows failed.
pub(super) async fn from_file(client: &Client, file: &Path, how: &How) -> anyhow::Result<()> {
    let name = file.display();
    let media = match file.extension().and_then(|extension| extension.to_str()) {
        Some("ndjson" | "jsonl") => "application/x-ndjson",
        Some("gz") => "application/gzip",
        _ => "text/csv",
    };
    let content = tokio::fs::File::open(file)
        .await
        .with_context(|| format!("opening {name}"))?;
    let bytes = content
        .metadata()
        .await
        .with_context(|| format!("reading {name}"))?
        .len();
    say(&format!("sending {name} ({bytes} bytes)"));
    let mut errors = file.as_os_str().to_owned();
    errors.push(".errors.csv");
    import(client, content, media, how, &PathBuf::from(errors)).await
}

/// Imports what is read from `content`.
///
/// # Errors
/// As [`from_file`].
pub(super) async fn import(
    client: &Client,
    content: impl Into<Body>,
    media: &str,
    how: &How,
    errors: &Path,
) -> anyhow::Result<()> {
    let request = client.request(Method::POST, "/api/customers/imports")?;
    let request = request.header("content-type", media).body(content);
    let upload = client.json("sending the file", request).await?;
    let (path, facts) = (upload.location, upload.body);
    say(&format!(
        "{} rows, {}, {}",
        facts["rows"],
        text(&facts, "format"),
        text(&facts, "encoding")
    ));
    let mapping = mapping(&facts, &how.mappings)?;
    for entry in mapping.as_array().into_iter().flatten() {
        say(&format!(
            "  {} -> {}",
            text(entry, "column"),
            text(entry, "field")
        ));
    }
    let mut body = how.start.clone();
    body["mapping"] = mapping;
    let started = client
        .post("starting the import", &format!("{path}/start"), &body)
        .await?;
    let operation = watch(client, &started.location).await?;
    finish(client, &path, &operation, errors).await
}

/// The guess, with what the caller knows better.
fn mapping(facts: &Value, known: &[(String, String)]) -> anyhow::Result<Value> {
    let mut mapping = facts["mapping"].clone();
    let entries = mapping.as_array_mut().context("the platform sent no mapping")?;
    for (column, field) in known {
        for entry in entries.iter_mut() {
            if entry["column"] == **column {
                entry["field"] = json!(field);
            } else if entry["field"] == **field {
                // The guess gave the field to another column.
                entry["field"] = json!("ignore");
            }
        }
        if !entries.iter().any(|entry| entry["column"] == **column) {
            let columns: Vec<_> = entries.iter().map(|entry| text(entry, "column")).collect();
            bail!(
                "--mapping {column}={field}: the file has no such column, but {}",
                columns.join(", ")
            );
        }
    }
    Ok(mapping)
}

/// Waits for the end, and tells how far it is.
async fn watch(client: &Client, location: &str) -> anyhow::Result<Value> {
    let mut told = -1;
    loop {
        let operation = client
            .get("asking how far the import is", location)
            .await
            .with_context(|| format!("the import goes on as {location}"))?;
        let (done, total) = (
            operation["done"].as_i64().unwrap_or(0),
            operation["total"].as_i64().unwrap_or(0),
        );
        if !matches!(operation["status"].as_str(), Some("queued" | "running")) {
            return Ok(operation);
        }
        // A line for every twentieth, or a person would see nothing else.
        let part = if total == 0 { 0 } else { done * 20 / total };
        if part > told {
            told = part;
            say(&format!("  {done} of {total} rows"));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn finish(client: &Client, path: &str, operation: &Value, errors: &Path) -> anyhow::Result<()> {
    let id = text(operation, "id");
    let status = text(operation, "status");
    let failed = operation["result"]["failed"].as_i64().unwrap_or(0);
    if status != "succeeded" || failed > 0 {
        fetch_errors(client, path, id, errors).await?;
    }
    if status != "succeeded" {
        let problem = &operation["problem"];
        bail!(
            "the import {status}: {} {}",
            text(problem, "code"),
            text(problem, "detail")
        );
    }
    let count = |what: &str| operation["result"][what].as_i64().unwrap_or(0);
    let dry = if operation["result"]["dryRun"] == true {
        "would be "
    } else {
        ""
    };
    say(&format!(
        "{} {dry}created, {} {dry}updated, {} unchanged, {failed} failed",
        count("created"),
        count("updated"),
        count("unchanged")
    ));
    if failed > 0 {
        let rows = if failed == 1 { "row" } else { "rows" };
        bail!(
            "{failed} {rows} failed; {} holds what failed, and why: correct it, and import it",
            errors.display()
        );
    }
    Ok(())
}

/// Shows the first errors, and writes all to a file.
async fn fetch_errors(client: &Client, path: &str, id: &str, errors: &Path) -> anyhow::Result<()> {
    let first = format!("{path}/errors?operation={id}&limit=10");
    for error in client.get("asking what failed", &first).await?["items"]
        .as_array()
        .into_iter()
        .flatten()
    {
        for fault in error["faults"].as_array().into_iter().flatten() {
            say(&format!(
                "  row {} {}: {}",
                error["row"],
                text(fault, "column"),
                text(fault, "detail")
            ));
        }
    }
    let request = client.request(Method::GET, &format!("{path}/errors.csv?operation={id}"))?;
    let mut response = client.send("asking what failed", request).await?;
    let name = errors.display();
    let mut file = tokio::fs::File::create(errors)
        .await
        .with_context(|| format!("writing {name}"))?;
    while let Some(piece) = response.chunk().await.context("reading what failed")? {
        tokio::io::AsyncWriteExt::write_all(&mut file, &piece)
            .await
            .with_context(|| format!("writing {name}"))?;
    }
    tokio::io::AsyncWriteExt::flush(&mut file)
        .await
        .with_context(|| format!("writing {name}"))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_knows_wins_over_the_guess() {
        let facts = json!({ "mapping": [
            { "column": "Firm", "field": "ignore" }, { "column": "Name", "field": "name" }, { "column": "X", "field": "ignore" }
        ] });
        let known = [("Firm".to_owned(), "name".to_owned())];
        let mapped = mapping(&facts, &known).unwrap();
        let fields: Vec<_> = mapped
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| text(entry, "field"))
            .collect();
        assert_eq!(fields, ["name", "ignore", "ignore"]);
        let refused = mapping(&facts, &[("Size".to_owned(), "name".to_owned())]).unwrap_err();
        assert!(refused.to_string().contains("Firm, Name, X"), "{refused}");
    }
}
