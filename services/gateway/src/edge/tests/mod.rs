//! The whole pipeline, with the access and identity services as stubs and no database.

mod foreign;
mod pipeline;
mod record;
mod wire;

use super::token::tests::{ISSUER, Signer};
use super::*;
use crate::model::{Predicates, RouteSpec, Target};
use crate::routing::{Loaded, Snapshot};
use axum::extract;
use axum::routing::{get, post};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stoa_contracts::access::{DescribeSubject, SubjectDescription};
use stoa_contracts::identity::{LoadVerificationKeys, VerificationKeys};
use stoa_kernel::decisions::{
    Changes, Follower, LoadPlatformRules, LoadPolicy, LoadSubject, PlatformRules, WatchChanges,
};
use stoa_kernel::mesh::{Calls, Place, Wiring};
use stoa_policy::{
    Assignment, DataScope, Effect, EndpointRule, Grant, Requirement, Role, SubjectGrants, TenantPolicy,
};
use stoa_types::TenantId;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const TENANT: Uuid = Uuid::from_u128(8);
const ROLE: Uuid = Uuid::from_u128(20);

/// An edge whose user (7, in tenant 8) may `customers:read`.
struct World {
    /// The trace of all its requests, by which their records are found.
    trace: String,
    router: Router,
    signer: Arc<Signer>,
    now: i64,
    key_loads: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn rule(id: u128, method: &str, pattern: &str, requirement: Requirement) -> EndpointRule {
    EndpointRule {
        id: Uuid::from_u128(id),
        pattern: pattern.into(),
        methods: vec![method.into()],
        requirement,
    }
}

fn rules() -> Vec<EndpointRule> {
    let needs = |permission: &str| Requirement::Permission(permission.into());
    vec![
        rule(1, "GET", "/api/customers/{id}", needs("customers:read")),
        rule(2, "POST", "/api/customers", needs("customers:create")),
        rule(3, "GET", "/api/me", Requirement::Authenticated),
        rule(4, "GET", "/public/hello", Requirement::Public),
        rule(5, "GET", "/api/slow", Requirement::Public),
        rule(6, "POST", "/public/echo", Requirement::Public),
        rule(7, "GET", "/alias/{id}", Requirement::Authenticated),
        rule(8, "GET", "/foreign/**", Requirement::Authenticated),
        rule(9, "GET", "/api/away", Requirement::Public),
        rule(10, "GET", "/public/stream", Requirement::Public),
        rule(11, "GET", "/public/panic", Requirement::Public),
    ]
}

fn access() -> Calls {
    Calls::new()
        .on(|_, _: LoadPlatformRules| async {
            Ok(PlatformRules {
                revision: 1,
                rules: rules(),
            })
        })
        .on(|_, call: LoadPolicy| async move {
            Ok(TenantPolicy {
                tenant: call.tenant.uuid(),
                revision: 1,
                roles: vec![Role {
                    id: ROLE,
                    name: "sales".into(),
                    parents: vec![],
                }],
                grants: vec![Grant {
                    id: Uuid::from_u128(21),
                    role: ROLE,
                    permission: "customers:read".into(),
                    effect: Effect::Allow,
                    scope: DataScope::All,
                    condition: None,
                }],
                endpoint_rules: vec![],
            })
        })
        .on(|_, call: LoadSubject| async move {
            let assignments = vec![Assignment {
                role: ROLE,
                valid_from: None,
                valid_until: None,
            }];
            Ok(SubjectGrants {
                tenant: call.tenant.uuid(),
                user: call.user.uuid(),
                assignments: if call.user.uuid() == Uuid::from_u128(7) {
                    assignments
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
        .on(|_, _: DescribeSubject| async {
            Ok(SubjectDescription {
                roles: vec!["sales".into()],
                data_scope: "all".into(),
                branch_id: None,
                plan: "free".into(),
            })
        })
}

fn customer() -> Router {
    async fn echo(method: Method, headers: HeaderMap, uri: Uri, body: String) -> axum::Json<Value> {
        let headers: HashMap<String, String> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        axum::Json(
            json!({"method": method.as_str(), "uri": uri.to_string(), "headers": headers, "body": body}),
        )
    }
    Router::new()
        .route("/api/customers/{id}", get(echo))
        .route("/api/customers", post(echo))
        .route(
            "/api/me",
            get(
                |extract::Extension(context): extract::Extension<RequestContext>| async move {
                    context
                        .identity()
                        .map(|identity| identity.user.to_string())
                        .unwrap_or_default()
                },
            ),
        )
        .route("/public/hello", get(|| async { ([("server", "x")], "hello") }))
        .route("/public/echo", post(echo))
        .route("/public/panic", get(|| async { panic!("on purpose") as String }))
        .route(
            "/public/stream",
            get(|| async {
                Body::from_stream(futures::stream::iter(["abc", "def"].map(Ok::<_, Infallible>)))
            }),
        )
        .route("/api/slow", get(std::future::pending::<()>))
}

fn spec(name: &str, target: Target, paths: &[&str]) -> (Uuid, RouteSpec) {
    let spec = RouteSpec {
        name: name.into(),
        priority: 0,
        predicates: Predicates {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..Predicates::default()
        },
        target,
        strip_prefix: 0,
        rewrite: None,
        enabled: true,
    };
    (stoa_types::new_id(), spec)
}

async fn world(foreign: Option<String>, private_upstreams: bool) -> World {
    let clock = Clock::adjustable();
    let signer = Arc::new(Signer::new("a"));
    let key_loads = Arc::new(AtomicUsize::new(0));
    let (mesh, stop) = (
        Mesh::new(&["access", "identity", "customer"]),
        CancellationToken::new(),
    );
    let (keys, loads) = (signer.clone(), key_loads.clone());
    let identity = Calls::new().on(move |_, _: LoadVerificationKeys| {
        loads.fetch_add(1, Ordering::SeqCst);
        let jwks = keys.jwks();
        async move {
            Ok(VerificationKeys {
                issuer: ISSUER.into(),
                jwks,
            })
        }
    });
    let mut handlers = access().into_handlers();
    handlers.extend(identity.into_handlers());
    mesh.seal(Wiring {
        handlers,
        places: HashMap::from([("customer", Place::Local(customer()))]),
    });
    let decisions = Decisions::new(mesh.clone(), clock.clone());
    tokio::spawn(Follower::new(decisions.clone()).run(stop.clone()));
    let deadline = Instant::now() + Duration::from_secs(10);
    while decisions.staleness().is_none() {
        assert!(Instant::now() < deadline, "the replica never became fresh");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let live = Live::default();
    let service = |name: &str| Target::Service(name.into());
    let mut alias = spec("alias", service("customer"), &["/alias/{id}"]);
    alias.1.rewrite = Some("/api/customers/{id}".into());
    let mut own = vec![alias];
    if let Some(address) = foreign {
        own.push(spec(
            "foreign",
            Target::Url(format!("http://{address}")),
            &["/foreign/**"],
        ));
    }
    live.publish(Snapshot::default().with(Loaded {
        platform: Some(vec![
            spec("customer", service("customer"), &["/api/**", "/public/**"]),
            spec("away", service("away"), &["/api/away"]),
        ]),
        tenants: vec![(TenantId(TENANT), own)],
    }));
    let mut config = Config::default();
    config.server.max_body_bytes = 16;
    config.server.request_timeout_ms = 300;
    config.server.private_upstreams = private_upstreams;
    World {
        trace: Uuid::new_v4().simple().to_string(),
        now: clock.now().as_second(),
        router: Edge::new(live, mesh, decisions, clock, &config, &Value::Null).into_router(),
        signer,
        key_loads,
        stop,
    }
}

impl World {
    fn token(&self) -> String {
        self.signer.token(self.now, |_, _| {})
    }

    async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "stoa.example");
        }
        if !headers.iter().any(|(name, _)| *name == "traceparent") {
            request = request.header("traceparent", format!("00-{}-b7ad6b7169203331-01", self.trace));
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, target: &str, token: Option<&str>) -> (StatusCode, HeaderMap, Value) {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = authorization
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        open(self.send("GET", target, &headers, "").await).await
    }
}

async fn open(response: Response) -> (StatusCode, HeaderMap, Value) {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let value = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (parts.status, parts.headers, value)
}
