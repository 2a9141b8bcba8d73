//! What the platform tells its operators: logs and metrics. And what it must not tell.

use crate::api::Api;
use crate::journey::eventually;
use reqwest::redirect;
use serde_json::{Value, json};
use std::time::Duration;
use stoa_e2e::journeys;
use stoa_testkit::oidc::{self, Form, REDIRECT};
use stoa_testkit::platform::Platform;

const PASSWORD: &str = "stoa-demo-2026";

journeys! {
    // covers: OB-04
    async fn a_request_has_one_line_and_no_secret_is_in_any(platform: &mut Platform) {
        let mut secrets = vec![PASSWORD.to_owned(), "test-stoa_".to_owned()];
        secrets.extend(cookies_of_a_sign_in(platform, "bob@acme.test").await);
        let code = oidc::authorize(platform, "alice@acme.test", PASSWORD).await.unwrap();
        let tokens = oidc::redeem(platform, &code).await.unwrap();
        secrets.extend([code.code, code.verifier, signature(&tokens.access), tokens.refresh.clone().unwrap()]);
        secrets.push(signature(tokens.id.as_ref().unwrap()));
        let refresh = [("grant_type", "refresh_token"), ("client_id", "stoa-cli"),
                       ("refresh_token", tokens.refresh.as_deref().unwrap())];
        let (status, refreshed) = oidc::token(platform, &refresh).await.unwrap();
        assert_eq!(status, 200, "{refreshed}");
        secrets.push(refreshed["refresh_token"].as_str().unwrap().to_owned());
        oidc::authorize(platform, "alice@acme.test", "not-the-password").await.err().expect("refused");
        secrets.push("not-the-password".to_owned());
        let replayed = platform.http.get(platform.at("/api/customers?access_token=query-secret")).send().await.unwrap();
        assert_eq!(replayed.status(), 401);
        secrets.push("query-secret".to_owned());

        let alice = Api::sign_in(platform, "alice@acme.test").await;
        secrets.push(signature(&alice.tokens.access));
        let key = "idempotency-key-1";
        let body = json!({ "name": "Logged", "email": "private@logged.test", "phone": "+493012345678" });
        let created = alice.post_once("/api/customers", key, &body).await;
        assert_eq!(created.status, 201, "{created:?}");
        // Personal data is none of the log's business either.
        secrets.extend(["private@logged.test".to_owned(), "12345678".to_owned()]);

        let trace = created.header("x-trace-id").to_owned();
        let gateway = platform.process_of("gateway");
        let service = if gateway.services.len() == 1 { "gateway" } else { "stoa" };
        let line = eventually(|| async {
            let lines = lines(&gateway.log());
            let mut found = lines.into_iter().filter(|l| l["message"] == "request" && l["traceId"] == trace.as_str());
            let first = found.next()?;
            assert!(found.next().is_none(), "one line a request");
            Some(first)
        })
        .await;
        let claims = alice.tokens.claims().unwrap();
        for (field, expected) in [
            ("level", json!("INFO")), ("service", json!(service)), ("instance", json!("test")),
            ("userId", claims["sub"].clone()), ("tenantId", claims["tenantId"].clone()),
            ("method", json!("POST")), ("path", json!("/api/customers")), ("status", json!(201)),
            ("decision", json!("allowed")), ("reason", json!("ok")), ("upstream", json!("customer")),
        ] {
            assert_eq!(line[field], expected, "{field} in {line}");
        }
        assert_eq!(line["spanId"].as_str().map(str::len), Some(16), "{line}");
        assert!(line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{line}");
        assert!(line["timestamp"].as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{line}");

        // So that what is written late is looked at too.
        for process in &mut platform.processes {
            assert!(process.terminate().await.unwrap());
        }
        for process in &platform.processes {
            let log = process.log();
            assert!(!lines(&log).is_empty());
            for secret in secrets.iter().filter(|s| !s.is_empty()) {
                let leak = log.lines().find(|line| line.contains(secret.as_str()));
                assert_eq!(leak, None, "{secret} is in the log of {:?}", process.services);
            }
        }
    }

    // covers: OB-02
    async fn the_admin_listener_shows_metrics(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let created = alice.post("/api/customers", &json!({ "name": "Counted", "email": "c@counted.test" })).await;
        assert_eq!(created.status, 201, "{created:?}");
        alice.get(created.header("location")).await;
        alice.get("/api/iam/roles").await;

        let split = platform.processes.len() > 1;
        let admins: Vec<_> = platform.processes.iter().map(|p| p.admin).collect();
        let scrape = |admin| async move {
            reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap()
        };
        // Gauges are set by pollers, so all are awaited.
        for (service, wanted) in [
            ("gateway", &[
                r#"stoa_http_requests_total{route="/api/customers",method="POST",status_class="2xx"} 1"#,
                r#"stoa_http_request_seconds_count{route="/api/customers/{id}"} 1"#,
                r#"stoa_decisions_total{outcome="allowed"}"#,
                r#"stoa_decisions_total{outcome="denied"}"#,
                "stoa_decisions_staleness_seconds",
                "process_resident_memory_bytes",
                "stoa_build_info{",
                "stoa_mesh_calls_total{",
                "stoa_mesh_call_seconds_bucket{",
            ][..]),
            ("customer", &[
                r#"stoa_db_pool_connections{service="customer",role="stoa_customer_app",state="max"} 8"#,
                r#"stoa_consumer_lag_events{consumer="customer.activities"} 0"#,
                r#"stoa_consumer_lag_seconds{consumer="customer.activities"}"#,
                r#"stoa_consumer_processed_total{consumer="customer.activities",outcome="handled"}"#,
                r#"stoa_events_appended_total{topic="domain.customer.events",type="dev.stoa.customer.customer.created.v1"} 1"#,
                "stoa_ticks_total",
            ]),
        ] {
            let admin = platform.process_of(service).admin;
            for sample in wanted {
                let seen = async || scrape(admin).await.contains(sample).then_some(());
                let found = tokio::time::timeout(Duration::from_secs(15), eventually(seen)).await;
                assert!(found.is_ok(), "no {sample} of {service} in:\n{}", scrape(admin).await);
            }
        }
        for admin in &admins {
            let text = scrape(*admin).await;
            assert!(!text.contains("counted.test"), "no personal data in labels");
        }
        assert!(!split || admins.len() >= 4);
    }
}

/// The log's lines, each of which must be JSON.
fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}")))
        .collect()
}

