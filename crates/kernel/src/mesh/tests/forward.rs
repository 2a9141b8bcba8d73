//! Edge requests that the gateway forwards.

use super::support::{Callee, Wire, remote, tls};
use crate::mesh::certificates::generate_ca;
use crate::mesh::{Mesh, Remote};
use crate::request::{Identity, RequestContext};
use crate::{Clock, decisions::Decisions};
use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::time::Duration;
use stoa_types::{TenantId, UserId};
use tokio::time::Instant;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn context(identity: Option<Identity>, budget: Duration) -> RequestContext {
    let decisions = Decisions::new(Mesh::new(&[]), Clock::system());
    let deadline = Instant::now() + budget;
    RequestContext::new(
        identity,
        decisions,
        deadline,
        stoa_types::new_id(),
        TRACE.into(),
        None,
    )
}

fn long() -> RequestContext {
    context(None, Duration::from_secs(20))
}

fn with(context: RequestContext, request: http::request::Builder, body: Body) -> Request<Body> {
    request.extension(context).body(body).unwrap()
}

async fn text(body: Body) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

// covers: SC-01, GW-02
#[tokio::test]
async fn the_service_sees_the_verified_caller_and_no_header_that_the_client_forged() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let gateway = remote(&tls(&ca, &["gateway"]), callee.address);
    let identity = Identity {
        tenant: TenantId::new(),
        user: UserId::new(),
    };
    for (who, expected) in [
        (
            Some(identity),
            format!("user {}/{}", identity.tenant, identity.user),
        ),
        (None, "user anonymous".to_owned()),
    ] {
        let context = context(who, Duration::from_secs(20));
        let correlation = context.correlation();
        let request = Request::get("/api/who?a=%2F&b")
            .header("accept", "text/plain")
            .header("host", "evil.example")
            .header("connection", "x-secret, close")
            .header("x-secret", "1")
            .header("te", "trailers")
            .header("x-stoa-scope", "forged")
            .header("x-stoa-correlation", "forged")
            .header("x-stoa-anything", "forged")
            .header("x-user-id", "forged");
        let response = gateway
            .forward("organization", with(context, request, Body::empty()))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["x-trace-id"], TRACE);
        let seen = text(response.into_body()).await;
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(lines[0], "uri /api/who?a=%2F&b");
        assert_eq!(lines[1], expected);
        assert_eq!(lines[2], format!("trace {TRACE}"));
        assert_eq!(lines[3], format!("correlation {correlation}"));
        assert!(lines[4].contains("accept"), "{}", lines[4]);
        for gone in ["x-stoa", "x-user-id", "x-secret", "connection", "host", "te,"] {
            assert!(!lines[4].contains(gone), "{gone} in {}", lines[4]);
        }
    }
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let gateway = remote(&tls(&ca, &["gateway"]), callee.address);
    let (feed, chunks) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures::stream::unfold(chunks, |mut chunks| async move {
        chunks
            .recv()
            .await
            .map(|chunk| (Ok::<_, Infallible>(chunk), chunks))
    });
    let request = with(long(), Request::post("/api/echo"), Body::from_stream(stream));
    let response = gateway.forward("organization", request).await.unwrap();
    let mut body = response.into_body();
    // Each chunk comes back before the next one is sent: nothing is collected on the way.
    for n in 0..20_u8 {
        let chunk = Bytes::from(vec![n; 50_000]);
        feed.send(chunk.clone()).await.unwrap();
        let mut back = Vec::new();
        while back.len() < chunk.len() {
            back.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        assert_eq!(back, chunk);
    }
    drop(feed);
    assert!(
        body.frame()
            .await
            .is_none_or(|frame| frame.is_ok_and(|f| f.is_data()))
    );
}

#[tokio::test]
async fn refusals_of_the_router_are_problems_with_the_trace() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let gateway = remote(&tls(&ca, &["gateway"]), callee.address);
    let request = with(long(), Request::get("/api/nothing"), Body::empty());
    let response = gateway.forward("organization", request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(text(response.into_body()).await.contains(TRACE));
}

#[tokio::test]
async fn what_the_mesh_refuses_is_not_the_clients_fault() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let customer = remote(&tls(&ca, &["customer"]), callee.address);
    let request = with(long(), Request::get("/api/who"), Body::empty());
    let problem = customer.forward("organization", request).await.unwrap_err();
    assert_eq!((problem.status, &*problem.code), (503, "service.unavailable"));
}

#[tokio::test]
async fn a_read_is_repeated_over_a_new_connection_and_a_write_is_not() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let wire = Wire::to(callee.address).await;
    let tls = tls(&ca, &["gateway"]);
    let seen = &callee.seen;

    let gateway = remote(&tls, wire.address);
    let read = tokio::spawn(async move {
        let request = with(long(), Request::get("/api/wait"), Body::empty());
        gateway.forward("organization", request).await.map(|r| r.status())
    });
    seen.entered.notified().await;
    wire.cut();
    seen.entered.notified().await;
    seen.gate.send_replace(true);
    assert_eq!(read.await.unwrap().unwrap(), StatusCode::OK);
    assert_eq!(seen.calls(), 2);

    seen.gate.send_replace(false);
    let gateway = remote(&tls, wire.address);
    let write = tokio::spawn(async move {
        let request = with(long(), Request::post("/api/wait"), Body::from("x"));
        let lost = gateway.forward("organization", request).await;
        (gateway, lost.map(|r| r.status()))
    });
    seen.entered.notified().await;
    wire.cut();
    let (gateway, lost) = write.await.unwrap();
    assert_eq!(lost.unwrap_err().status, 503);
    seen.gate.send_replace(true);
    // The connection is not used again.
    let request = with(long(), Request::post("/api/wait"), Body::from("x"));
    assert_eq!(
        gateway.forward("organization", request).await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(seen.calls(), 4);
}

#[tokio::test]
async fn a_forwarded_request_ends_at_its_deadline() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let gateway = remote(&tls(&ca, &["gateway"]), callee.address);
    let start = Instant::now();
    let short = context(None, Duration::from_millis(200));
    let request = with(short, Request::get("/api/wait"), Body::empty());
    let problem = gateway.forward("organization", request).await.unwrap_err();
    assert_eq!((problem.status, &*problem.code), (504, "service.timeout"));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
