//! Connection pools: one per database role, every wait bounded, no tenant above its share.

use super::{DbError, SystemTx, TenantTx};
use crate::scope::Scope;
use dashmap::DashMap;
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use metrics::Histogram;
use std::sync::Arc;
use std::time::Duration;
use stoa_types::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_postgres::NoTls;

/// How to reach a database as one role.
#[derive(Clone)]
pub struct ConnectOptions {
    /// Host name, address, or the folder of a unix socket.
    pub host: String,
    /// The port, which also names the unix socket.
    pub port: u16,
    /// The database.
    pub dbname: String,
    /// The role to log in as.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Most connections of this pool.
    pub max_connections: usize,
    /// Bound of one statement on the server, below every request's deadline.
    pub statement_timeout: Duration,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Run on every new connection, before its first use.
    pub on_connect: Option<&'static str>,
}

impl std::fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.dbname)
    }
}

impl ConnectOptions {
    /// The driver's configuration. The server-side bounds are set at connect, so that no session is ever without.
    #[must_use]
    pub fn driver_config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.dbname)
            .user(&self.user)
            .password(&self.password)
            .application_name(&self.application_name)
            .connect_timeout(Duration::from_secs(3))
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(10))
            .options(format!(
                // Compiling a statement costs more than any of ours takes.
                "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} -c jit=off",
                self.statement_timeout.as_millis(),
                self.statement_timeout.as_millis() / 2,
                self.statement_timeout.as_millis() * 2,
            ));
        config
    }
}

/// A service's two roles: `…_app` for every request, `…_system` for the tables that no tenant owns.
#[derive(Clone)]
pub struct Pools {
    /// Logs in as `stoa_<service>_app`.
    pub app: Database,
    /// Logs in as `stoa_<service>_system`.
    pub system: Database,
}

/// A database as one role. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    /// Connections that each tenant holds now are taken from its own semaphore first.
    shares: DashMap<TenantId, Arc<Semaphore>>,
    share: usize,
    name: String,
    options: ConnectOptions,
    seconds: Histogram,
}

/// A borrowed connection and the tenant's permit that pays for it.
pub(super) struct Lease {
    pub(super) object: Object,
    _permit: Option<OwnedSemaphorePermit>,
    _use: Option<Use>,
}

/// Measures how long a connection was wanted and held: what a transaction took.
struct Use {
    since: Instant,
    seconds: Histogram,
}

impl Drop for Use {
    fn drop(&mut self) {
        self.seconds.record(self.since.elapsed());
    }
}

impl Database {
    /// Opens a pool. Connects lazily: a database that is down now may come back.
    ///
    /// # Errors
    /// When the options cannot form a pool.
    pub fn open(options: &ConnectOptions) -> Result<Self, DbError> {
        let manager = Manager::from_config(
            options.driver_config(),
            NoTls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let mut builder = Pool::builder(manager)
            .max_size(options.max_connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(Duration::from_secs(3)))
            .create_timeout(Some(Duration::from_secs(3)))
            .recycle_timeout(Some(Duration::from_secs(1)));
        if let Some(sql) = options.on_connect {
            builder = builder.post_create(Hook::async_fn(move |client, _| {
                Box::pin(async move { client.batch_execute(sql).await.map_err(HookError::Backend) })
            }));
        }
        let pool = builder.build().map_err(|e| DbError::Unavailable(e.to_string()))?;
        // Three quarters: one tenant alone may be fast, but never takes the last connections.
        let share = (options.max_connections * 3 / 4).max(1);
        Ok(Self {
            inner: Arc::new(Inner {
                pool,
                shares: DashMap::new(),
                share,
                name: options.user.clone(),
                options: options.clone(),
                seconds: metrics::histogram!("stoa_db_transaction_seconds", "role" => options.user.clone()),
            }),
        })
    }

    /// Starts a transaction in the scope's tenant. Nothing is sent before its first statement.
    ///
    /// The scope stays borrowed until the transaction ends, so another service cannot be called meanwhile.
    pub fn begin<'s>(&self, scope: &'s mut Scope) -> TenantTx<'s> {
        TenantTx::lazy(self.clone(), Some(scope.tenant()), scope.deadline(), scope)
    }

    /// Starts a transaction without a tenant, which sees only the tables that no tenant owns.
    pub fn begin_system<'s>(&self, scope: &'s mut Scope) -> SystemTx<'s> {
        SystemTx::lazy(self.clone(), None, scope.deadline(), scope)
    }

    /// Connections in use, idle and allowed, for metrics and readiness.
    #[must_use]
    pub fn usage(&self) -> (usize, usize, usize) {
        let status = self.inner.pool.status();
        (
            status.size.saturating_sub(status.available),
            status.available,
            status.max_size,
        )
    }

    /// The role that this pool logs in as.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.inner.name
    }

    /// Whether the database answers, within `bound`.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self, bound: Duration) -> Result<(), DbError> {
        let lease = self.connection(None, Instant::now() + bound).await?;
        tokio::time::timeout(bound, lease.object.batch_execute("select 1"))
            .await
            .map_err(|_| DbError::Timeout(bound))?
            .map_err(|e| DbError::from_driver("checking the connection", e))
    }

    /// A connection of its own that listens on `channel`. For rare writers such as policies and routes: domain events
    /// never notify, because `NOTIFY` takes a global lock at commit.
    #[must_use]
    pub fn listen(&self, channel: &'static str) -> super::Listener {
        super::Listener::new(self.inner.options.clone(), channel)
    }

    /// A connection for a transaction.
    pub(super) async fn lease(&self, tenant: Option<TenantId>, deadline: Instant) -> Result<Lease, DbError> {
        let taken = Use {
            since: Instant::now(),
            seconds: self.inner.seconds.clone(),
        };
        let mut lease = self.connection(tenant, deadline).await?;
        lease._use = Some(taken);
        Ok(lease)
    }

    async fn connection(&self, tenant: Option<TenantId>, deadline: Instant) -> Result<Lease, DbError> {
        let permit = match tenant {
            Some(tenant) => Some(self.permit(tenant, deadline).await?),
            None => None,
        };
        let object = match tokio::time::timeout_at(deadline, self.inner.pool.get()).await {
            Ok(Ok(object)) => object,
            Ok(Err(PoolError::Backend(e) | PoolError::PostCreateHook(HookError::Backend(e)))) => {
                return Err(DbError::Unavailable(super::error::describe(&e)));
            }
            Ok(Err(e)) => return Err(DbError::Unavailable(e.to_string())),
            Err(_) => {
                return Err(DbError::Unavailable(
                    "no free connection before the deadline".into(),
                ));
            }
        };
        Ok(Lease {
            object,
            _permit: permit,
            _use: None,
        })
    }

    async fn permit(&self, tenant: TenantId, deadline: Instant) -> Result<OwnedSemaphorePermit, DbError> {
        let semaphore = match self.inner.shares.get(&tenant) {
            Some(semaphore) => semaphore.clone(),
            None => {
                self.forget_idle_tenants();
                let share = self.inner.share;
                self.inner
                    .shares
                    .entry(tenant)
                    .or_insert_with(|| Arc::new(Semaphore::new(share)))
                    .clone()
            }
        };
        match tokio::time::timeout_at(deadline, semaphore.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(DbError::Unavailable(
                "this tenant holds its whole share of the connections".into(),
            )),
        }
    }

    /// Bounds the map: a semaphore that only the map holds has no permit out.
    fn forget_idle_tenants(&self) {
        if self.inner.shares.len() > 10_000 {
            self.inner
                .shares
                .retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
    }
}
