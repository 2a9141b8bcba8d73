//! What every endpoint has in common: how bad requests are refused, lists, versions, and commands that are safe to
//! repeat.

mod idempotency;
mod lists;
mod versions;

use crate::api::{Answer, Api, send};
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asserts 422 about one field or parameter.
pub fn assert_invalid(answer: &Answer, pointer: &str, rule: &str) {
    answer.assert_problem(422, "request.invalid");
    let errors = answer.body["errors"].as_array().expect("errors");
    let named = errors
        .iter()
        .any(|e| e["pointer"] == pointer && e["rule"] == rule && e["detail"].is_string());
    assert!(named, "{pointer} {rule}: {answer:?}");
}

/// Sends a request exactly as written, which URL libraries would tidy up, and reads status and body.
async fn raw(platform: &Platform, head: &str, token: &str, body: &str) -> (u16, Value) {
    let address = platform.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let text = format!(
        "{head}\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.expect("send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| panic!("{head}: {answer}"));
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

journeys! {
    // covers: AP-03, GW-03, GW-25
    async fn bad_requests_are_named(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        bodies(&alice).await;
        sizes(platform, &alice).await;
        paths(platform, &alice).await;
    }

    // covers: AP-03
    async fn every_answer_can_be_traced(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for path in [
            "/api/customers",
            "/api/customers/nothing",
            "/nowhere",
            "/docs",
            "/api/customers?limit=0",
        ] {
            let plain = alice.get(path).await;
            assert_eq!(plain.header("x-trace-id").len(), 32, "{path}");
            assert!(!plain.header("x-request-id").is_empty(), "{path}");
            assert_eq!(plain.header("x-content-type-options"), "nosniff", "{path}");
            assert!(plain.headers.get("server").is_none(), "{path}");
            let request = alice.request(Method::GET, path);
            let named = send(
                request
                    .header("x-request-id", "mine-1")
                    .header("traceparent", parent),
            )
            .await;
            assert_eq!(named.header("x-request-id"), "mine-1", "{path}");
            assert_eq!(
                named.header("x-trace-id"),
                "0af7651916cd43dd8448eb211c80319c",
                "{path}"
            );
            if named.status >= 400 {
                assert_eq!(
                    named.body["traceId"], "0af7651916cd43dd8448eb211c80319c",
                    "{path}"
                );
            }
        }
        let forged = send(
            alice
                .request(Method::GET, "/api/customers")
                .header("x-request-id", "a b"),
        )
        .await;
        assert!(!forged.header("x-request-id").contains(' '));
        let anonymous = send(platform.http.get(platform.at("/api/customers"))).await;
        anonymous.assert_problem(401, "auth.unauthenticated");
        assert_eq!(anonymous.header("x-trace-id"), anonymous.body["traceId"]);

        // What only the edge may say is not taken from a client.
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let claims = admin.tokens.claims().unwrap();
        let request = alice.request(Method::GET, "/api/customers/stats");
        let request = request
            .header("x-user-id", claims["sub"].as_str().unwrap())
            .header("x-data-scope", "all");
        assert_eq!(send(request.header("x-roles", "admin")).await.body["total"], 43);
    }
}

async fn bodies(alice: &Api) {
    let path = "/api/customers";
    let text = async |body: &str, content_type: &str| {
        send(
            alice
                .request(Method::POST, path)
                .header("content-type", content_type)
                .body(body.to_owned()),
        )
        .await
    };
    let json_type = "application/json";
    for broken in ["", "{", "{\"name\": }", "name=x", "{\"name\":\"x\"} trailing"] {
        text(broken, json_type)
            .await
            .assert_problem(400, "request.malformed_json");
    }
    for other in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
    ] {
        text("{\"name\":\"Initech\"}", other)
            .await
            .assert_problem(415, "request.media_type");
    }
    let bare = send(alice.request(Method::POST, path).body("{\"name\":\"Initech\"}")).await;
    bare.assert_problem(415, "request.media_type");
    assert_eq!(
        text("{\"name\":\"Charset Ltd\"}", "application/json; charset=utf-8")
            .await
            .status,
        201
    );

    for (body, pointer, rule) in [
        (json!({}), "/name", "required"),
        (json!([]), "", "type"),
        (json!({ "name": 7 }), "/name", "type"),
        (
            json!({ "name": "Initech", "colour": "red" }),
            "/colour",
            "unknown",
        ),
        (
            json!({ "name": "Initech", "revenueMinor": "1" }),
            "/revenueMinor",
            "type",
        ),
        (
            json!({ "name": "Initech", "revenueMinor": 1.5 }),
            "/revenueMinor",
            "type",
        ),
        (
            json!({ "name": "Initech", "revenueMinor": -1 }),
            "/revenueMinor",
            "range",
        ),
        (
            json!({ "name": "Initech", "employees": 9_007_199_254_740_992_i64 }),
            "/employees",
            "range",
        ),
        (json!({ "name": "Initech", "status": "happy" }), "/status", "type"),
        (json!({ "name": "Initech", "branchId": "x" }), "/branchId", "type"),
        (json!({ "name": "I" }), "/name", "length"),
        (json!({ "name": "é".repeat(201) }), "/name", "length"),
        (json!({ "name": "a\u{0}b" }), "/name", "format"),
        (
            json!({ "name": "Initech", "email": "nobody" }),
            "/email",
            "format",
        ),
        (json!({ "name": "Initech", "phone": "+0123" }), "/phone", "format"),
        (
            json!({ "name": "Initech", "branchId": uuid::Uuid::new_v4() }),
            "/branchId",
            "unknown",
        ),
    ] {
        let answer = alice.post(path, &body).await;
        if pointer == "/branchId" && answer.status == 403 {
            // A branch that is not the caller's is refused before it is looked for.
            continue;
        }
        assert_invalid(&answer, pointer, rule);
    }
    let all = alice
        .post(path, &json!({ "name": "I", "email": "x", "phone": "y" }))
        .await;
    assert_eq!(
        all.body["errors"].as_array().map(Vec::len),
        Some(3),
        "all of it at once: {all:?}"
    );
    assert_eq!(
        alice.post(path, &json!({ "name": "é".repeat(200) })).await.status,
        201,
        "characters, not bytes"
    );
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    let deep = text(&deep, json_type).await;
    assert!(matches!(deep.status, 400 | 422), "{deep:?}");
}

