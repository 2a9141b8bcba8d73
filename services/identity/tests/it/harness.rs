//! The identity service on a database of its own, beside an access service that answers from memory.

use crate::browser::Browser;
use axum::body::Body;
use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use std::time::Duration;
use stoa_contracts::access::{DescribeSubject, SubjectDescription};
use stoa_contracts::identity::CreateUser;
use stoa_kernel::allowed::SignedIn;
use stoa_kernel::config::Config;
use stoa_kernel::mesh::Calls;
use stoa_kernel::request::{Identity, RequestContext};
use stoa_kernel::{Clock, Mesh, Problem, Scope, SystemScope};
use stoa_testkit::postgres::TestDatabase;
use stoa_testkit::service::{self, Policies, Process, Setup, until};
use stoa_types::{TenantId, UserId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// Seeds and asks as the platform does.
pub(crate) const TEST: SystemScope = SystemScope::named("platform.demo");
pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:4711/callback";
pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

/// A started service.
pub(crate) struct Fixture {
    pub(crate) mesh: Mesh,
    pub(crate) clock: Clock,
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) database: TestDatabase,
    process: Process,
    /// Further processes, which live as long.
    others: Mutex<Vec<Process>>,
}

/// The service with one user, `EMAIL`.
pub(crate) async fn start() -> Fixture {
    let database = service::clone_of(stoa_identity::service, service::catalogue).await;
    let process = process(&database).await;
    let fixture = Fixture {
        mesh: process.context.mesh.clone(),
        clock: process.context.clock.clone(),
        tenant: TenantId::new(),
        user: UserId::new(),
        database,
        process,
        others: Mutex::default(),
    };
    fixture.create_user(fixture.user, EMAIL).await.unwrap();
    fixture
}

/// The mesh of another process on the same database.
pub(crate) async fn second_process(fixture: &Fixture) -> Mesh {
    let process = process(&fixture.database).await;
    let mesh = process.context.mesh.clone();
    fixture.others.lock().unwrap().push(process);
    mesh
}

async fn process(database: &TestDatabase) -> Process {
    let mut config = Config::default();
    config.server.public_url = ISSUER.to_owned();
    // The least that Argon2 takes: these tests are about what happens around it.
    config.identity.hash_memory_kib = 8;
    let setup = Setup {
        others: vec![Policies::default().calls(), access()],
        config,
        run_tasks: false,
        ..Setup::of(stoa_identity::service)
    };
    Process::start(database, setup).await
}

fn access() -> Calls {
    Calls::new().on(|_, call: DescribeSubject| async move {
        let _ = call.user;
        Ok(SubjectDescription {
            roles: vec!["manager".into()],
            data_scope: "branch".into(),
            branch_id: Some(Uuid::nil().into()),
            plan: "premium".into(),
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

    pub(crate) async fn send(&self, request: Request<Body>, identity: Option<Identity>) -> Answer {
        let answer = self.process.send(identity, request).await;
        Answer {
            status: StatusCode::from_u16(answer.status).unwrap(),
            headers: answer.headers,
            text: answer.text,
        }
    }

    /// The scope of a request of a user of the tenant.
    pub(crate) async fn scope_of(&self, user: UserId) -> Scope {
        let identity = Identity {
            tenant: self.tenant,
            user,
        };
        let context = RequestContext::new(
            Some(identity),
            self.process.context.decisions.clone(),
            Instant::now() + BUDGET,
            stoa_types::new_id(),
            "0".repeat(32).into(),
            None,
        );
        let request = Request::builder().extension(context).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, &()).await;
        signed_in.unwrap().scope
    }

    /// One round of the service's maintenance.
    pub(crate) async fn maintain(&self) {
        let stopped = CancellationToken::new();
        stopped.cancel();
        for task in &self.process.tasks {
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
        let decisions = &self.process.context.decisions;
        until("the policies are followed", async || {
            decisions.staleness().is_some()
        })
        .await;
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
