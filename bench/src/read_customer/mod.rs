//! `read_customer`: processor time of `GET /api/customers/{id}`, against the bare transaction that it needs.

mod bare;
mod load;

use crate::cpu::Meter;
use crate::database::Postgres;
use crate::population::tokens::{self, Users};
use crate::population::{self, Shape};
use crate::report::{Figure, Report};
use crate::statistics::{Durations, median};
use crate::stoa::{DATABASE, Installation};
use clap::Args;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The sizes of the run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Customers over all tenants.
    #[arg(long, default_value_t = 1_000_000)]
    customers: u32,
    /// Tenants, each with ten users.
    #[arg(long, default_value_t = 100)]
    tenants: u32,
    /// Clients at the same time: connections to Stoa, tasks of the bare transaction.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Seconds of one window.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds of load before each window.
    #[arg(long, default_value_t = 5)]
    warm_up: u64,
    /// Windows of each, in turns.
    #[arg(long, default_value_t = 5)]
    repetitions: usize,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            customers: 20_000,
            tenants: 10,
            clients: 16,
            seconds: 2,
            warm_up: 1,
            repetitions: 3,
        }
    }

    fn shape(&self) -> Shape {
        Shape {
            customers: self.customers,
            tenants: self.tenants,
        }
    }
}

/// Measures and reports.
///
/// # Errors
/// When the platform does not start or gives a wrong answer, or a result cannot be written.
pub async fn run(options: &Options, data: &Path, report: &Report) -> anyhow::Result<()> {
    let postgres = Postgres::start(data, &[]).await?;
    let installation = Installation::prepare(&postgres).await?;
    println!("read_customer: making {} customers", options.customers);
    let admin = postgres.admin(DATABASE).await?;
    population::fill(&admin, options.shape()).await?;
    let users = tokens::sign_for_all(&installation, &admin, options.shape()).await?;
    let (mut stoa, mut bare) = (Taken::default(), Taken::default());
    for _ in 0..options.repetitions {
        stoa.push(through_stoa(options, &installation, &postgres, &users).await?);
        bare.push(bare_transaction(options, &postgres).await?);
    }
    report.add("read_customer", &figures(&stoa, &bare))?;
    drop(admin);
    postgres.stop().await
}

/// One window: requests, and what they cost.
#[derive(Debug)]
struct Window {
    /// Processor seconds of the process that ran the transactions.
    process: f64,
    /// Processor seconds of PostgreSQL.
    postgres: f64,
    seconds: f64,
    /// One per request.
    times: Durations,
    /// What the process then held, in bytes.
    memory: f64,
}

/// Figures of all windows, per request.
#[derive(Debug, Default)]
struct Taken {
    process_micros: Vec<f64>,
    postgres_micros: Vec<f64>,
    micros: Vec<f64>,
    rate: Vec<f64>,
    p99_millis: Vec<f64>,
    megabytes: Vec<f64>,
}

impl Taken {
    fn push(&mut self, window: Window) {
        let requests = window.times.count() as f64;
        let micros = |seconds: f64| seconds * 1e6 / requests;
        self.process_micros.push(micros(window.process));
        self.postgres_micros.push(micros(window.postgres));
        self.micros.push(micros(window.process + window.postgres));
        self.rate.push(requests / window.seconds);
        self.p99_millis.push(window.times.millis_at(0.99));
        self.megabytes.push(window.memory / 1e6);
    }
}

/// Started anew each time, so that it does not poll the database while the bare transaction is measured.
async fn through_stoa(
    options: &Options,
    installation: &Installation,
    postgres: &Postgres,
    users: &Arc<Users>,
) -> anyhow::Result<Window> {
    let (stoa, _) = installation.start()?;
    let clients = load::Clients::connect(installation.listen, users, options.clients).await?;
    let clients = clients.run(Duration::from_secs(options.warm_up)).await?.0;
    let before = Meter::read(stoa.pid(), postgres.pid()?)?;
    let (clients, times) = clients.run(Duration::from_secs(options.seconds)).await?;
    let after = Meter::read(stoa.pid(), postgres.pid()?)?;
    let memory = stoa.proportional_bytes()?;
    drop(clients);
    stoa.stop()?;
    Ok(window(&before, &after, times, memory))
}

/// This process is the one that runs the transactions, as Stoa is in the other case.
async fn bare_transaction(options: &Options, postgres: &Postgres) -> anyhow::Result<Window> {
    let (own, server) = (std::process::id(), postgres.pid()?);
    let bare = bare::Bare::open(postgres, options.shape())?;
    bare.run(options.clients, Duration::from_secs(options.warm_up))
        .await?;
    let before = Meter::read(own, server)?;
    let times = bare
        .run(options.clients, Duration::from_secs(options.seconds))
        .await?;
    let after = Meter::read(own, server)?;
    Ok(window(&before, &after, times, f64::NAN))
}

fn window(before: &Meter, after: &Meter, times: Durations, memory: f64) -> Window {
    Window {
        process: after.process - before.process,
        postgres: after.postgres - before.postgres,
        seconds: (after.at - before.at).as_secs_f64(),
        times,
        memory,
    }
}

fn figures(stoa: &Taken, bare: &Taken) -> Vec<Figure> {
    let figure = |name: &str, unit, stoa: &[f64], bare: &[f64]| {
        Figure::new(name, median(stoa), unit)
            .against("bare transaction", median(bare))
            .of(stoa)
    };
    vec![
        figure("CPU per request", "µs", &stoa.micros, &bare.micros).ratio_at_most(2.0),
        figure(
            "of that the process",
            "µs",
            &stoa.process_micros,
            &bare.process_micros,
        ),
        figure(
            "of that PostgreSQL",
            "µs",
            &stoa.postgres_micros,
            &bare.postgres_micros,
        ),
        figure("requests", "/s", &stoa.rate, &bare.rate),
        figure("p99", "ms", &stoa.p99_millis, &bare.p99_millis),
        Figure::new("memory (PSS) after the load", median(&stoa.megabytes), "MB").of(&stoa.megabytes),
    ]
}
