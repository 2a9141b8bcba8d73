//! Foreign servers behind tenants' routes.

use super::*;

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
