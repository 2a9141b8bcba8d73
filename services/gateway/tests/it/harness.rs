//! The gateway as one or more processes on a real PostgreSQL, with the access and identity services as stubs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::KeyPair as _;
use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::sync::LazyLock;
use stoa_contracts::identity::{LoadVerificationKeys, VerificationKeys};
use stoa_kernel::Clock;
use stoa_kernel::mesh::Calls;
use stoa_kernel::service::Catalogue;
use stoa_policy::{Assignment, DataScope, Effect, EndpointRule, Grant, Requirement, Role, SubjectGrants};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_testkit::service::{self, Policies, Setup, role_id};
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

pub(crate) use stoa_testkit::service::{Answer, until};

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
    let mut catalogue = service::catalogue(&stoa_gateway::service());
    catalogue.paths.push(("/api/customers", "customer"));
    catalogue
}

/// Migrates and seeds as the superuser.
pub(crate) async fn migrate(database: &postgres::Database, catalogue: &Catalogue) -> anyhow::Result<()> {
    service::migrate(database, &stoa_gateway::service(), catalogue).await
}

pub(crate) async fn database() -> TestDatabase {
    service::clone_of(stoa_gateway::service, |_| catalogue()).await
}

/// One process with a gateway and a customer service that answers with the path it was asked for.
pub(crate) struct Process {
    edge: Router,
    _process: service::Process,
}

impl Process {
    pub(crate) async fn start(database: &TestDatabase) -> Self {
        let echo = |uri: Uri| async move { uri.to_string() };
        let customer = Router::new().route("/api/customers/{id}", get(echo));
        let setup = Setup {
            others: vec![policies().calls(), keys()],
            places: vec![("customer", customer)],
            catalogue: catalogue(),
            openapi: json!({"openapi": "3.1.0", "info": {"title": "Stoa", "version": "1"}}),
            clock: Clock::system(),
            run_tasks: false,
            ..Setup::of(stoa_gateway::service)
        };
        let process = service::Process::start(database, setup).await;
        let process = Self {
            edge: stoa_gateway::edge(&process.context),
            _process: process,
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
        let bearer = caller.map(|(tenant, user)| format!("Bearer {}", token(tenant, user)));
        let mut all = vec![("host", "stoa.example")];
        all.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        all.extend(headers);
        let request = service::request(&method.parse().unwrap(), path, &all, body.as_ref());
        service::exchange(&self.edge, request).await
    }
}

fn keys() -> Calls {
    Calls::new().on(|_, _: LoadVerificationKeys| async {
        Ok(VerificationKeys {
            issuer: ISSUER.into(),
            jwks: KEY.1.clone(),
        })
    })
}

/// Whoever is signed in may see customers and the shop; operators may do everything with routes.
fn policies() -> Policies {
    let policies = Policies::default();
    let mut rules = catalogue().endpoint_rules;
    for (id, pattern) in [(1, "/api/customers/{id}"), (2, "/shop/**")] {
        rules.push(EndpointRule {
            id: Uuid::from_u128(id),
            pattern: pattern.into(),
            methods: vec!["GET".into()],
            requirement: Requirement::Authenticated,
        });
    }
    policies.set_rules(rules);
    let operator = role_id("operator");
    for tenant in [TENANT, OTHER_TENANT].map(TenantId) {
        policies.change(tenant, |policy| {
            policy.roles.push(Role {
                id: operator,
                name: "operator".into(),
                parents: vec![],
            });
            policy.grants.push(Grant {
                id: Uuid::from_u128(21),
                role: operator,
                permission: "routes:*".into(),
                effect: Effect::Allow,
                scope: DataScope::All,
                condition: None,
            });
        });
        let assignments = vec![Assignment {
            role: operator,
            valid_from: None,
            valid_until: None,
        }];
        let grants = SubjectGrants {
            assignments,
            ..SubjectGrants::default()
        };
        policies.grant(tenant, UserId(ADMIN), grants);
    }
    policies
}
