//! A database with the log and a service `shop`, whose items have versions and whose consumer notes what it handled.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use stoa_eventlog::{Consumer, Delivered, HandlerError};
use stoa_kernel::config::{ConfigError, Role};
use stoa_kernel::db::{ConnectOptions, Pools};
use stoa_kernel::migrate::{Migration, Schema};
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, CommitToken, Database, DbError, Event, SystemScope, TenantTx};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_types::TenantId;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) const PASSWORD: &str = "only for tests";
const SCOPE: SystemScope = SystemScope::named("shop.test");

const SHOP: Schema = Schema {
    name: "shop",
    migrations: &[Migration {
        name: "0001_init",
        sql: "create table shop.item (
                tenant_id uuid not null, id uuid not null, version bigint not null, primary key (tenant_id, id));
              call stoa.tenant_table('shop.item');
              -- Without a key: an effect that happens twice must be seen.
              create table shop.effect (
                position bigint generated always as identity, tenant_id uuid not null, event_id uuid not null,
                item uuid not null, version bigint not null, generation int not null,
                handled_at timestamptz not null default clock_timestamp(), appended_at timestamptz not null);
              create index on shop.effect (tenant_id, item);
              call stoa.tenant_table('shop.effect');",
    }],
};

/// The event of these tests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ItemChanged {
    pub(crate) item: Uuid,
    pub(crate) version: i64,
    /// What the handler shall do: `ok`, `retry`, `reject`, `panic`, `violate`.
    pub(crate) wish: String,
}

impl Event for ItemChanged {
    const TOPIC: &'static str = "domain.shop.events";
    const TYPE: &'static str = "dev.stoa.shop.item.changed.v1";
    const AGGREGATE: &'static str = "item";

    fn aggregate_id(&self) -> Uuid {
        self.item
    }

    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// The service `shop` on one database.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) pools: Pools,
    pub(crate) clock: Clock,
    pub(crate) tenant: TenantId,
}

/// A shop on a database of its own, with a superuser's connection for looking.
pub(crate) struct Fixture {
    pub(crate) shop: Shop,
    pub(crate) admin: tokio_postgres::Client,
    pub(crate) database: TestDatabase,
    tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// How to connect as `user` to what `config` names.
pub(crate) fn options(config: &tokio_postgres::Config, user: &str, password: &str) -> ConnectOptions {
    let tokio_postgres::config::Host::Unix(host) = &config.get_hosts()[0] else {
        panic!("test servers have unix sockets")
    };
    ConnectOptions {
        host: host.to_string_lossy().into_owned(),
        port: config.get_ports()[0],
        dbname: config.get_dbname().unwrap().to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        max_connections: 12,
        statement_timeout: Duration::from_secs(10),
        application_name: "eventlog-test".into(),
        on_connect: Some(stoa_eventlog::ON_CONNECT),
    }
}

/// Roles, the log's schema and the shop's.
pub(crate) async fn migrate(superuser: &tokio_postgres::Config) -> anyhow::Result<()> {
    let password = String::from_utf8(superuser.get_password().unwrap().to_vec())?;
    let mut options = options(superuser, superuser.get_user().unwrap(), &password);
    options.on_connect = None;
    let passwords = |_: &str, _: Role| -> Result<String, ConfigError> { Ok(PASSWORD.to_owned()) };
    let schemas = [stoa_eventlog::SCHEMA, SHOP];
    stoa_kernel::migrate::migrate(&options, &schemas, &passwords, &[], &mut |_| {}).await
}

impl Shop {
    pub(crate) fn open(config: &tokio_postgres::Config, tenant: TenantId) -> Self {
        let open = |role: &str| Database::open(&options(config, role, PASSWORD)).unwrap();
        Self {
            pools: Pools {
                app: open("stoa_shop_app"),
                system: open("stoa_shop_system"),
            },
            clock: Clock::adjustable(),
            tenant,
        }
    }

    /// Changes an item; `held` runs in the open transaction, after the event's number was drawn.
    pub(crate) async fn change_while(
        &self,
        item: Uuid,
        wish: &str,
        held: impl Future<Output = ()>,
    ) -> Result<i64, DbError> {
        let (version, _) = self.change_with_token(item, wish, held).await?;
        Ok(version)
    }

    /// As [`Shop::change_while`], and by which token a reader knows the commit.
    pub(crate) async fn change_with_token(
        &self,
        item: Uuid,
        wish: &str,
        held: impl Future<Output = ()>,
    ) -> Result<(i64, CommitToken), DbError> {
        let mut scope = SCOPE.scope(self.tenant, Duration::from_secs(20));
        let mut tx = self.pools.app.begin(&mut scope);
        // Creates the item at version 0, or locks it.
        let row = tx
            .query(
                "insert into shop.item (tenant_id, id, version) values ($1, $2, 0)
                 on conflict (tenant_id, id) do update set version = item.version returning version",
                &[&self.tenant.uuid(), &item],
            )
            .await?;
        let version: i64 = row[0].try_get::<_, i64>(0)? + 1;
        tx.defer(
            "update shop.item set version = $3 where tenant_id = $1 and id = $2",
            stoa_kernel::params![self.tenant.uuid(), item, version],
        );
        let event = ItemChanged {
            item,
            version,
            wish: wish.to_owned(),
        };
        stoa_eventlog::append(&mut tx, &self.clock, &event)?;
        tx.flush().await?;
        held.await;
        let (_, token) = tx.commit_with_token().await?;
        Ok((version, token.expect("an event was appended")))
    }

