//! `list_customers`: pages of `GET /api/customers`, as fast as they come and at a fixed rate.

mod load;
mod question;

use crate::cpu::Meter;
use crate::database::Postgres;
use crate::population::tokens::{self, Users};
use crate::population::{self, Shape};
use crate::report::{Figure, Report};
use crate::statistics::{Durations, median};
use crate::stoa::{DATABASE, Installation};
use clap::Args;
use load::Clients;
use question::{Cursors, Kind};
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
    /// Connections.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Requests a second in the windows at a fixed rate.
    #[arg(long, default_value_t = 100)]
    rate: u32,
    /// Seconds of one window.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seconds of load before the first window of a kind.
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// Windows of each.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
}

impl Options {
    /// The smallest run that does everything.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            customers: 20_000,
            tenants: 10,
            clients: 8,
            rate: 100,
            seconds: 2,
            warm_up: 1,
            repetitions: 1,
        }
    }
}

/// Measures and reports.
///
/// # Errors
/// When the platform does not start or gives a wrong answer, or a result cannot be written.
pub async fn run(options: &Options, data: &Path, report: &Report) -> anyhow::Result<()> {
    let shape = Shape {
        customers: options.customers,
        tenants: options.tenants,
    };
    let postgres = Postgres::start(data, &[]).await?;
    let installation = Installation::prepare(&postgres).await?;
    println!("list_customers: making {} customers", options.customers);
    let admin = postgres.admin(DATABASE).await?;
    population::fill(&admin, shape).await?;
    let users = tokens::sign_for_all(&installation, &admin, shape).await?;
    drop(admin);

    let (stoa, _) = installation.start()?;
    let cursors = Arc::new(Cursors::halfway(installation.listen, &users).await?);
    let mut figures = Vec::new();
    for kind in Kind::ALL {
        let clients = Clients::connect(installation.listen, &users, &cursors, options.clients).await?;
        let warm = clients
            .run(kind, Duration::from_secs(options.warm_up), None)
            .await?;
        let taken = windows(options, kind, warm.0, stoa.pid(), postgres.pid()?).await?;
        figures.extend(taken.figures(kind, options.rate));
    }
    let memory = stoa.proportional_bytes()? / 1e6;
    figures.push(Figure::new("memory (PSS) after the load", memory, "MB"));
    stoa.stop()?;
    report.add("list_customers", &figures)?;
    postgres.stop().await
}

/// What the windows of one kind gave.
#[derive(Default)]
struct Taken {
    cpu_micros: Vec<f64>,
    postgres_micros: Vec<f64>,
    rate: Vec<f64>,
    p95_millis: Vec<f64>,
}

/// As fast as the clients go, then at the fixed rate.
async fn windows(
    options: &Options,
    kind: Kind,
    mut clients: Clients,
    stoa: u32,
    postgres: u32,
) -> anyhow::Result<Taken> {
    let window = Duration::from_secs(options.seconds);
    let mut taken = Taken::default();
    for _ in 0..options.repetitions {
        let before = Meter::read(stoa, postgres)?;
        let (rested, times) = clients.run(kind, window, None).await?;
        let after = Meter::read(stoa, postgres)?;
        taken.add_full_speed(&before, &after, &times);
        let (rested, times) = rested.run(kind, window, Some(options.rate)).await?;
        taken.p95_millis.push(times.millis_at(0.95));
        clients = rested;
    }
    Ok(taken)
}

impl Taken {
    fn add_full_speed(&mut self, before: &Meter, after: &Meter, times: &Durations) {
        let requests = times.count() as f64;
        let (process, postgres) = (after.process - before.process, after.postgres - before.postgres);
        self.cpu_micros.push((process + postgres) * 1e6 / requests);
        self.postgres_micros.push(postgres * 1e6 / requests);
        self.rate.push(requests / (after.at - before.at).as_secs_f64());
    }

    fn figures(&self, kind: Kind, rate: u32) -> Vec<Figure> {
        let name = kind.name();
        let figure = |what: &str, values: &[f64], unit| {
            Figure::new(format!("{name}: {what}"), median(values), unit).of(values)
        };
        vec![
            figure("CPU per request", &self.cpu_micros, "µs"),
            figure("of that PostgreSQL", &self.postgres_micros, "µs"),
            figure("requests at full speed", &self.rate, "/s"),
            figure(&format!("p95 at {rate} requests/s"), &self.p95_millis, "ms").below(50.0),
        ]
    }
}

/// Whose page is asked for.
fn any_user(users: &Users, random: &mut rand::rngs::SmallRng) -> (u32, u32) {
    let request = users.shape.request(random);
    (request.tenant, request.user)
}
