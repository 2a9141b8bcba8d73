//! The authorization endpoint, codes and the sign-in page: what is promised, and every way to get it wrong.

use crate::api::{Api, send};
use crate::browser::{Browser, PASSWORD, Page, redemption};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use stoa_e2e::journeys;
use stoa_testkit::oidc::{self, REDIRECT};
use stoa_testkit::platform::Platform;

/// Redeems a code with some fields changed.
async fn redeem(platform: &Platform, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    oidc::token(platform, &redemption(code, changes))
        .await
        .expect("the token endpoint")
}

async fn refresh(platform: &Platform, token: &str) -> (u16, Value) {
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "stoa-cli"),
        ("refresh_token", token),
    ];
    oidc::token(platform, &fields).await.expect("the token endpoint")
}

fn assert_grant_refused(answer: &(u16, Value)) {
    assert_eq!(
        (answer.0, answer.1["error"].as_str()),
        (400, Some("invalid_grant")),
        "{answer:?}"
    );
    assert!(
        answer.1["error_description"]
            .as_str()
            .is_some_and(|text| text.len() > 10),
        "{answer:?}"
    );
}

/// An error went back to the client, with the request's state and the issuer.
fn assert_error_at_client(platform: &Platform, answer: &Page, error: &str) {
    assert_eq!((answer.status, answer.is_at_client()), (303, true), "{answer:?}");
    assert_eq!(answer.param("error").as_deref(), Some(error), "{answer:?}");
    assert_eq!(
        answer.param("state").as_deref(),
        Some("opaque &=/ü"),
        "{answer:?}"
    );
    assert_eq!(
        answer.param("iss").as_deref(),
        Some(platform.url.as_str()),
        "{answer:?}"
    );
    assert_eq!(answer.param("code"), None, "{answer:?}");
}

