//! The peer: the transaction that reading a customer needs, and nothing else. Same role, same rows, same columns, same
//! number of connections, in one flush.

use crate::database::Postgres;
use crate::population::{self, Shape};
use crate::statistics::Durations;
use crate::stoa::{DATABASE, password};
use anyhow::{Context, ensure};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use tokio_postgres::types::ToSql;

const ROLE: &str = "stoa_customer_app";
const CONNECTIONS: usize = 8;
const SET_TENANT: &str = "select set_config('stoa.tenant', $1, true)";
const READ: &str =
    "select id, name, email, phone, status, sector, revenue_minor, employees, office_location, branch_id,
  owner_id, tags, custom, external_key, merged_into, version, created_at, created_by, updated_at, updated_by, archived_at
  from customer.customer where archived_at is null and id = $1";

/// A pool of the customer service's role.
pub(super) struct Bare {
    pool: Pool,
    shape: Shape,
}

impl Bare {
    pub(super) fn open(postgres: &Postgres, shape: Shape) -> anyhow::Result<Self> {
        let config = postgres.options(ROLE, &password(ROLE), DATABASE).driver_config();
        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
        Ok(Self { pool, shape })
    }

    /// Reads with `tasks` at once for as long as is said; tells how long each took.
    pub(super) async fn run(&self, tasks: usize, how_long: Duration) -> anyhow::Result<Durations> {
        let until = Instant::now() + how_long;
        let mut running = JoinSet::new();
        for _ in 0..tasks {
            running.spawn(read_until(self.pool.clone(), self.shape, until));
        }
        let mut times = Durations::new();
        while let Some(done) = running.join_next().await {
            times.merge(&done??)?;
        }
        Ok(times)
    }
}

async fn read_until(pool: Pool, shape: Shape, until: Instant) -> anyhow::Result<Durations> {
    let mut random = SmallRng::from_os_rng();
    let mut times = Durations::new();
    while Instant::now() < until {
        let request = shape.request(&mut random);
        let tenant = population::tenant(request.tenant).to_string();
        let start = Instant::now();
        let client = pool.get().await.context("taking a connection")?;
        let set = client.prepare_cached(SET_TENANT).await?;
        let read = client.prepare_cached(READ).await?;
        let (of_set, of_read): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) =
            ([&tenant], [&request.customer]);
        let (begun, set, rows, committed) = futures::join!(
            client.batch_execute("begin"),
            client.query(&set, &of_set),
            client.query(&read, &of_read),
            client.batch_execute("commit"),
        );
        begun.context("begin")?;
        set.context("setting the tenant")?;
        let rows = rows.context("reading a customer")?;
        committed.context("commit")?;
        ensure!(
            rows.len() == 1,
            "{} customers with the id {}",
            rows.len(),
            request.customer
        );
        times.add(start.elapsed());
    }
    Ok(times)
}
