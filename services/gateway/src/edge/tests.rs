//! The whole pipeline, with the access and identity services as stubs and no database.

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
        router: Edge::new(live, mesh, decisions, clock, &config).into_router(),
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

// covers: GW-02
// covers: GW-03
#[tokio::test]
async fn who_may_call_what() {
    let world = world(None, false).await;
    let token = world.token();
    let nobody = world
        .signer
        .token(world.now, |_, claims| claims["sub"] = json!(Uuid::from_u128(70)));
    for (target, token, expected) in [
        ("/public/hello", None, 200),
        ("/public/hello", Some(&token), 200),
        ("/api/me", None, 401),
        ("/api/me", Some(&nobody), 200),
        ("/api/customers/1", None, 401),
        ("/api/customers/1", Some(&nobody), 403),
        ("/api/customers/1", Some(&token), 200),
        ("/api/c%75stomers/1", Some(&token), 200),
        ("/api/without/rule", Some(&token), 403),
        ("/api/without/rule", None, 401),
        ("/nowhere", Some(&token), 404),
        ("/nowhere", None, 404),
        ("/api/%2e%2e/api/customers/1", Some(&token), 400),
    ] {
        let (status, headers, _) = world.get(target, token.map(String::as_str)).await;
        assert_eq!(status.as_u16(), expected, "{target} {token:?}");
        assert_eq!(headers["x-trace-id"].len(), 32);
        assert!(headers.contains_key("x-request-id"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(!headers.contains_key("server"), "{target}");
    }
    let (_, headers, _) = world.get("/api/me", Some(&token)).await;
    assert_eq!(headers["cache-control"], "no-store");
}

// covers: GW-02
// covers: GW-23
#[tokio::test]
async fn a_bad_token_is_told_what_is_wrong_and_does_not_bar_public_endpoints() {
    let world = world(None, false).await;
    let expired = world.signer.token(world.now - 400, |_, _| {});
    let (status, headers, problem) = world.get("/api/me", Some(&expired)).await;
    assert_eq!(status, 401);
    assert_eq!(
        headers["www-authenticate"],
        "Bearer error=\"invalid_token\", error_description=\"the token has expired; refresh it\""
    );
    assert_eq!(problem["code"], "auth.unauthenticated");
    assert_eq!(problem["detail"], "the token has expired; refresh it");
    assert_eq!(problem["traceId"], headers["x-trace-id"].to_str().unwrap());
    assert_eq!(world.get("/public/hello", Some(&expired)).await.0, 200);
    assert_eq!(world.get("/api/me", None).await.1["www-authenticate"], "Bearer");
}

// covers: GW-02
#[tokio::test]
async fn keys_are_loaded_once_and_an_unknown_kid_does_not_hammer_the_issuer() {
    let world = world(None, false).await;
    let token = world.token();
    assert_eq!(world.get("/api/me", Some(&token)).await.0, 200);
    let unknown = world
        .signer
        .token(world.now, |header, _| header["kid"] = json!("zz"));
    for _ in 0..5 {
        assert_eq!(world.get("/api/me", Some(&unknown)).await.0, 401);
        assert_eq!(world.get("/api/me", Some(&token)).await.0, 200);
    }
    assert_eq!(
        world.key_loads.load(Ordering::SeqCst),
        1,
        "the first load was less than 5 s ago"
    );
}

// covers: GW-02
#[tokio::test]
async fn identity_headers_of_the_client_reach_no_service() {
    let world = world(None, false).await;
    let bearer = format!("Bearer {}", world.token());
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-user-id", "root"),
        ("X-Stoa-Scope", "all"),
        ("accept", "*/*"),
    ];
    let (_, _, seen) = open(world.send("GET", "/api/customers/1?q=%2F", &headers, "").await).await;
    assert_eq!(seen["uri"], "/api/customers/1?q=%2F");
    let names: Vec<_> = seen["headers"].as_object().unwrap().keys().cloned().collect();
    assert!(!names.iter().any(|name| name.starts_with("x-")), "{names:?}");
}

// covers: GW-03
#[tokio::test]
async fn a_renamed_endpoint_keeps_its_own_rule() {
    let world = world(None, false).await;
    let (status, _, seen) = world.get("/alias/7", Some(&world.token())).await;
    assert_eq!(
        (status.as_u16(), seen["uri"].as_str()),
        (200, Some("/api/customers/7"))
    );
    let nobody = world
        .signer
        .token(world.now, |_, claims| claims["sub"] = json!(Uuid::from_u128(70)));
    let (status, _, problem) = world.get("/alias/7", Some(&nobody)).await;
    assert_eq!(status, 403, "{problem}");
    let stranger = world.signer.token(world.now, |_, claims| {
        claims["tenantId"] = json!(Uuid::from_u128(80))
    });
    assert_eq!(
        world.get("/alias/7", Some(&stranger)).await.0,
        404,
        "another tenant's route"
    );
}

// covers: GW-08
#[tokio::test]
async fn a_slow_endpoint_a_missing_service_and_a_large_body_are_problems() {
    let world = world(None, false).await;
    let (status, _, problem) = world.get("/api/slow", None).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (504, Some("service.timeout"))
    );
    let (status, _, problem) = world.get("/api/away", None).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (503, Some("service.unavailable"))
    );
    let (status, _, echoed) = open(world.send("POST", "/public/echo", &[], "0123456789abcdef").await).await;
    assert_eq!(
        (status.as_u16(), echoed["body"].as_str()),
        (200, Some("0123456789abcdef"))
    );
    let (status, _, problem) = open(world.send("POST", "/public/echo", &[], "0123456789abcdef+").await).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (413, Some("request.too_large"))
    );
}