journeys! {
    // covers: ID-01
    async fn discovery_says_what_is_there(platform: &mut Platform) {
        let browser = Browser::new(platform);
        let metadata = browser.get("/.well-known/openid-configuration", &[]).await.json();
        assert_eq!(metadata, browser.get("/.well-known/oauth-authorization-server", &[]).await.json());
        assert_eq!(metadata["issuer"], json!(platform.url));
        for (field, values) in [
            ("response_types_supported", json!(["code"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            ("token_endpoint_auth_methods_supported", json!(["none"])),
            ("grant_types_supported", json!(["authorization_code", "refresh_token"])),
            ("id_token_signing_alg_values_supported", json!(["RS256"])),
            ("subject_types_supported", json!(["public"])),
            ("authorization_response_iss_parameter_supported", json!(true)),
        ] {
            assert_eq!(metadata[field], values, "{field}");
        }
        for (field, path) in [
            ("authorization_endpoint", "/oauth2/authorize"),
            ("token_endpoint", "/oauth2/token"),
            ("userinfo_endpoint", "/oauth2/userinfo"),
            ("jwks_uri", "/oauth2/jwks"),
            ("revocation_endpoint", "/oauth2/revoke"),
            ("end_session_endpoint", "/logout"),
        ] {
            assert_eq!(metadata[field], json!(platform.at(path)), "{field}");
        }

        let jwks = browser.get("/oauth2/jwks", &[]).await.json();
        let keys = jwks["keys"].as_array().expect("keys");
        let api = Api::sign_in(platform, "alice@acme.test").await;
        let kid = crate::tokens::header(&api.tokens.access)["kid"].clone();
        assert!(keys.iter().any(|key| key["kid"] == kid), "{kid} signs, and is not in {jwks}");
        for key in keys {
            let members: BTreeSet<&str> = key.as_object().expect("a key").keys().map(String::as_str).collect();
            assert_eq!(members, BTreeSet::from(["alg", "e", "kid", "kty", "n", "use"]), "public parts only");
        }

        let info = api.get("/oauth2/userinfo").await;
        assert_eq!((info.status, &info.body["email"]), (200, &json!("alice@acme.test")), "{info:?}");
        assert_eq!(info.body["sub"], api.tokens.claims().expect("claims")["sub"]);
        let anonymous = send(platform.http.get(platform.at("/oauth2/userinfo"))).await;
        anonymous.assert_problem(401, "auth.unauthenticated");
    }

    // covers: ID-01
    async fn bad_requests_go_where_they_belong(platform: &mut Platform) {
        let browser = Browser::new(platform);
        // Nobody is sent to an address that the client did not register (RFC 6749, section 4.1.2.1).
        for change in [
            ("client_id", "nobody"),
            ("client_id", ""),
            ("redirect_uri", ""),
            ("redirect_uri", "https://evil.test/callback"),
            ("redirect_uri", "http://127.0.0.1:9/callback/more"),
            ("redirect_uri", "http://127.0.0.1:9/callback?next=https://evil.test"),
            ("redirect_uri", "http://127.0.0.1:9@evil.test/callback"),
            ("redirect_uri", "http://localhost:9/callback"),
            ("redirect_uri", "https://127.0.0.1:9/callback"),
        ] {
            for wrong in [None, Some(("response_type", "token")), Some(("prompt", "none"))] {
                let changes: Vec<_> = [Some(change), wrong].into_iter().flatten().collect();
                let page = browser.authorize(&changes).await;
                assert_eq!((page.status, &page.location), (400, &None), "{changes:?}: {page:?}");
                assert!(page.text.contains("role=\"alert\""), "{page:?}");
                assert!(!page.text.contains("evil.test"), "what came in is not shown: {page:?}");
            }
        }
        // RFC 8252, section 7.3: the system gives a native app its port.
        for uri in ["http://127.0.0.1:1/callback", "http://127.0.0.1:65535/callback", "http://[::1]:4711/callback"] {
            let answer = browser.authorize(&[("redirect_uri", uri), ("prompt", "none")]).await;
            assert!(answer.location.as_ref().is_some_and(|url| url.as_str().starts_with(uri)), "{answer:?}");
        }
        for (changes, error) in [
            (&[("response_type", "token")][..], "unsupported_response_type"),
            (&[("response_type", "code id_token")], "unsupported_response_type"),
            (&[("response_type", "")], "invalid_request"),
            (&[("response_mode", "fragment")], "invalid_request"),
            (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
            (&[("code_challenge", "")], "invalid_request"),
            // Without a method the challenge would be `plain` (RFC 7636, section 4.3).
            (&[("code_challenge_method", "")], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("code_challenge", "too-short")], "invalid_request"),
            (&[("scope", "everything")], "invalid_scope"),
            (&[("request", "eyJhbGciOiJub25lIn0..")], "request_not_supported"),
            (&[("request_uri", "https://evil.test/r")], "request_uri_not_supported"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("max_age", "soon")], "invalid_request"),
            (&[("id_token_hint", "x.y.z")], "invalid_request"),
            (&[("prompt", "none")], "login_required"),
        ] {
            assert_error_at_client(platform, &browser.authorize(changes).await, error);
        }
        let twice = browser.get("/oauth2/authorize?state=1&state=2&client_id=stoa-cli", &[("redirect_uri", REDIRECT)]);
        assert_eq!(twice.await.param("error").as_deref(), Some("invalid_request"), "a parameter may come once");
    }

    // covers: ID-01
    async fn a_code_is_good_once_for_whom_it_was_issued(platform: &mut Platform) {
        let browser = Browser::new(platform);
        let answer = browser.sign_in("alice@acme.test").await;
        assert_eq!(answer.param("state").as_deref(), Some("opaque &=/ü"));
        assert_eq!(answer.param("iss").as_deref(), Some(platform.url.as_str()));
        let code = answer.code();
        for changes in [
            [("code_verifier", "")],
            [("code_verifier", "a-verifier-of-somebody-else-that-is-long-enough")],
            // The challenge itself: what `plain` would accept.
            [("code_verifier", crate::browser::CHALLENGE)],
            [("redirect_uri", "")],
            [("redirect_uri", "http://127.0.0.1:10/callback")],
            [("code", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl")],
        ] {
            assert_grant_refused(&redeem(platform, &code, &changes).await);
        }
        for (change, status, error) in [
            (("client_id", ""), 400, "invalid_request"),
            (("client_id", "nobody"), 401, "invalid_client"),
            (("grant_type", "password"), 400, "unsupported_grant_type"),
            (("client_secret", "guessed"), 401, "invalid_client"),
            (("code", ""), 400, "invalid_request"),
        ] {
            let refused = redeem(platform, &code, &[change]).await;
            assert_eq!((refused.0, refused.1["error"].as_str()), (status, Some(error)), "{change:?}");
        }

        let (status, tokens) = redeem(platform, &code, &[]).await;
        assert_eq!(status, 200, "the refusals did not spend it: {tokens}");
        let (access, first) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let id = crate::tokens::claims(&text(&tokens, "id_token"));
        assert_eq!((&id["nonce"], &id["aud"]), (&json!("n-0S6_WzA2Mj"), &json!("stoa-cli")));
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let validate = async || admin.post("/api/iam/auth/token/validate", &json!({ "token": access })).await.body;
        assert_eq!(validate().await["active"], true);

        assert_grant_refused(&redeem(platform, &code, &[]).await);
        assert_grant_refused(&refresh(platform, &first).await);
        let after = validate().await;
        assert_eq!(after["active"], false, "what the code brought dies with its replay: {after}");
    }

    // covers: ID-01
    async fn the_second_application_needs_no_password(platform: &mut Platform) {
        let browser = Browser::new(platform);
        let page = browser.login_page(&[("login_hint", "alice@acme.test")]).await;
        assert!(page.text.contains("value=\"alice@acme.test\""), "{page:?}");
        let answer = browser.submit(&page, &[("email", "alice@acme.test"), ("password", PASSWORD)]).await;
        let session = answer.headers["set-cookie"].to_str().expect("a cookie");
        assert!(session.contains("HttpOnly; SameSite=Lax"), "{session}");
        for changes in [&[][..], &[("prompt", "none")], &[("max_age", "3600")]] {
            let again = browser.authorize(changes).await;
            let (status, tokens) = redeem(platform, &again.code(), &[]).await;
            assert_eq!(status, 200, "{tokens}");
        }
        assert_eq!(browser.login_page(&[("prompt", "login")]).await.status, 200, "asked for again");
        let other = Browser::new(platform).authorize(&[("prompt", "none")]).await;
        assert_error_at_client(platform, &other, "login_required");
    }

    // covers: ID-01, ID-05
    async fn the_form_tells_nobody_who_has_an_account(platform: &mut Platform) {
        let browser = Browser::new(platform);
        let page = browser.login_page(&[]).await;
        let policy = page.headers["content-security-policy"].to_str().expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!page.text.contains("<script"), "{page:?}");

        let right = [("email", "alice@acme.test"), ("password", PASSWORD)];
        let request = hidden(&page, "request");
        for csrf in ["", "guessed", hidden(&Browser::new(platform).login_page(&[]).await, "csrf").as_str()] {
            let forged = browser.post("/login", &[&right[..], &[("csrf", csrf), ("request", &request)]].concat()).await;
            assert_eq!((forged.status, &forged.location), (403, &None), "{forged:?}");
            assert!(!forged.headers.contains_key("set-cookie"), "{forged:?}");
        }

        let mut seen = BTreeSet::new();
        for email in ["bob@acme.test", "nobody@acme.test", "no e-mail at all"] {
            let refused = browser.submit(&page, &[("email", email), ("password", "not this one")]).await;
            assert_eq!((refused.status, &refused.location), (422, &None), "{refused:?}");
            assert!(!refused.text.contains("not this one"), "the password is not sent back");
            seen.insert(refused.text.replace(email, "EMAIL"));
        }
        assert_eq!(seen.len(), 1, "the pages differ: {seen:?}");

        // A known and an unknown e-mail are blocked alike, and the page says for how long.
        let mut blocks = BTreeSet::new();
        let wrong = async |email: &str| browser.submit(&page, &[("email", email), ("password", "wrong")]).await;
        for email in ["alice@acme.test", "somebody@else.test"] {
            for _ in 0..10 {
                assert_eq!(wrong(email).await.status, 422);
            }
            let blocked = wrong(email).await;
            assert_eq!(blocked.status, 429, "{blocked:?}");
            let wait: u64 = blocked.headers["retry-after"].to_str().expect("a number").parse().expect("seconds");
            assert!((1..=900).contains(&wait), "{wait}");
            assert!(blocked.text.contains(" seconds."), "{blocked:?}");
            blocks.insert(blocked.text.replace(email, "EMAIL").replace(|c: char| c.is_ascii_digit(), ""));
        }
        assert_eq!(blocks.len(), 1, "the blocks differ: {blocks:?}");
        assert_eq!(browser.submit(&page, &right).await.status, 429, "nor with the right password");
        browser.sign_in("manager@acme.test").await;

        let database = platform.database().connect_as_superuser().await.expect("connect");
        let passed = "update identity.sign_in_throttle set blocked_until = now() - interval '1 s'";
        assert!(database.execute(passed, &[]).await.expect("the wait passes") >= 2);
        Browser::new(platform).sign_in("alice@acme.test").await;
        assert_eq!(Browser::new(platform).sign_in("alice@acme.test").await.status, 303, "and its count starts anew");
    }
}

fn text(body: &Value, name: &str) -> String {
    body[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {body}"))
        .to_owned()
}

fn hidden(page: &Page, name: &str) -> String {
    let field = page.form().hidden.into_iter().find(|(key, _)| key == name);
    field.unwrap_or_else(|| panic!("no {name} in {page:?}")).1
}
