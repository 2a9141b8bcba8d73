//! One service, started as the platform starts it, on a database of its own. The access service is a table in
//! memory; what else the service calls is given by the test.

use axum::Router;
use axum::body::Body;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stoa_kernel::config::{Config, ConfigError, Role as DbRole};
use stoa_kernel::db::{ConnectOptions, Pools};
use stoa_kernel::decisions::{
    Changes, Decisions, Follower, LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges,
};
use stoa_kernel::lifecycle::supervise;
use stoa_kernel::mesh::{Calls, Wiring};
use stoa_kernel::migrate::Schema;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::service::Catalogue;
use stoa_kernel::{Clock, Database, Mesh, Service, ServiceContext};
use stoa_policy::{Assignment, Condition, DataScope, Effect, Grant, Role, SubjectGrants, TenantPolicy};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_types::{BranchId, TenantId, UserId, new_id};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use uuid::Uuid;

const PASSWORD: &str = "only for tests";

/// The access service's tables.
#[derive(Default)]
struct Access {
    policies: HashMap<Uuid, TenantPolicy>,
    subjects: HashMap<Uuid, SubjectGrants>,
}

/// A started service.
pub(crate) struct House {
    pub(crate) pools: Pools,
    pub(crate) mesh: Mesh,
    pub(crate) clock: Clock,
    /// A superuser's connection, for looking.
    pub(crate) admin: tokio_postgres::Client,
    router: Router,
    decisions: Decisions,
    access: Arc<Mutex<Access>>,
    stop: CancellationToken,
    _database: TestDatabase,
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl House {
    /// Starts `service`; `others` are the calls that other services would answer.
    pub(crate) async fn start(service: fn() -> Service, others: Calls) -> Self {
        let name = service().name;
        let server = postgres::shared().await.unwrap();
        let template = server
            .template(name, |database| migrate(database, service()))
            .await
            .unwrap();
        let database = server.create_database(Some(&template)).await.unwrap();
        let admin = database.connect_as_superuser().await.unwrap();
        let open = |role: DbRole| Database::open(&options(&database, &role.name(name), PASSWORD)).unwrap();
        let pools = Pools {
            app: open(DbRole::App),
            system: open(DbRole::System),
        };

        let (clock, stop, access) = (Clock::adjustable(), CancellationToken::new(), Arc::default());
        let mesh = Mesh::new(&["access", "organization", "customer"]);
        let decisions = Decisions::new(mesh.clone(), clock.clone());
        let context = ServiceContext {
            name,
            db: pools.clone(),
            mesh: mesh.clone(),
            decisions: decisions.clone(),
            clock: clock.clone(),
            config: Arc::new(Config::default()),
            stop: stop.clone(),
            catalogue: Arc::new(Catalogue {
                permissions: Vec::new(),
                endpoint_rules: Vec::new(),
                paths: Vec::new(),
            }),
            openapi: Arc::new(Value::Null),
        };
        let running = (service().start)(context).await.unwrap();
        let mut handlers = access_calls(&access).into_handlers();
        handlers.extend(others.into_handlers());
        handlers.extend(running.calls.into_handlers());
        mesh.seal(Wiring {
            handlers,
            places: HashMap::new(),
        });
        let tracker = TaskTracker::new();
        supervise(
            stoa_eventlog::ticker_task(pools.clone(), clock.clone()),
            &tracker,
            stop.clone(),
        );
        for task in running.tasks {
            supervise(task, &tracker, stop.clone());
        }
        tokio::spawn(Follower::new(decisions.clone()).run(stop.clone()));
        until("the policies are followed", async || {
            decisions.staleness().is_some()
        })
        .await;
        Self {
            pools,
            mesh,
            clock,
            admin,
            router: running.router,
            decisions,
            access,
            stop,
            _database: database,
        }
    }

    /// A tenant whose roles hold everything in one data scope each: `all`, `branch`, `own`; `grants` adds to these
    /// `(role, permission, scope)`.
    pub(crate) fn tenant(&self, grants: &[(&str, &str, DataScope)]) -> TenantId {
        let tenant = TenantId::new();
        let standard = [
            ("all", "*", DataScope::All),
            ("branch", "*", DataScope::Branch),
            ("own", "*", DataScope::Own),
        ];
        let mut policy = TenantPolicy {
            tenant: tenant.uuid(),
            revision: 1,
            ..TenantPolicy::default()
        };
        for (role, permission, scope) in standard.iter().chain(grants) {
            if !policy.roles.iter().any(|r| r.name == *role) {
                policy.roles.push(Role {
                    id: role_id(role),
                    name: (*role).to_owned(),
                    parents: Vec::new(),
                });
            }
            policy.grants.push(Grant {
                id: new_id(),
                role: role_id(role),
                permission: (*permission).to_owned(),
                effect: Effect::Allow,
                scope: *scope,
                condition: None,
            });
        }
        self.access.lock().unwrap().policies.insert(tenant.uuid(), policy);
        tenant
    }

    /// Lets a role of a tenant, do everything on the rows that meet a condition.
    pub(crate) fn grant_if(&self, tenant: TenantId, role: &str, condition: Condition) {
        let mut access = self.access.lock().unwrap();
        let policy = access.policies.get_mut(&tenant.uuid()).unwrap();
        policy.roles.push(Role {
            id: role_id(role),
            name: role.to_owned(),
            parents: Vec::new(),
        });
        policy.grants.push(Grant {
            id: new_id(),
            role: role_id(role),
            permission: "*".to_owned(),
            effect: Effect::Allow,
            scope: DataScope::All,
            condition: Some(condition),
        });
    }

    /// Loads policies again at their next use.
    pub(crate) fn forget_policies(&self) {
        self.decisions.drop_everything();
    }

    /// A user with one role; `branches` are the own one and those below it.
    pub(crate) fn user(&self, tenant: TenantId, role: &str, branches: &[BranchId]) -> User<'_> {
        let user = UserId::new();
        let grants = SubjectGrants {
            tenant: tenant.uuid(),
            user: user.uuid(),
            revision: 1,
            assignments: vec![Assignment {
                role: role_id(role),
                valid_from: None,
                valid_until: None,
            }],
            branch: branches.first().map(|b| b.uuid()),
            branches_below: branches.iter().map(|b| b.uuid()).collect(),
            ..SubjectGrants::default()
        };
        self.access.lock().unwrap().subjects.insert(user.uuid(), grants);
        User {
            house: self,
            tenant,
            id: user,
        }
    }
}

