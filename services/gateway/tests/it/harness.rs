//! The gateway as one or more processes on a real PostgreSQL, with the access and identity services as stubs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode, Uri};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use stoa_contracts::identity::{LoadVerificationKeys, VerificationKeys};
use stoa_kernel::Clock;
use stoa_kernel::config::{Config, Role};
use stoa_kernel::db::{ConnectOptions, Database, Pools};
use stoa_kernel::decisions::{
    Changes, Decisions, Follower, LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges,
};
use stoa_kernel::mesh::{Calls, Mesh, Place, Wiring};
use stoa_kernel::migrate::Schema;
use stoa_kernel::service::{Catalogue, ServiceContext};
use stoa_policy::{
    Assignment, DataScope, Effect, EndpointRule, Grant, Requirement, SubjectGrants, TenantPolicy,
};
use stoa_testkit::postgres::{self, TestDatabase, shared};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

const ISSUER: &str = "https://stoa.example";

/// May read and write routes.
pub(crate) const ADMIN: Uuid = Uuid::from_u128(7);
/// May nothing.
pub(crate) const NOBODY: Uuid = Uuid::from_u128(70);
pub(crate) const TENANT: Uuid = Uuid::from_u128(8);
pub(crate) const OTHER_TENANT: Uuid = Uuid::from_u128(80);

static KEY: LazyLock<(EncodingKey, Value)> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
    let jwks = json!({"keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "a",
        "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e),
    }]});
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    // jsonwebtoken takes PKCS#1: the octet string at the end of PKCS#8 (RFC 5958), after 26 bytes of header.
    (EncodingKey::from_rsa_der(&der.as_ref()[26..]), jwks)
});

fn token(tenant: Uuid, user: Uuid) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let now = Clock::system().now().as_second();
    let message = format!(
        "{}.{}",
        part(json!({"alg": "RS256", "typ": "at+jwt", "kid": "a"})),
        part(json!({
            "iss": ISSUER, "aud": format!("{ISSUER}/stoa-api"), "exp": now + 300, "sub": user, "tenantId": tenant,
        }))
    );
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &KEY.0, Algorithm::RS256).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn catalogue() -> Catalogue {
    let service = stoa_gateway::service();
    let mut paths: Vec<_> = service.paths.iter().map(|path| (*path, service.name)).collect();
    paths.push(("/api/customers", "customer"));
    Catalogue {
        permissions: vec![],
        endpoint_rules: stoa_kernel::openapi::endpoint_rules(&(service.openapi)()),
        paths,
    }
}

fn options(database: &postgres::Database, user: &str, password: &str) -> ConnectOptions {
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
        on_connect: None,
    }
}

/// Migrates and seeds as the superuser.
pub(crate) async fn migrate(database: &postgres::Database, catalogue: &Catalogue) -> anyhow::Result<()> {
    let config = database.superuser_config();
    let password = String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned();
    let superuser = options(database, config.get_user().unwrap_or_default(), &password);
    let service = stoa_gateway::service();
    let schema = Schema {
        name: service.name,
        migrations: service.migrations,
    };
    let seeds = service.seed.map(|seed| seed(catalogue)).unwrap_or_default();
    let password = |_: &str, _: Role| Ok("secret".to_owned());
    stoa_kernel::migrate::migrate(&superuser, &[schema], &password, &seeds, &mut |_| {}).await
}

pub(crate) async fn database() -> TestDatabase {
    let server = shared().await.unwrap();
    let template = server
        .template("gateway", |database| async move {
            migrate(&database, &catalogue()).await
        })
        .await
        .unwrap();
    server.create_database(Some(&template)).await.unwrap()
}

