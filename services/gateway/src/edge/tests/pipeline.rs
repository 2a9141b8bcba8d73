//! Who gets through, and what is said to whom does not.

use super::*;

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
