//! `proxy`: processor time per proxied request of Stoa's gateway with its whole policy, against nginx's bare
//! `proxy_pass`. One worker each, the same upstream, the same load by h2load, an access record on both.

mod nginx;

use crate::client::Client;
use crate::cpu;
use crate::database::Postgres;
use crate::population::tokens::{self, Users};
use crate::population::{self, Shape};
use crate::report::{Figure, Report};
use crate::statistics::median;
use crate::stoa::{DATABASE, Installation};
use anyhow::{Context, bail, ensure};
use clap::Args;
use hyper::StatusCode;
use nginx::Nginx;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How soon a new route and its rule must be live.
const LIVE: Duration = Duration::from_secs(10);

/// The sizes of the run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Requests of one measurement.
    #[arg(long, default_value_t = 200_000)]
    requests: u32,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 32)]
    clients: u32,
    /// Measurements of each, in turns.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            requests: 5_000,
            clients: 16,
            repetitions: 1,
        }
    }
}

/// What one side gave, per request.
#[derive(Default)]
struct Taken {
    cpu_micros: Vec<f64>,
    rate: Vec<f64>,
}

/// Measures and reports.
///
/// # Errors
/// When a part does not start, an answer is not 200, or a result cannot be written.
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
    drop(admin);

    let nginx = Nginx::start()?;
    let (stoa, _) = installation.start_with_workers(1)?;
    open_route(installation.listen, &users, nginx.upstream).await?;
    let token = users.token(0, 0).context("no administrator")?;
    let authorization = format!("authorization: Bearer {token}");
    let (mut ours, mut theirs) = (Taken::default(), Taken::default());
    let through_stoa = format!("http://{}/bench/x", installation.listen);
    let through_nginx = format!("http://{}/bench/x", nginx.proxy);
    // Both carry the header, so that both parse as much.
    load(options, &through_stoa, &authorization)?;
    load(options, &through_nginx, &authorization)?;
    for _ in 0..options.repetitions {
        let meter = || cpu::process(stoa.pid());
        ours.push(measured(options, &through_stoa, &authorization, meter)?);
        let meter = || cpu::with_children(nginx.proxy_pid());
        theirs.push(measured(options, &through_nginx, &authorization, meter)?);
    }
    let memory = stoa.proportional_bytes()? / 1e6;
    stoa.stop()?;
    let figure = |name: &str, unit, ours: &[f64], theirs: &[f64]| {
        Figure::new(name, median(ours), unit)
            .against("nginx proxy_pass", median(theirs))
            .of(ours)
    };
    let figures = [
        figure("CPU per request", "µs", &ours.cpu_micros, &theirs.cpu_micros).ratio_at_most(1.5),
        figure("requests, one worker", "/s", &ours.rate, &theirs.rate),
        Figure::new("memory (PSS) after the load, all services", memory, "MB"),
    ];
    report.add("proxy", &figures)?;
    postgres.stop().await
}

impl Taken {
    fn push(&mut self, (cpu_micros, rate): (f64, f64)) {
        self.cpu_micros.push(cpu_micros);
        self.rate.push(rate);
    }
}

/// Processor microseconds per request, and requests a second.
fn measured(
    options: &Options,
    url: &str,
    authorization: &str,
    meter: impl Fn() -> anyhow::Result<f64>,
) -> anyhow::Result<(f64, f64)> {
    let (before, start) = (meter()?, Instant::now());
    load(options, url, authorization)?;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), meter()? - before);
    let requests = f64::from(options.requests);
    Ok((cpu * 1e6 / requests, requests / seconds))
}

/// Every request must be answered with 200.
fn load(options: &Options, url: &str, authorization: &str) -> anyhow::Result<()> {
    let output = Command::new("h2load")
        .args(["--h1", "-t", "1", "-c", &options.clients.to_string()])
        .args(["-n", &options.requests.to_string(), "-H", authorization, url])
        .output()
        .context("running h2load; `scripts/install-deps bench` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let right = format!("status codes: {} 2xx", options.requests);
    ensure!(text.contains(&right), "{url}: not every answer was 200:\n{text}");
    Ok(())
}

/// A route to the upstream, behind a permission, as an administrator makes it.
async fn open_route(server: SocketAddr, users: &Users, upstream: SocketAddr) -> anyhow::Result<()> {
    let token = users.token(0, 0).context("no administrator")?;
    let mut client = Client::connect(server).await?;
    let route = json!({ "name": "bench", "predicates": { "paths": ["/bench/**"] },
                        "target": { "url": format!("http://{upstream}") } });
    client
        .post("/api/admin/routes", token, &route)
        .await?
        .json(StatusCode::CREATED)
        .context("making the route")?;
    let rule = json!({ "pattern": "/bench/**", "methods": ["GET"],
                       "requirement": { "permission": "customers:read" } });
    client
        .post("/api/iam/endpoint-rules", token, &rule)
        .await?
        .json(StatusCode::CREATED)
        .context("making the endpoint rule")?;
    let until = Instant::now() + LIVE;
    loop {
        let answer = client.get("/bench/x", token).await?;
        if answer.status == StatusCode::OK {
            return Ok(());
        }
        if Instant::now() > until {
            bail!(
                "the route answers {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