/// A signed-in user.
#[derive(Clone, Copy)]
pub(crate) struct User<'h> {
    house: &'h House,
    pub(crate) tenant: TenantId,
    pub(crate) id: UserId,
}

impl User<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// A change of the version in `etag`.
    pub(crate) async fn change(&self, method: Method, path: &str, etag: &str, body: Option<Value>) -> Answer {
        self.send(method, path, &[("if-match", etag)], body).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let context = RequestContext::new(
            Some(Identity {
                tenant: self.tenant,
                user: self.id,
            }),
            self.house.decisions.clone(),
            Instant::now() + Duration::from_secs(10),
            new_id(),
            Arc::from("0af7651916cd43dd8448eb211c80319c"),
            None,
        );
        let request = request.extension(context).body(body).unwrap();
        let response = self.house.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub(crate) fn id(&self) -> Uuid {
        self.body["id"].as_str().unwrap().parse().unwrap()
    }

    /// One field of every item of a page.
    pub(crate) fn each(&self, field: &str) -> Vec<&str> {
        let items = self.body["items"]
            .as_array()
            .unwrap_or_else(|| panic!("no items in {self:?}"));
        items.iter().map(|item| item[field].as_str().unwrap()).collect()
    }
}

/// Polls until a condition holds; fails after 20 s.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < give_up, "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn role_id(name: &str) -> Uuid {
    stoa_kernel::openapi::stable_id(name)
}

fn access_calls(access: &Arc<Mutex<Access>>) -> Calls {
    let (policies, subjects) = (access.clone(), access.clone());
    Calls::new()
        .on(|_, _: LoadPlatformRules| async {
            Ok(PlatformRules {
                revision: 1,
                rules: Vec::new(),
            })
        })
        .on(move |_, call: LoadPolicy| {
            let policy = policies.lock().unwrap().policies[&call.tenant.uuid()].clone();
            async move { Ok(policy) }
        })
        .on(move |_, call: LoadSubject| {
            let subject = subjects.lock().unwrap().subjects[&call.user.uuid()].clone();
            async move { Ok(subject) }
        })
        .on(|_, call: WatchChanges| async move {
            if call.after.is_some() {
                sleep(Duration::from_secs(1)).await;
            }
            Ok(Changes {
                last: 1,
                reset: false,
                changes: Vec::new(),
            })
        })
}

fn migrate(database: postgres::Database, service: Service) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        let superuser = database.superuser_config();
        let password = String::from_utf8(superuser.get_password().unwrap().to_vec())?;
        let mut options = options(&database, superuser.get_user().unwrap(), &password);
        options.on_connect = None;
        let passwords = |_: &str, _: DbRole| -> Result<String, ConfigError> { Ok(PASSWORD.to_owned()) };
        let own = Schema {
            name: service.name,
            migrations: service.migrations,
        };
        stoa_kernel::migrate::migrate(
            &options,
            &[stoa_eventlog::SCHEMA, own],
            &passwords,
            &[],
            &mut |_| {},
        )
        .await
    })
}

fn options(database: &postgres::Database, user: &str, password: &str) -> ConnectOptions {
    ConnectOptions {
        host: database.socket_dir().display().to_string(),
        port: 5432,
        dbname: database.name().to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        max_connections: 8,
        statement_timeout: Duration::from_secs(10),
        application_name: "service-test".to_owned(),
        on_connect: Some(stoa_eventlog::ON_CONNECT),
    }
}
