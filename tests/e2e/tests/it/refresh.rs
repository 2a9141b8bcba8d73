//! Refresh tokens, revocation and sign-out; and the script that signs in from a shell.

use crate::api::Api;
use crate::browser::{Browser, redemption};
use serde_json::Value;
use std::path::Path;
use stoa_e2e::journeys;
use stoa_testkit::oidc::{self, REDIRECT, Tokens};
use stoa_testkit::platform::{Platform, Topology};
use tokio::process::Command;

async fn tokens(platform: &Platform, browser: &Browser) -> Tokens {
    let code = match browser.authorize(&[]).await {
        answer if answer.is_at_client() => answer.code(),
        _ => browser.sign_in("alice@acme.test").await.code(),
    };
    let (status, body) = oidc::token(platform, &redemption(&code, &[]))
        .await
        .expect("the token endpoint");
    assert_eq!(status, 200, "{body}");
    Tokens::read(&body).expect("tokens")
}

async fn refresh(platform: &Platform, tokens: &Tokens) -> Result<Tokens, Value> {
    let token = tokens.refresh.as_deref().expect("a refresh token");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "stoa-cli"),
        ("refresh_token", token),
    ];
    let (status, body) = oidc::token(platform, &fields).await.expect("the token endpoint");
    if status == 200 {
        Ok(Tokens::read(&body).expect("tokens"))
    } else {
        Err(body)
    }
}

async fn assert_dead(platform: &Platform, tokens: &Tokens) {
    let refused = refresh(platform, tokens)
        .await
        .expect_err("the refresh token is dead");
    assert_eq!(refused["error"], "invalid_grant", "{refused}");
}

async fn is_signed_in(browser: &Browser) -> bool {
    let answer = browser.authorize(&[("prompt", "none")]).await;
    let error = answer.param("error");
    assert!(
        error.is_none() || error.as_deref() == Some("login_required"),
        "{answer:?}"
    );
    error.is_none()
}

journeys! {
    // covers: ID-03
    async fn two_tabs_that_refresh_at_once_stay_signed_in(platform: &mut Platform) {
        let first = tokens(platform, &Browser::new(platform)).await;
        let (one, two) = tokio::join!(refresh(platform, &first), refresh(platform, &first));
        let (one, two) = (one.expect("the first tab"), two.expect("the second tab"));
        assert!(one.refresh != two.refresh && one.refresh != first.refresh && two.refresh != first.refresh);
        for tab in [one, two] {
            let next = refresh(platform, &tab).await.expect("each goes on by itself");
            let seen = platform.http.get(platform.at("/api/customers")).bearer_auth(next.access).send().await;
            assert_eq!(seen.expect("an answer").status(), 200);
        }
    }

    // covers: ID-01
    async fn revocation_and_sign_out_end_what_was_issued(platform: &mut Platform) {
        let browser = Browser::new(platform);
        let (kept, revoked) = (tokens(platform, &browser).await, tokens(platform, &browser).await);
        let token = revoked.refresh.as_deref().expect("a refresh token");
        let foreign = browser.post("/oauth2/revoke", &[("client_id", "nobody"), ("token", token)]).await;
        assert_eq!(foreign.json()["error"], "invalid_client");
        for token in ["unknown", token, token] {
            let answer = browser.post("/oauth2/revoke", &[("client_id", "stoa-cli"), ("token", token)]).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert_dead(platform, &revoked).await;
        let kept = refresh(platform, &kept).await.expect("one sign-in's tokens end, not the other's");

        let somewhere = [("client_id", "stoa-cli"), ("post_logout_redirect_uri", "https://evil.test/")];
        let refused = browser.get("/logout", &somewhere).await;
        assert_eq!((refused.status, &refused.location), (400, &None), "{refused:?}");
        // A link on another site asks; only the form that the question shows signs out.
        let question = browser.get("/logout", &[("client_id", "stoa-cli")]).await;
        assert_eq!(question.status, 200, "{question:?}");
        let forged = browser.post("/logout", &[("csrf", "guessed")]).await;
        assert_eq!(forged.status, 200, "{forged:?}");
        assert!(is_signed_in(&browser).await);
        let done = browser.submit(&question, &[]).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert!(!is_signed_in(&browser).await);
        assert_dead(platform, &kept).await;

        let again = tokens(platform, &browser).await;
        let hint = again.id.clone().expect("an ID token");
        let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", REDIRECT), ("state", "bye")];
        let answer = browser.get("/logout", &query).await;
        assert!(answer.is_at_client() && answer.status == 303, "{answer:?}");
        assert_eq!(answer.param("state").as_deref(), Some("bye"));
        assert!(!is_signed_in(&browser).await);
        assert_dead(platform, &again).await;
    }

    // covers: ID-01
    async fn the_shell_script_signs_in(platform: &mut Platform) {
        let signed_in = script(&["bob@acme.test", &platform.url], None).await;
        assert!(signed_in.status.success(), "{signed_in:?}");
        let token = String::from_utf8(signed_in.stdout).expect("ASCII").trim().to_owned();
        let mut bob = Api::sign_in(platform, "bob@acme.test").await;
        let own = bob.get("/oauth2/userinfo").await;
        bob.tokens.access = token;
        assert_eq!(bob.get("/oauth2/userinfo").await.body, own.body);
        assert_eq!(own.body["email"], "bob@acme.test");

        let nowhere = "http://127.0.0.1:1";
        for (arguments, password, status, why) in [
            (&["bob@acme.test", &platform.url][..], Some("wrong & not=right"), 1, "not right"),
            (&["bob@acme.test", nowhere], None, 1, "nothing answers at"),
            (&[], None, 2, "usage:"),
        ] {
            let refused = script(arguments, password).await;
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(status), "{said}");
            assert!(refused.stdout.is_empty() && said.contains(why), "{refused:?}");
        }
    }
}

async fn script(arguments: &[&str], password: Option<&str>) -> std::process::Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/sign-in");
    let mut command = Command::new("bash");
    command
        .arg(path)
        .args(arguments)
        .env_remove("STOA_URL")
        .env_remove("STOA_PASSWORD")
        .kill_on_drop(true);
    if let Some(password) = password {
        command.env("STOA_PASSWORD", password);
    }
    command
        .output()
        .await
        .expect("bash is missing; `scripts/install-deps test` says what is needed")
}

// covers: ID-02, ID-03
async fn a_token_that_comes_again_ends_the_family(topology: Topology) {
    let settings = "[identity]\naccess_token_seconds = 77\nrefresh_grace_seconds = 0\n";
    let platform = stoa_e2e::start_with(topology, settings)
        .await
        .expect("the platform");
    let browser = Browser::new(&platform);
    let (stolen, other) = (
        tokens(&platform, &browser).await,
        tokens(&platform, &browser).await,
    );
    let claims = stolen.claims().expect("claims");
    let lifetime = claims["exp"]
        .as_i64()
        .zip(claims["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(77), "{claims}");

    let second = refresh(&platform, &stolen).await.expect("rotated");
    let third = refresh(&platform, &second).await.expect("rotated again");
    assert_dead(&platform, &stolen).await;
    assert_dead(&platform, &third).await;
    refresh(&platform, &other)
        .await
        .expect("another sign-in's tokens live on");
}

mod a_token_that_comes_again_ends_the_family {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_process() {
        super::a_token_that_comes_again_ends_the_family(Topology::OneProcess).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn split() {
        super::a_token_that_comes_again_ends_the_family(Topology::Split).await;
    }
}
