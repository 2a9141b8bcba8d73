//! `import`: a large file of customers through the API, against `COPY` of the same rows.

mod copy;
mod file;

use crate::client::Client;
use crate::database::Postgres;
use crate::population::tokens;
use crate::population::{self, Shape};
use crate::report::{Figure, Report};
use crate::stoa::{DATABASE, Installation, Process};
use anyhow::{Context, bail, ensure};
use clap::Args;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::LOCATION;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often the operation is asked how far it is, and the process how much memory it holds.
const LOOK: Duration = Duration::from_secs(1);
/// Shorter than an access token's life.
const BOUND: Duration = Duration::from_secs(3600);

/// The sizes of the run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Rows of the file.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self { rows: 20_000 }
    }
}

/// Measures and reports.
///
/// # Errors
/// When the platform does not start, a row is lost or repeated, or a result cannot be written.
pub async fn run(options: &Options, data: &Path, report: &Report) -> anyhow::Result<()> {
    let shape = Shape {
        customers: 800,
        tenants: 10,
    };
    let postgres = Postgres::start(data, &[]).await?;
    let installation = Installation::prepare(&postgres).await?;
    let admin = postgres.admin(DATABASE).await?;
    population::fill(&admin, shape).await?;
    let users = tokens::sign_for_all(&installation, &admin, shape).await?;
    let token = users.token(0, 0).context("no administrator")?;
    let before = count(&admin).await?;

    let (stoa, _) = installation.start()?;
    let taken = through_the_api(options, installation.listen, token, &stoa).await?;
    let added = count(&admin).await? - before;
    ensure!(
        added == i64::from(options.rows),
        "{added} rows came of {}",
        options.rows
    );
    stoa.stop()?;

    let copied = copy::seconds(&admin, options.rows).await?;
    drop(admin);
    report.add("import", &taken.figures(options.rows, copied))?;
    postgres.stop().await
}

/// What the import gave.
struct Taken {
    upload_seconds: f64,
    seconds: f64,
    bytes: usize,
    /// In bytes, one a second.
    memory: Vec<f64>,
}

impl Taken {
    fn figures(&self, rows: u32, copied: f64) -> Vec<Figure> {
        let rows = f64::from(rows);
        let (first, last) = self.memory.split_at(self.memory.len() / 2);
        let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max) / 1e6;
        vec![
            Figure::new("rows", rows / self.seconds, "/s").against("COPY", rows / copied),
            Figure::new("upload", self.bytes as f64 / 1e6 / self.upload_seconds, "MB/s"),
            Figure::new("memory (PSS), highest in the last half", highest(last), "MB")
                .against("highest in the first half", highest(first))
                .ratio_at_most(1.1),
            Figure::new("the file", self.bytes as f64 / 1e6, "MB"),
        ]
    }
}

async fn through_the_api(
    options: &Options,
    server: SocketAddr,
    token: &str,
    stoa: &Process,
) -> anyhow::Result<Taken> {
    let mut client = Client::connect(server).await?;
    let branch = branch(&mut client, token).await?;
    let file = Bytes::from(file::csv(options.rows));
    let bytes = file.len();
    let start = Instant::now();
    let upload = client
        .send("POST", "/api/customers/imports", token, Some(("text/csv", file)))
        .await?
        .json(StatusCode::CREATED)
        .context("sending the file")?;
    let upload_seconds = start.elapsed().as_secs_f64();

    let path = format!("/api/customers/imports/{}/start", text(&upload, "id")?);
    let settings = json!({ "mode": "create", "key": "externalKey", "defaults": { "branchId": branch } });
    let started = client.post(&path, token, &settings).await?;
    started
        .json(StatusCode::ACCEPTED)
        .context("starting the import")?;
    let operation = started
        .headers
        .get(LOCATION)
        .context("no Location")?
        .to_str()?
        .to_owned();
    let (start, mut memory) = (Instant::now(), Vec::new());
    loop {
        tokio::time::sleep(LOOK).await;
        memory.push(stoa.proportional_bytes()?);
        let state = client.get(&operation, token).await?.json(StatusCode::OK)?;
        match text(&state, "status")? {
            "succeeded" => {
                let created = state.pointer("/result/created").and_then(Value::as_u64);
                ensure!(
                    created == Some(u64::from(options.rows)),
                    "the import ended with {state}"
                );
                return Ok(Taken {
                    upload_seconds,
                    seconds: start.elapsed().as_secs_f64(),
                    bytes,
                    memory,
                });
            }
            "queued" | "running" if start.elapsed() < BOUND => {}
            _ => bail!("the import ended with {state}"),
        }
    }
}

/// A branch for the customers.
async fn branch(client: &mut Client, token: &str) -> anyhow::Result<String> {
    let made = client
        .post("/api/organizations", token, &json!({ "name": "Bench" }))
        .await?;
    let organization = made.json(StatusCode::CREATED).context("making an organisation")?;
    let path = format!("/api/organizations/{}/branches", text(&organization, "id")?);
    let made = client.post(&path, token, &json!({ "name": "Import" })).await?;
    let branch = made.json(StatusCode::CREATED).context("making a branch")?;
    Ok(text(&branch, "id")?.to_owned())
}

fn text<'v>(value: &'v Value, key: &str) -> anyhow::Result<&'v str> {
    let found = value.get(key).and_then(Value::as_str);
    found.with_context(|| format!("no {key} in {value}"))
}

async fn count(admin: &tokio_postgres::Client) -> anyhow::Result<i64> {
    let row = admin
        .query_one("select count(*) from customer.customer", &[])
        .await?;
    Ok(row.try_get(0)?)
}