    pub(crate) async fn change(&self, item: Uuid, wish: &str) -> i64 {
        self.change_while(item, wish, async {}).await.unwrap()
    }

    pub(crate) fn ticker(&self) -> Task {
        stoa_eventlog::ticker_task(self.pools.clone(), self.clock.clone())
    }

    pub(crate) fn consumer(&self) -> Consumer {
        Consumer::with(self.pools.clone(), self.clock.clone(), "shop.effects").on(note)
    }
}

/// Notes the event in `shop.effect`, unless it wishes otherwise.
pub(crate) fn note<'a>(
    tx: &'a mut TenantTx<'_>,
    event: &'a Delivered<ItemChanged>,
) -> BoxFuture<'a, Result<(), HandlerError>> {
    async move {
        match event.data.wish.as_str() {
            "retry" => return Err(HandlerError::Retry("not now".into())),
            "reject" => return Err(HandlerError::Reject("never".into())),
            "panic" => panic!("as wished"),
            "flaky" if rand::random_ratio(1, 4) => return Err(HandlerError::Retry("bad luck".into())),
            // Fails only when the batch commits.
            "violate" => tx.defer(
                "insert into shop.item (tenant_id, id, version) values ($1, null, 1)",
                stoa_kernel::params![event.tenant.uuid()],
            ),
            // Reads in the event's tenant, after the effects of the events before it in the batch.
            "read" => {
                let rows = tx
                    .query(
                        "select coalesce(max(version), 0) from shop.effect where item = $1",
                        &[&event.aggregate_id],
                    )
                    .await?;
                let seen: i64 = rows[0].try_get(0).map_err(DbError::from)?;
                if seen + 1 != event.aggregate_version {
                    return Err(HandlerError::Reject(format!("the handler saw version {seen}")));
                }
            }
            _ => {}
        }
        tx.defer(
            "insert into shop.effect (tenant_id, event_id, item, version, generation, appended_at)
             values ($1, $2, $3, $4, $5, $6)",
            stoa_kernel::params![
                event.tenant.uuid(),
                event.id.uuid(),
                event.aggregate_id,
                event.aggregate_version,
                event.generation,
                event.time
            ],
        );
        Ok(())
    }
    .boxed()
}

impl Fixture {
    /// A migrated database on the shared server; nothing runs yet.
    pub(crate) async fn new() -> Self {
        let server = postgres::shared().await.unwrap();
        let template = server
            .template("log", |database| async move {
                migrate(&database.superuser_config()).await
            })
            .await
            .unwrap();
        let database = server.create_database(Some(&template)).await.unwrap();
        let admin = database.connect_as_superuser().await.unwrap();
        Self {
            shop: Shop::open(&database.superuser_config(), TenantId::new()),
            admin,
            database,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// The same on a database that exists already.
    pub(crate) async fn over(shop: Shop, admin: tokio_postgres::Client) -> Self {
        let mut fixture = Self::new().await;
        fixture.move_to(shop, admin);
        fixture
    }

    /// Goes on with another database; what ran before must have been stopped.
    pub(crate) fn move_to(&mut self, shop: Shop, admin: tokio_postgres::Client) {
        self.shop = shop;
        self.admin = admin;
        self.tasks = TaskTracker::new();
        self.stop = CancellationToken::new();
    }

    /// Returns when all tasks have ended.
    pub(crate) async fn stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) fn run(&self, task: Task) {
        stoa_kernel::lifecycle::supervise(task, &self.tasks, self.stop.clone());
    }

    /// Starts the ticker and the usual consumer.
    pub(crate) fn start(&self) {
        self.run(self.shop.ticker());
        self.run(self.shop.consumer().task());
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.admin
            .query_one(sql, &[])
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
            .get(0)
    }

    pub(crate) async fn effects(&self) -> i64 {
        self.count("select count(*) from shop.effect").await
    }

    /// The versions that were handled for an item, in the order of handling.
    pub(crate) async fn versions(&self, item: Uuid) -> Vec<i64> {
        self.admin
            .query(
                "select version from shop.effect where item = $1 order by position",
                &[&item],
            )
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    pub(crate) async fn until_count(&self, sql: &str, wanted: i64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.count(sql).await;
            if found == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}: {found}, not {wanted}, in time");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