async fn sizes(platform: &Platform, alice: &Api) {
    let body = format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20));
    let large = alice
        .request(Method::POST, "/api/customers")
        .header("content-type", "application/json");
    send(large.body(body.clone()))
        .await
        .assert_problem(413, "request.too_large");
    // Of unknown length: what passes the limit is cut off there.
    let head = "POST /api/customers HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
    let piece = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let (status, problem) = raw(platform, head, &alice.tokens.access, &piece).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (413, Some("request.too_large")),
        "{problem}"
    );

    let header = send(
        alice
            .request(Method::GET, "/api/customers")
            .header("x-large", "x".repeat(33 << 10)),
    )
    .await;
    header.assert_problem(431, "request.headers_too_large");
    let path = alice.get(&format!("/api/{}", "x".repeat(4097))).await;
    path.assert_problem(414, "request.path_too_long");
    let query = alice
        .get(&format!("/api/customers?search={}", "x".repeat(9 << 10)))
        .await;
    query.assert_problem(414, "request.query_too_long");
    let twice = alice
        .request(Method::GET, "/api/customers")
        .header("authorization", "Bearer x");
    send(twice).await.assert_problem(400, "request.headers");
    assert_eq!(
        send(platform.http.get(platform.at("/docs"))).await.status,
        200,
        "the platform is well"
    );
}

async fn paths(platform: &Platform, alice: &Api) {
    for path in [
        "/api/../docs",
        "/api/%2e%2e/docs",
        "/api//customers",
        "/api/customers%2fstats",
        "/api/customers%5cstats",
        "/api/customers/%00",
        "/api/customers/%zz",
        "/api/customers/%c0%af",
        "/api/%252e%252e/docs",
    ] {
        let (status, body) = raw(
            platform,
            &format!("GET {path} HTTP/1.1"),
            &alice.tokens.access,
            "",
        )
        .await;
        assert_eq!(
            (status, body["code"].as_str()),
            (400, Some("request.path")),
            "{path}: {body}"
        );
    }
    let spelled = raw(
        platform,
        "GET /api/%63ustomers/stats HTTP/1.1",
        &alice.tokens.access,
        "",
    )
    .await;
    assert_eq!(spelled.0, 200, "one path, however it is spelled");

    for path in [
        "/nowhere",
        "/api",
        "/api/nothing",
        "/api/customersx",
        "/API/customers",
    ] {
        let answer = alice.get(path).await;
        assert!(matches!(answer.status, 403 | 404), "{path}: {answer:?}");
    }
    alice
        .get("/nowhere")
        .await
        .assert_problem(404, "request.not_found");
    for id in ["1", "00000000-0000-0000-0000-000000000000", "%20", "'or'1'='1"] {
        alice
            .get(&format!("/api/customers/{id}"))
            .await
            .assert_problem(404, "request.not_found");
    }

    // Who may do everything learns that the method is wrong; who may not call what has no rule learns no more.
    let admin = Api::sign_in(platform, "admin@acme.test").await;
    for (method, path) in [
        (Method::DELETE, "/api/customers"),
        (Method::PATCH, "/docs"),
        (Method::PUT, "/api/customers/stats"),
    ] {
        let answer = send(admin.request(method.clone(), path)).await;
        answer.assert_problem(405, "request.method_not_allowed");
        let allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        assert!(
            allow.contains(&"GET") && !allow.contains(&method.as_str()),
            "{method} {path}: Allow is {allow:?}"
        );
    }
    let head = send(alice.request(Method::HEAD, "/api/customers")).await;
    assert_eq!((head.status, head.body.as_str()), (200, Some("")));
}