/// One process with a gateway and a customer service that answers with the path it was asked for.
pub(crate) struct Process {
    edge: Router,
    stop: CancellationToken,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Process {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        let stop = CancellationToken::new();
        let mesh = Mesh::new(&["access", "identity", "gateway", "customer"]);
        let clock = Clock::system();
        let pool = |role: Role| Database::open(&options(database, &role.name("gateway"), "secret")).unwrap();
        let context = ServiceContext {
            name: "gateway",
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
            openapi: Arc::new(json!({"openapi": "3.1.0", "info": {"title": "Stoa", "version": "1"}})),
        };
        let running = (stoa_gateway::service().start)(context.clone()).await.unwrap();
        let echo = |uri: Uri| async move { uri.to_string() };
        let customer = Router::new().route("/api/customers/{id}", get(echo));
        mesh.seal(Wiring {
            handlers: calls().into_handlers(),
            places: [
                ("gateway", Place::Local(running.router)),
                ("customer", Place::Local(customer)),
            ]
            .into(),
        });
        tokio::spawn(Follower::new(context.decisions.clone()).run(stop.clone()));
        let process = Self {
            edge: stoa_gateway::edge(&context),
            stop,
        };
        until("the edge is up", async || {
            process.get(TENANT, "/api/customers/1").await.status == 200
        })
        .await;
        process
    }

    pub(crate) async fn get(&self, tenant: Uuid, path: &str) -> Answer {
        self.send(Some((tenant, ADMIN)), &format!("GET {path}"), None, &[])
            .await
    }

    /// A request, of a signed-in caller or of nobody.
    pub(crate) async fn send(
        &self,
        caller: Option<(Uuid, Uuid)>,
        request: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let mut builder = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "stoa.example");
        if let Some((tenant, user)) = caller {
            builder = builder.header("authorization", format!("Bearer {}", token(tenant, user)));
        }
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
            .edge
            .clone()
            .oneshot(builder.body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
}

fn calls() -> Calls {
    Calls::new()
        .on(|_, _: LoadVerificationKeys| async {
            Ok(VerificationKeys {
                issuer: ISSUER.into(),
                jwks: KEY.1.clone(),
            })
        })
        .on(|_, _: LoadPlatformRules| async {
            let mut rules = catalogue().endpoint_rules;
            for (id, pattern) in [(1, "/api/customers/{id}"), (2, "/shop/**")] {
                rules.push(EndpointRule {
                    id: Uuid::from_u128(id),
                    pattern: pattern.into(),
                    methods: vec!["GET".into()],
                    requirement: Requirement::Authenticated,
                });
            }
            Ok(PlatformRules { revision: 1, rules })
        })
        .on(|_, call: LoadPolicy| async move {
            Ok(TenantPolicy {
                tenant: call.tenant.uuid(),
                revision: 1,
                roles: vec![stoa_policy::Role {
                    id: Uuid::from_u128(20),
                    name: "operator".into(),
                    parents: vec![],
                }],
                grants: vec![Grant {
                    id: Uuid::from_u128(21),
                    role: Uuid::from_u128(20),
                    permission: "routes:*".into(),
                    effect: Effect::Allow,
                    scope: DataScope::All,
                    condition: None,
                }],
                endpoint_rules: vec![],
            })
        })
        .on(|_, call: LoadSubject| async move {
            let operator = Assignment {
                role: Uuid::from_u128(20),
                valid_from: None,
                valid_until: None,
            };
            Ok(SubjectGrants {
                tenant: call.tenant.uuid(),
                user: call.user.uuid(),
                assignments: if call.user.uuid() == ADMIN {
                    vec![operator]
                } else {
                    vec![]
                },
                ..SubjectGrants::default()
            })
        })
        .on(|_, call: WatchChanges| async move {
            if call.after.is_some() {
                tokio::time::sleep(Duration::from_millis(call.wait_ms)).await;
            }
            Ok(Changes {
                last: 1,
                reset: false,
                changes: vec![],
            })
        })
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self
    }

    pub(crate) fn etag(&self) -> String {
        self.headers["etag"].to_str().unwrap().to_owned()
    }
}

pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