// covers: AP-03
#[tokio::test]
async fn a_request_id_and_a_trace_are_carried_on() {
    let world = world(None, false).await;
    let headers = [
        ("x-request-id", "client-7"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let response = world.send("GET", "/nowhere", &headers, "").await;
    assert_eq!(response.headers()["x-request-id"], "client-7");
    assert_eq!(
        response.headers()["x-trace-id"],
        "0af7651916cd43dd8448eb211c80319c"
    );
}

/// A foreign server that answers with the headers it saw.
async fn foreign_server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route(
            "/foreign/set",
            get(|| async { ([("set-cookie", "a=b"), ("server", "evil")], "x") }),
        )
        .merge(Router::new().route(
            "/foreign/see",
            get(|uri: Uri, headers: HeaderMap| async move {
                let seen: HashMap<String, String> = headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                    .collect();
                axum::Json(json!({"uri": uri.to_string(), "headers": seen}))
            }),
        ));
    tokio::spawn(stoa_kernel::http::serve(
        listener,
        router,
        stoa_kernel::http::ServeOptions::default(),
        CancellationToken::new(),
    ));
    address
}

// covers: GW-02
#[tokio::test]
async fn a_foreign_server_learns_who_calls_but_not_the_token() {
    let address = foreign_server().await;
    let world = world(Some(address.to_string()), true).await;
    let bearer = format!("Bearer {}", world.token());
    let sent = [
        ("authorization", bearer.as_str()),
        ("host", "stoa.example"),
        ("cookie", "session=1"),
        ("x-roles", "admin"),
        ("x_tenant_id", "forged"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("x-request-id", "r-1"),
    ];
    let (status, _, seen) = open(world.send("GET", "/foreign/see?a=1", &sent, "").await).await;
    assert_eq!(status, 200, "{seen}");
    assert_eq!(seen["uri"], "/foreign/see?a=1");
    let headers = seen["headers"].as_object().unwrap();
    assert_eq!(headers["x-user-id"], Uuid::from_u128(7).to_string());
    assert_eq!(headers["x-tenant-id"], TENANT.to_string());
    assert_eq!(headers["x-roles"], "sales");
    assert_eq!(headers["x-data-scope"], "all");
    assert_eq!(headers["x-request-id"], "r-1");
    assert_eq!(headers["x-forwarded-host"], "stoa.example");
    assert_eq!(headers["host"], address.to_string());
    for secret in ["authorization", "cookie", "x_tenant_id", "x-hop"] {
        assert!(!headers.contains_key(secret), "{secret}");
    }
    let (status, headers, _) = open(world.send("GET", "/foreign/set", &sent, "").await).await;
    assert_eq!(status, 200);
    assert!(!headers.contains_key("set-cookie") && !headers.contains_key("server"));
}

// covers: GW-01
#[tokio::test]
async fn addresses_inside_the_network_are_not_reached_by_number_or_name() {
    let address = foreign_server().await;
    let by_number = world(Some(address.to_string()), false).await;
    let (status, _, problem) = by_number.get("/foreign/see", Some(&by_number.token())).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (502, Some("service.bad_gateway"))
    );
    let by_name = world(Some(format!("localhost:{}", address.port())), false).await;
    let (status, _, _) = by_name.get("/foreign/see", Some(&by_name.token())).await;
    assert_eq!(status, 503);
}

/// What the request log said, one entry per event.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<HashMap<String, String>>>>);

struct Fields<'a>(&'a mut HashMap<String, String>);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(
            field.name().to_owned(),
            format!("{value:?}").trim_matches('"').to_owned(),
        );
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if event.metadata().target() == "stoa::request" {
            let mut fields = HashMap::new();
            event.record(&mut Fields(&mut fields));
            self.0.lock().unwrap().push(fields);
        }
    }
}

