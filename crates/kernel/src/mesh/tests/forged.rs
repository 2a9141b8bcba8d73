//! Credentials that must not work, sent by a peer that otherwise belongs to the mesh.

use super::support::{Callee, tls};
use crate::Clock;
use crate::mesh::MeshTls;
use crate::mesh::certificates::generate_ca;
use crate::mesh::credential::{Claims, sign};
use crate::mesh::tls::server_name;
use crate::problem::Problem;
use crate::scope::Actor;
use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use stoa_types::{TenantId, UserId};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Sends a request over a fresh connection of `tls`; the status and the problem's detail.
async fn send(tls: &MeshTls, address: SocketAddr, request: Request<Body>) -> (StatusCode, String) {
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = server_name("organization").unwrap();
    let stream = TlsConnector::from(tls.client()).connect(name, tcp).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let detail = serde_json::from_slice::<Problem>(&body).map(|p| p.detail);
    (
        status,
        detail.unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned()),
    )
}

fn request(path: &str, scope: Option<HeaderValue>) -> Request<Body> {
    let builder = Request::post(format!("https://organization.stoa.internal{path}"))
        .header("x-stoa-deadline", "5000")
        .header("x-stoa-service", "organization")
        .header("x-stoa-correlation", stoa_types::new_id().to_string());
    let mut request = builder.body(Body::from(r#"{"text":"x"}"#)).unwrap();
    if let Some(scope) = scope {
        request.headers_mut().insert("x-stoa-scope", scope);
    }
    request
}

fn echo(scope: HeaderValue) -> Request<Body> {
    request("/rpc/organization.echo", Some(scope))
}

fn claims(actor: Option<Actor>) -> Claims {
    Claims {
        iss: "customer".into(),
        aud: "organization".into(),
        tenant: TenantId::new(),
        actor,
        exp: Clock::system().now().as_second() + 60,
    }
}

fn user() -> Option<Actor> {
    Some(Actor::User(UserId::new()))
}

fn system(name: &str) -> Option<Actor> {
    Some(Actor::System(name.into()))
}

// covers: SC-01
#[tokio::test]
async fn claims_that_the_peer_may_not_make_are_refused() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization", "search"])).await;
    let peer = tls(&ca, &["customer"]);
    let now = Clock::system().now().as_second();
    let edge = |claims: Claims| (claims, "/edge/api/who");
    let call = |claims: Claims| (claims, "/rpc/organization.echo");
    for ((claims, path), why) in [
        (
            call(Claims {
                iss: "gateway".into(),
                ..claims(user())
            }),
            "does not name gateway",
        ),
        (
            call(Claims {
                aud: "identity".into(),
                ..claims(user())
            }),
            "is for identity",
        ),
        // Here by the certificate, but this handler is another service's.
        (
            call(Claims {
                aud: "search".into(),
                ..claims(user())
            }),
            "is for search",
        ),
        (
            call(Claims {
                exp: now - 6,
                ..claims(user())
            }),
            "expired",
        ),
        (
            call(Claims {
                exp: now + 3600,
                ..claims(user())
            }),
            "expired",
        ),
        (
            call(claims(system("identity.login"))),
            "may not act as identity.login",
        ),
        (
            call(claims(system("platform.demo"))),
            "may not act as platform.demo",
        ),
        (call(claims(system("customer"))), "may not act as customer"),
        (call(claims(None)), "anonymous"),
        (edge(claims(user())), "only the gateway"),
        (edge(claims(None)), "anonymous"),
        (
            edge(Claims {
                iss: "gateway".into(),
                ..claims(user())
            }),
            "does not name gateway",
        ),
    ] {
        let header = sign(&peer, &claims).unwrap();
        let (status, detail) = send(&peer, callee.address, request(path, Some(header))).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{claims:?}: {detail}");
        assert!(detail.contains(why), "{detail:?} should say {why:?}");
    }
    assert_eq!(callee.seen.calls(), 0);

    for claims in [
        claims(user()),
        claims(system("customer.import")),
        claims(system("kernel.decisions")),
    ] {
        let (status, detail) = send(&peer, callee.address, echo(sign(&peer, &claims).unwrap())).await;
        assert_eq!(status, StatusCode::OK, "{detail}");
    }
}

// covers: SC-01
#[tokio::test]
async fn the_gateway_forwards_users_and_nobody_but_users() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let gateway = tls(&ca, &["gateway"]);
    for (actor, expected) in [
        (user(), StatusCode::METHOD_NOT_ALLOWED),
        (None, StatusCode::METHOD_NOT_ALLOWED),
        (system("gateway.x"), StatusCode::UNAUTHORIZED),
    ] {
        let claims = Claims {
            iss: "gateway".into(),
            ..claims(actor)
        };
        let header = sign(&gateway, &claims).unwrap();
        // The path answers GET only: a 405 is the service's own.
        let (status, detail) = send(&gateway, callee.address, request("/edge/api/who", Some(header))).await;
        assert_eq!(status, expected, "{claims:?}: {detail}");
    }
    let anonymous = Claims {
        iss: "gateway".into(),
        ..claims(None)
    };
    let (status, detail) = send(
        &gateway,
        callee.address,
        echo(sign(&gateway, &anonymous).unwrap()),
    )
    .await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{detail}");
}

// covers: SC-01
#[tokio::test]
async fn a_header_that_leaked_is_of_no_use_to_another_peer() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    // Two replicas of one service: same names, but each has its own key.
    let (owner, thief) = (tls(&ca, &["customer"]), tls(&ca, &["customer"]));
    let header = sign(&owner, &claims(user())).unwrap();
    assert_eq!(
        send(&owner, callee.address, echo(header.clone())).await.0,
        StatusCode::OK
    );
    let (status, detail) = send(&thief, callee.address, echo(header)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(detail.contains("not signed by the peer"), "{detail}");
    assert_eq!(callee.seen.calls(), 1);
}

// covers: SC-01
#[tokio::test]
async fn a_changed_missing_or_foreign_credential_is_refused() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let peer = tls(&ca, &["customer"]);
    let good = sign(&peer, &claims(user())).unwrap();
    let other = sign(&peer, &claims(user())).unwrap();
    // The claims of one under the signature of the other.
    let claims_part = good.to_str().unwrap().split('.').next().unwrap();
    let signature = other.to_str().unwrap().split('.').next_back().unwrap();
    let mixed = HeaderValue::from_str(&format!("{claims_part}.{signature}")).unwrap();
    let path = "/rpc/organization.echo";
    let mut external = request(path, Some(good.clone()));
    external.headers_mut().insert(
        HeaderName::from_static("x-stoa-context"),
        HeaderValue::from_static("eyJ"),
    );
    for request in [
        request(path, Some(mixed)),
        request(path, None),
        request(path, Some(HeaderValue::from_static("eyJhbGciOiJub25lIn0.e30."))),
        external,
    ] {
        let (status, detail) = send(&peer, callee.address, request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{detail}");
    }
    let elsewhere = request("/rpc/customer.x", Some(good.clone()));
    assert_eq!(
        send(&peer, callee.address, elsewhere).await.0,
        StatusCode::MISDIRECTED_REQUEST
    );
    let mut hasty = echo(good);
    hasty.headers_mut().remove("x-stoa-deadline");
    assert_eq!(
        send(&peer, callee.address, hasty).await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(callee.seen.calls(), 0);
}
