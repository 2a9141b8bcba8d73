//! The identity service on a database of its own, beside an access service that answers from memory.

use crate::browser::Browser;
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_contracts::access::{DescribeSubject, SubjectDescription};
use stoa_contracts::identity::CreateUser;
use stoa_kernel::config::{Config, ConfigError, Role};
use stoa_kernel::db::{ConnectOptions, Pools};
use stoa_kernel::decisions::{
    Changes, Decisions, Follower, LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges,
};
use stoa_kernel::mesh::{Calls, Wiring};
use stoa_kernel::migrate::Schema;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::service::{Catalogue, Task};
use stoa_kernel::{Clock, Database, Mesh, Problem, ServiceContext, SystemScope};
use stoa_policy::{SubjectGrants, TenantPolicy};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_types::{TenantId, UserId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use url::Url;
use uuid::Uuid;

const ROLE_PASSWORD: &str = "only for tests";
/// Seeds and asks as the platform does.
pub(crate) const TEST: SystemScope = SystemScope::named("platform.demo");
pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:4711/callback";
pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

/// A started service.
pub(crate) struct Fixture {
    router: Router,
    tasks: Vec<Task>,
    pub(crate) mesh: Mesh,
    pub(crate) clock: Clock,
    decisions: Decisions,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) database: TestDatabase,
    stop: CancellationToken,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn options(config: &tokio_postgres::Config, user: &str, password: &str) -> ConnectOptions {
    let tokio_postgres::config::Host::Unix(host) = &config.get_hosts()[0] else {
        panic!("test servers have unix sockets")
    };
    ConnectOptions {
        host: host.to_string_lossy().into_owned(),
        port: config.get_ports()[0],
        dbname: config.get_dbname().unwrap().to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        max_connections: 6,
        statement_timeout: Duration::from_secs(10),
        application_name: "identity-test".into(),
        on_connect: Some(stoa_eventlog::ON_CONNECT),
    }
}

fn catalogue() -> Catalogue {
    Catalogue {
        permissions: vec![],
        endpoint_rules: vec![],
        paths: vec![],
    }
}

async fn migrate(superuser: &tokio_postgres::Config) -> anyhow::Result<()> {
    let password = String::from_utf8(superuser.get_password().unwrap().to_vec())?;
    let mut options = options(superuser, superuser.get_user().unwrap(), &password);
    options.on_connect = None;
    let service = stoa_identity::service();
    let own = Schema {
        name: service.name,
        migrations: service.migrations,
    };
    let seeds = service.seed.map(|seed| seed(&catalogue())).unwrap_or_default();
    let passwords = |_: &str, _: Role| -> Result<String, ConfigError> { Ok(ROLE_PASSWORD.to_owned()) };
    stoa_kernel::migrate::migrate(
        &options,
        &[stoa_eventlog::SCHEMA, own],
        &passwords,
        &seeds,
        &mut |_| {},
    )
    .await
}

/// A database with the service's schema.
async fn database() -> TestDatabase {
    let server = postgres::shared().await.unwrap();
    let template = server
        .template("identity", |database| async move {
            migrate(&database.superuser_config()).await
        })
        .await
        .unwrap();
    server.create_database(Some(&template)).await.unwrap()
}

fn pools(database: &TestDatabase) -> Pools {
    let open =
        |role: &str| Database::open(&options(&database.superuser_config(), role, ROLE_PASSWORD)).unwrap();
    Pools {
        app: open("stoa_identity_app"),
        system: open("stoa_identity_system"),
    }
}

/// The service with one user, `EMAIL`.
pub(crate) async fn start() -> Fixture {
    let database = database().await;
    let stop = CancellationToken::new();
    let process = process(&database, &stop).await;
    let fixture = Fixture {
        router: process.router,
        tasks: process.tasks,
        mesh: process.mesh,
        clock: process.clock,
        decisions: process.decisions,
        tenant: TenantId::new(),
        user: UserId::new(),
        database,
        stop,
    };
    fixture.create_user(fixture.user, EMAIL).await.unwrap();
    fixture
}

/// The mesh of another process on the same database.
pub(crate) async fn second_process(fixture: &Fixture) -> Mesh {
    process(&fixture.database, &fixture.stop).await.mesh
}

struct Process {
    router: Router,
    tasks: Vec<Task>,
    mesh: Mesh,
    clock: Clock,
    decisions: Decisions,
}

async fn process(database: &TestDatabase, stop: &CancellationToken) -> Process {
    let clock = Clock::adjustable();
    let mesh = Mesh::new(&["access", "identity"]);
    let decisions = Decisions::new(mesh.clone(), clock.clone());
    let mut config = Config::default();
    config.server.public_url = ISSUER.to_owned();
    // The least that Argon2 takes: these tests are about what happens around it.
    config.identity.hash_memory_kib = 8;
    let context = ServiceContext {
        name: stoa_identity::SERVICE,
        db: pools(database),
        mesh: mesh.clone(),
        decisions: decisions.clone(),
        clock: clock.clone(),
        config: Arc::new(config),
        stop: stop.clone(),
        catalogue: Arc::new(catalogue()),
        openapi: Arc::new(Value::Null),
    };
    let running = (stoa_identity::service().start)(context).await.unwrap();
    let mut handlers = access().into_handlers();
    handlers.extend(running.calls.into_handlers());
    mesh.seal(Wiring {
        handlers,
        places: HashMap::new(),
    });
    tokio::spawn(Follower::new(decisions.clone()).run(stop.clone()));
    Process {
        router: running.router,
        tasks: running.tasks,
        mesh,
        clock,
        decisions,
    }
}

fn access() -> Calls {
    Calls::new()
        .on(|_, call: DescribeSubject| async move {
            let _ = call.user;
            Ok(SubjectDescription {
                roles: vec!["manager".into()],
                data_scope: "branch".into(),
                branch_id: Some(Uuid::nil().into()),
                plan: "premium".into(),
            })
        })
        .on(|_, _: LoadPlatformRules| async {
            Ok(PlatformRules {
                revision: 1,
                rules: vec![],
            })
        })
        .on(|_, call: LoadPolicy| async move {
            Ok(TenantPolicy {
                tenant: call.tenant.uuid(),
                ..TenantPolicy::default()
            })
        })
        .on(|_, call: LoadSubject| async move {
            Ok(SubjectGrants {
                tenant: call.tenant.uuid(),
                user: call.user.uuid(),
                ..SubjectGrants::default()
            })
        })
        .on(|_, call: WatchChanges| async move {
            if call.after.is_some() {
                std::future::pending::<()>().await;
            }
            Ok(Changes {
                last: 1,
                reset: false,
                changes: vec![],
            })
        })
}

/// A response with its body read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn location(&self) -> Url {
        let location = self
            .headers
            .get(http::header::LOCATION)
            .unwrap_or_else(|| panic!("no redirect: {}", self.text));
        Url::parse(location.to_str().unwrap()).unwrap()
    }

    /// A parameter of the redirect.
    pub(crate) fn answer(&self, name: &str) -> Option<String> {
        let location = self.location();
        location
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    pub(crate) fn hidden(&self, name: &str) -> String {
        let input = self
            .text
            .split(&format!("name=\"{name}\" value=\""))
            .nth(1)
            .unwrap_or_else(|| panic!("no field {name}: {}", self.text));
        let value = input.split('"').next().unwrap();
        value.replace("&#x2f;", "/").replace("&amp;", "&")
    }
}