impl Log {
    /// The log of this process: a subscriber of one thread would miss what other tests' threads switched off.
    fn install() -> &'static Self {
        use tracing_subscriber::layer::SubscriberExt;
        static LOG: std::sync::LazyLock<Log> = std::sync::LazyLock::new(|| {
            let log = Log::default();
            tracing::subscriber::set_global_default(tracing_subscriber::registry().with(log.clone()))
                .unwrap();
            log
        });
        &LOG
    }

    fn take(&self, world: &World) -> Vec<HashMap<String, String>> {
        let mut all = self.0.lock().unwrap();
        all.extract_if(.., |record| record["trace_id"] == world.trace)
            .collect()
    }
}

// covers: GW-23
// covers: OB-04
#[tokio::test]
async fn every_request_has_exactly_one_record_that_says_why() {
    let log = Log::install();
    let world = world(None, false).await;
    let token = world.token();
    let one = |log: &Log| {
        let mut records = log.take(&world);
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    };

    let (_, headers, _) = world.get("/api/customers/7?secret=1", Some(&token)).await;
    let record = one(log);
    for (field, expected) in [
        ("method", "GET"),
        ("path", "/api/customers/7"),
        ("status", "200"),
        ("trace_id", headers["x-trace-id"].to_str().unwrap()),
        ("tenant_id", &TENANT.to_string()),
        ("user_id", &Uuid::from_u128(7).to_string()),
        ("route", "customer"),
        ("rule", "/api/customers/{id}"),
        ("decision", "allowed"),
        ("upstream", "customer"),
        ("reason", "ok"),
    ] {
        assert_eq!(record[field], expected, "{field}");
    }
    assert!(record["bytes"].parse::<u64>().unwrap() > 0);
    assert!(!format!("{record:?}").contains("secret"), "no query");

    for (target, token, status, decision, reason) in [
        ("/nowhere", Some(&token), "404", "none", "route.none"),
        ("/api/without/rule", Some(&token), "403", "refused", "rule.none"),
        ("/api/me", None, "401", "refused", "token.none"),
        ("/api//x", None, "400", "none", "path.empty_segment"),
        ("/api/slow", None, "504", "public", "timeout"),
        ("/api/away", None, "503", "public", "upstream.unknown"),
    ] {
        world.get(target, token.map(String::as_str)).await;
        let record = one(log);
        let found = [&record["status"], &record["decision"], &record["reason"]];
        assert_eq!(found, [status, decision, reason], "{target}");
    }

    let hung_up = world.get("/api/slow", None);
    assert!(
        tokio::time::timeout(Duration::from_millis(20), hung_up)
            .await
            .is_err()
    );
    let record = one(log);
    assert_eq!([&record["status"], &record["reason"]], ["499", "client.closed"]);

    let response = world.send("GET", "/public/stream", &[], "").await;
    assert!(log.take(&world).is_empty(), "not before the body's end");
    open(response).await;
    let record = one(log);
    assert_eq!([&record["bytes"], &record["reason"]], ["6", "ok"]);
    drop(world.send("GET", "/public/stream", &[], "").await);
    assert_eq!(one(log)["reason"], "client.closed");
}

// covers: GW-01
#[tokio::test]
async fn a_foreign_server_that_is_down_is_a_503() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = world(Some(address.to_string()), true).await;
    let (status, _, problem) = world.get("/foreign/see", Some(&world.token())).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (503, Some("service.unavailable"))
    );
}