/// What makes a token worth stealing; the rest is readable by design.
fn signature(token: &str) -> String {
    token.rsplit('.').next().unwrap_or_default().to_owned()
}

/// Signs in as a browser does; returns the values of all cookies that it was given.
async fn cookies_of_a_sign_in(platform: &Platform, email: &str) -> Vec<String> {
    let client = reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .cookie_store(true)
        .build()
        .unwrap();
    let query = [
        ("response_type", "code"),
        ("client_id", "stoa-cli"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid"),
        ("state", "s"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let mut cookies = Vec::new();
    let mut keep = |response: &reqwest::Response| {
        for value in response.headers().get_all("set-cookie") {
            let value = value.to_str().unwrap().split(';').next().unwrap();
            cookies.push(value.split_once('=').unwrap().1.to_owned());
        }
    };
    let mut url = reqwest::Url::parse(&platform.at("/oauth2/authorize")).unwrap();
    let mut response = client.get(url.clone()).query(&query).send().await.unwrap();
    loop {
        keep(&response);
        if let Some(location) = response.headers().get("location") {
            url = url.join(location.to_str().unwrap()).unwrap();
            if url.as_str().starts_with(REDIRECT) {
                break;
            }
            response = client.get(url.clone()).send().await.unwrap();
            continue;
        }
        let html = response.text().await.unwrap();
        let form = Form::parse(&html).unwrap_or_else(|| panic!("no form in {html}"));
        let mut fields = form.hidden;
        fields.extend([
            ("email".into(), email.into()),
            ("password".into(), PASSWORD.into()),
        ]);
        url = url.join(&form.action).unwrap();
        response = client.post(url.clone()).form(&fields).send().await.unwrap();
    }
    assert!(cookies.iter().any(|value| value.len() > 20), "{cookies:?}");
    cookies.retain(|value| value.len() > 8);
    cookies
}
