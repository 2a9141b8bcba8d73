//! A database with the log and two services: one publishes, the other one has three consumers. Both have the
//! connections that a service has by default.

use crate::database::Postgres;
use anyhow::Context;
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use stoa_eventlog::{Consumer, Delivered};
use stoa_kernel::config::{ConfigError, Role};
use stoa_kernel::db::{ConnectOptions, Pools};
use stoa_kernel::migrate::{Migration, Schema, migrate};
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, Database, Event, TenantTx};
use stoa_types::TenantId;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The consumers, each with an effect of its own per event.
pub(super) const CONSUMERS: [&str; 3] = ["reader.first", "reader.second", "reader.third"];
const PASSWORD: &str = "only for benchmarks";
const TENANTS: usize = 100;
const BODIES: usize = 256;

const SCHEMAS: [Schema; 3] = [
    stoa_eventlog::SCHEMA,
    Schema {
        name: "publisher",
        migrations: &[Migration {
            name: "0001_init",
            sql: "create table publisher.item (
                    tenant_id uuid not null, id uuid not null, version bigint not null, primary key (tenant_id, id));
                  call stoa.tenant_table('publisher.item');",
        }],
    },
    Schema {
        name: "reader",
        migrations: &[Migration {
            name: "0001_init",
            sql: "create table reader.effect (
                    tenant_id uuid not null, consumer text not null, event_id uuid not null,
                    primary key (tenant_id, event_id, consumer));
                  call stoa.tenant_table('reader.effect');",
        }],
    },
];

/// The event that is published.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ItemChanged {
    pub(super) item: Uuid,
    pub(super) version: i64,
    pub(super) body: Arc<str>,
}

impl Event for ItemChanged {
    const TOPIC: &'static str = "domain.bench.events";
    const TYPE: &'static str = "dev.stoa.publisher.item.changed.v1";
    const AGGREGATE: &'static str = "item";

    fn aggregate_id(&self) -> Uuid {
        self.item
    }

    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// The two services on one database.
pub(super) struct Stage {
    pub(super) publisher: Pools,
    pub(super) clock: Clock,
    pub(super) tenants: Arc<[TenantId]>,
    /// What events carry, so that each has the size that was asked for.
    pub(super) bodies: Arc<[Arc<str>]>,
    pub(super) admin: Arc<tokio_postgres::Client>,
    reader: Pools,
}

impl Stage {
    /// Makes and migrates the database `name`; events are to have `bytes` bytes as JSON.
    pub(super) async fn prepare(postgres: &Postgres, name: &str, bytes: usize) -> anyhow::Result<Self> {
        postgres.create_database(name).await?;
        let passwords = |_: &str, _: Role| -> Result<String, ConfigError> { Ok(PASSWORD.to_owned()) };
        migrate(&postgres.superuser(name), &SCHEMAS, &passwords, &[], &mut |_| {}).await?;
        Ok(Self {
            publisher: pools(postgres, name, "publisher")?,
            reader: pools(postgres, name, "reader")?,
            clock: Clock::system(),
            tenants: (0..TENANTS).map(|_| TenantId::new()).collect(),
            bodies: bodies(bytes)?,
            admin: Arc::new(postgres.admin(name).await?),
        })
    }

    /// Starts the ticker and the consumers.
    pub(super) fn consume(&self) -> Running {
        let mut running = Running::default();
        running.start(stoa_eventlog::ticker_task(
            self.publisher.clone(),
            self.clock.clone(),
        ));
        for name in CONSUMERS {
            let consumer = Consumer::with(self.reader.clone(), self.clock.clone(), name);
            let consumer = consumer.on(move |tx: &mut TenantTx<'_>, event: &Delivered<ItemChanged>| {
                let params = stoa_kernel::params![event.tenant.uuid(), name, event.id.uuid()];
                tx.defer(
                    "insert into reader.effect (tenant_id, consumer, event_id) values ($1, $2, $3)",
                    params,
                );
                Box::pin(async { Ok(()) })
            });
            running.start(consumer.task());
        }
        running
    }
}

/// Tasks that run until they are stopped.
#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<anyhow::Result<()>>,
    token: CancellationToken,
}

impl Running {
    fn start(&mut self, task: Task) {
        let token = self.token.clone();
        self.tasks
            .spawn(async move { (task.run)(token).await.with_context(|| task.name) });
    }

    /// Stops them all.
    ///
    /// # Errors
    /// What one of them ended with.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        self.token.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

fn pools(postgres: &Postgres, database: &str, service: &str) -> anyhow::Result<Pools> {
    let open = |role: Role, max_connections: usize| {
        Database::open(&ConnectOptions {
            max_connections,
            on_connect: Some(stoa_eventlog::ON_CONNECT),
            ..postgres.options(&role.name(service), PASSWORD, database)
        })
    };
    Ok(Pools {
        app: open(Role::App, 8)?,
        system: open(Role::System, 2)?,
    })
}

fn bodies(bytes: usize) -> anyhow::Result<Arc<[Arc<str>]>> {
    let empty = ItemChanged {
        item: Uuid::nil(),
        version: 1,
        body: Arc::from(""),
    };
    let length = bytes.saturating_sub(serde_json::to_vec(&empty)?.len());
    let mut random = rand::rng();
    let mut body = || -> String {
        (0..length)
            .map(|_| char::from(random.sample(Alphanumeric)))
            .collect()
    };
    Ok((0..BODIES).map(|_| Arc::from(body())).collect())
}
