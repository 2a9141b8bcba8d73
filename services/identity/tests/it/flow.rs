//! Signing in: from the authorization request to tokens.

use crate::browser::Browser;
use crate::harness::{EMAIL, ISSUER, PASSWORD, REDIRECT, authorization, claims, redemption, start};
use axum::body::Body;
use http::{Request, StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;
use stoa_kernel::request::Identity;

// covers: ID-01, ID-02
#[tokio::test]
async fn a_code_becomes_tokens_with_the_promised_claims() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let answer = browser
        .submit(&fixture, &authorization(&[]), " ADA@example.com", PASSWORD)
        .await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.location().as_str().starts_with(REDIRECT));
    assert_eq!(answer.answer("state").as_deref(), Some("st"));
    assert_eq!(answer.answer("iss").as_deref(), Some(ISSUER));
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");

    let tokens = fixture.redeem(&answer.answer("code").unwrap()).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.text);
    assert_eq!(tokens.headers[header::CACHE_CONTROL], "no-store");
    let tokens = tokens.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(300))
    );
    assert_eq!(tokens["scope"], "openid profile");
    let access = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(access["iss"], ISSUER);
    assert_eq!(access["aud"], format!("{ISSUER}/stoa-api"));
    assert_eq!(access["sub"], fixture.user.to_string());
    assert_eq!(access["tenantId"], fixture.tenant.to_string());
    assert_eq!(
        (&access["roles"], &access["dataScope"]),
        (&json!(["manager"]), &json!("branch"))
    );
    assert_eq!(
        (&access["plan"], &access["client_id"]),
        (&json!("premium"), &json!("stoa-cli"))
    );
    assert_eq!(
        access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(),
        300
    );
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(
        (&id["aud"], &id["nonce"], &id["sid"]),
        (&json!("stoa-cli"), &json!("no"), &access["sid"])
    );
    assert!(id["at_hash"].is_string() && id["auth_time"].is_i64());

    // Single sign-on: the next request needs no page.
    let again = browser.get(&fixture, &authorization(&[("prompt", "none")])).await;
    assert!(again.answer("code").is_some(), "{}", again.location());
    let fresh = browser
        .get(&fixture, &authorization(&[("prompt", "login")]))
        .await;
    assert_eq!(fresh.location().path(), "/login");
    // Asking again keeps the session and moves its time.
    fixture.clock.advance(SignedDuration::from_secs(100));
    let answer = browser
        .submit(&fixture, &authorization(&[("max_age", "50")]), EMAIL, PASSWORD)
        .await;
    let tokens = fixture.redeem(&answer.answer("code").unwrap()).await.json();
    let later = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(later["sid"], id["sid"]);
    assert!(later["auth_time"].as_i64().unwrap() >= id["auth_time"].as_i64().unwrap() + 100);
}

// covers: ID-01
#[tokio::test]
async fn refusals_go_where_they_belong() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let silent = browser.get(&fixture, &authorization(&[("prompt", "none")])).await;
    assert_eq!(silent.answer("error").as_deref(), Some("login_required"));
    assert_eq!(silent.answer("iss").as_deref(), Some(ISSUER));
    let plain = browser
        .get(&fixture, &authorization(&[("code_challenge_method", "plain")]))
        .await;
    assert_eq!(plain.answer("error").as_deref(), Some("invalid_request"));
    for change in [
        ("client_id", "nobody"),
        ("redirect_uri", "https://evil.example/callback"),
    ] {
        let page = browser.get(&fixture, &authorization(&[change])).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(!page.headers.contains_key(header::LOCATION));
        assert!(page.text.contains("not registered"), "{}", page.text);
    }
    let basic = Request::post("/oauth2/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::AUTHORIZATION, "Basic c3RvYS1jbGk6eA==")
        .body(Body::from(
            "client_id=stoa-cli&grant_type=refresh_token&refresh_token=x",
        ))
        .unwrap();
    let basic = fixture.send(basic, None).await;
    assert_eq!(
        (basic.status, &basic.json()["error"]),
        (StatusCode::UNAUTHORIZED, &json!("invalid_client"))
    );
    for (fields, error) in [
        (
            &[("grant_type", "password"), ("client_id", "stoa-cli")][..],
            "unsupported_grant_type",
        ),
        (&[("client_id", "stoa-cli")], "invalid_request"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (
            &[("grant_type", "refresh_token"), ("client_id", "nobody")],
            "invalid_client",
        ),
    ] {
        assert_eq!(fixture.token(fields).await.json()["error"], error);
    }
}

// covers: ID-01
#[tokio::test]
async fn a_code_needs_its_verifier_redirect_and_time() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let code = browser.sign_in(&fixture).await;
    for (field, value) in [
        ("code_verifier", ""),
        ("code_verifier", "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("redirect_uri", "http://127.0.0.1:4712/callback"),
        ("redirect_uri", ""),
        ("code", "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    ] {
        let mut fields = redemption(&code);
        for pair in &mut fields {
            if pair.0 == field {
                pair.1 = value;
            }
        }
        let answer = fixture.token(&fields).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
        );
    }
    fixture.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(fixture.redeem(&code).await.json()["error"], "invalid_grant");
}

// covers: ID-01
#[tokio::test]
async fn forms_without_their_token_are_refused() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let fields = [("email", EMAIL), ("password", PASSWORD), ("csrf", "x")];
    let answer = browser.post(&fixture, "/login", &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let page = browser.get(&fixture, "/login").await;
    let csrf = page.hidden("csrf");
    // The token of one browser is worth nothing in another.
    let mut other = Browser::default();
    other.get(&fixture, "/login").await;
    let fields = [("email", EMAIL), ("password", PASSWORD), ("csrf", csrf.as_str())];
    assert_eq!(
        other.post(&fixture, "/login", &fields).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        browser.post(&fixture, "/login", &fields).await.status,
        StatusCode::OK
    );
}

// covers: ID-01
#[tokio::test]
async fn discovery_keys_and_userinfo_answer() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let discovery = browser
        .get(&fixture, "/.well-known/openid-configuration")
        .await
        .json();
    let other = browser
        .get(&fixture, "/.well-known/oauth-authorization-server")
        .await
        .json();
    assert_eq!(discovery, other);
    assert_eq!(discovery["issuer"], ISSUER);
    assert_eq!(discovery["code_challenge_methods_supported"], json!(["S256"]));
    let jwks = browser.get(&fixture, "/oauth2/jwks").await.json();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    assert!(jwks["keys"][0].get("d").is_none(), "only the public half");

    fixture.wait_for_policies().await;
    let request = || Request::get("/oauth2/userinfo").body(Body::empty()).unwrap();
    assert_eq!(
        fixture.send(request(), None).await.status,
        StatusCode::UNAUTHORIZED
    );
    let identity = Identity {
        tenant: fixture.tenant,
        user: fixture.user,
    };
    let info = fixture.send(request(), Some(identity)).await.json();
    assert_eq!(
        (&info["sub"], &info["email"]),
        (&json!(fixture.user), &json!(EMAIL))
    );
    // Another tenant's caller with the same id sees nothing.
    let foreign = Identity {
        tenant: stoa_types::TenantId::new(),
        user: fixture.user,
    };
    assert_eq!(
        fixture.send(request(), Some(foreign)).await.status,
        StatusCode::UNAUTHORIZED
    );
}
