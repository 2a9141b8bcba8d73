//! The access service on a real PostgreSQL, as one or more processes.

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use stoa_contracts::access::{AssignRole, ProvisionTenant};
use stoa_kernel::config::{Config, Role};
use stoa_kernel::db::{ConnectOptions, Database, Pools};
use stoa_kernel::decisions::{Decisions, Follower};
use stoa_kernel::mesh::{Call, Mesh, Place, Wiring};
use stoa_kernel::migrate::Schema;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::service::{Catalogue, ServiceContext};
use stoa_kernel::{CallError, Clock, SystemScope};
use stoa_testkit::postgres::{self, TestDatabase, shared};
use stoa_types::{BranchId, TenantId, UserId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

pub(crate) const TEST: SystemScope = SystemScope::named("platform.demo");
const BUDGET: Duration = Duration::from_secs(10);

pub(crate) fn catalogue() -> Catalogue {
    let service = stoa_access::service();
    let api = (service.openapi)();
    Catalogue {
        permissions: service
            .permissions
            .iter()
            .map(|(name, description)| (*name, service.name, *description))
            .collect(),
        endpoint_rules: stoa_kernel::openapi::endpoint_rules(&api),
        paths: service.paths.iter().map(|path| (*path, service.name)).collect(),
    }
}

fn options(
    database: &postgres::Database,
    user: &str,
    password: &str,
    on_connect: Option<&'static str>,
) -> ConnectOptions {
    let config = database.superuser_config();
    ConnectOptions {
        host: database.socket_dir().display().to_string(),
        port: config.get_ports()[0],
        dbname: database.name().to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        max_connections: 8,
        statement_timeout: Duration::from_secs(5),
        application_name: "test".into(),
        on_connect,
    }
}

/// Migrates and seeds as the superuser.
pub(crate) async fn migrate(database: &postgres::Database) -> anyhow::Result<()> {
    let config = database.superuser_config();
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned();
    let superuser = options(database, config.get_user().unwrap_or_default(), &password, None);
    let service = stoa_access::service();
    let schemas = [
        stoa_eventlog::SCHEMA,
        Schema {
            name: service.name,
            migrations: service.migrations,
        },
    ];
    let seeds = service.seed.map(|seed| seed(&catalogue())).unwrap_or_default();
    let password = |_: &str, _: Role| Ok("secret".to_owned());
    stoa_kernel::migrate::migrate(&superuser, &schemas, &password, &seeds, &mut |_| {}).await
}

pub(crate) async fn database() -> TestDatabase {
    let server = shared().await.unwrap();
    let template = server
        .template("access", |database| async move { migrate(&database).await })
        .await
        .unwrap();
    server.create_database(Some(&template)).await.unwrap()
}

/// One process that runs the access service and follows it.
pub(crate) struct Process {
    pub(crate) context: ServiceContext,
    router: axum::Router,
}

impl Process {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        let stop = CancellationToken::new();
        let mesh = Mesh::new(&["access", "identity", "organization"]);
        let clock = Clock::adjustable();
        let on_connect = Some(stoa_eventlog::ON_CONNECT);
        let pool = |role: Role| {
            Database::open(&options(database, &role.name("access"), "secret", on_connect)).unwrap()
        };
        let context = ServiceContext {
            name: "access",
            db: Pools {
                app: pool(Role::App),
                system: pool(Role::System),
            },
            decisions: Decisions::new(mesh.clone(), clock.clone()),
            mesh: mesh.clone(),
            clock,
            config: Arc::new(Config::default()),
            stop: stop.clone(),
            catalogue: Arc::new(catalogue()),
            openapi: Arc::new(Value::Null),
        };
        let running = (stoa_access::service().start)(context.clone()).await.unwrap();
        mesh.seal(Wiring {
            handlers: running.calls.into_handlers(),
            places: [("access", Place::Local(running.router.clone()))].into(),
        });
        let ticker = stoa_eventlog::ticker_task(context.db.clone(), context.clock.clone());
        for task in running.tasks.into_iter().chain([ticker]) {
            tokio::spawn((task.run)(stop.clone()));
        }
        tokio::spawn(Follower::new(context.decisions.clone()).run(stop));
        let process = Self {
            context,
            router: running.router,
        };
        until("the replica is confirmed", async || {
            process.context.decisions.staleness().is_some()
        })
        .await;
        process
    }

    pub(crate) async fn call<C: Call>(&self, tenant: TenantId, call: C) -> Result<C::Reply, CallError> {
        let mut scope = TEST.scope(tenant, BUDGET);
        self.context.mesh.call(&mut scope, call).await
    }

    /// A tenant with one administrator.
    pub(crate) async fn tenant(&self, slug: &str) -> (TenantId, UserId) {
        let tenant = TenantId::new();
        let call = ProvisionTenant {
            tenant,
            slug: slug.into(),
            name: slug.into(),
            plan: "free".into(),
        };
        assert!(self.call(tenant, call).await.unwrap().created);
        let admin = UserId::new();
        self.assign(tenant, admin, "admin", None).await;
        (tenant, admin)
    }

    pub(crate) async fn assign(&self, tenant: TenantId, user: UserId, role: &str, branch: Option<BranchId>) {
        let call = AssignRole {
            user,
            role: role.into(),
            branch,
        };
        self.call(tenant, call).await.unwrap();
    }

    /// A request of a signed-in user.
    pub(crate) async fn send(
        &self,
        (tenant, user): (TenantId, UserId),
        request: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let identity = Identity { tenant, user };
        let context = RequestContext::new(
            Some(identity),
            self.context.decisions.clone(),
            Instant::now() + BUDGET,
            stoa_types::new_id(),
            "0".repeat(32).into(),
            None,
        );
        let mut builder = Request::builder().method(method).uri(path).extension(context);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let body = match body {
            Some(json) => {
                builder = builder.header("content-type", "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let response = self
            .router
            .clone()
            .oneshot(builder.body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self.body
    }
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