impl Fixture {
    pub(crate) async fn create_user(&self, id: UserId, email: &str) -> Result<(), Problem> {
        let call = CreateUser {
            id,
            email: email.to_owned(),
            name: "Ada".to_owned(),
            password: PASSWORD.to_owned(),
        };
        let mut scope = TEST.scope(self.tenant, BUDGET);
        Ok(self.mesh.call(&mut scope, call).await.map(|_| ())?)
    }

    pub(crate) async fn send(&self, mut request: Request<Body>, identity: Option<Identity>) -> Answer {
        let context = RequestContext::new(
            identity,
            self.decisions.clone(),
            Instant::now() + BUDGET,
            Uuid::nil(),
            "0".repeat(32).into(),
            None,
        );
        request.extensions_mut().insert(context);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// One round of the service's maintenance.
    pub(crate) async fn maintain(&self) {
        let stopped = CancellationToken::new();
        stopped.cancel();
        for task in &self.tasks {
            (task.run)(stopped.clone()).await.unwrap();
        }
    }

    pub(crate) async fn admin(&self) -> tokio_postgres::Client {
        self.database.connect_as_superuser().await.unwrap()
    }

    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        Browser::default().post(self, "/oauth2/token", fields).await
    }

    pub(crate) async fn redeem(&self, code: &str) -> Answer {
        self.token(&redemption(code)).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.token(&[
            ("grant_type", "refresh_token"),
            ("client_id", "stoa-cli"),
            ("refresh_token", token),
        ])
        .await
    }

    /// Waits until the process has its policies.
    pub(crate) async fn wait_for_policies(&self) {
        let deadline = Instant::now() + BUDGET;
        while self.decisions.staleness().is_none() {
            assert!(Instant::now() < deadline, "no policies");
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn redemption(code: &str) -> [(&'static str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", "stoa-cli"),
        ("redirect_uri", REDIRECT),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
}

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// An authorization request with some parameters changed; an empty value removes.
pub(crate) fn authorization(changes: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs = vec![
        ("client_id", "stoa-cli"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("state", "st"),
        ("nonce", "no"),
    ];
    for (key, value) in changes {
        pairs.retain(|(k, _)| k != key);
        pairs.push((key, value));
    }
    format!("/oauth2/authorize?{}", encode(&pairs))
}

pub(crate) fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

/// A JWT's claims, unverified.
pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// A JWT's header.
pub(crate) fn header(token: &str) -> Value {
    part(token, 0)
}

fn part(token: &str, at: usize) -> Value {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}
