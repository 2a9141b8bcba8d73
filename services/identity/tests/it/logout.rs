//! Signing out.

use crate::browser::Browser;
use crate::harness::{Fixture, authorization, start};
use http::StatusCode;

const RETURN: &str = "http://127.0.0.1:4711/callback";

async fn tokens(fixture: &Fixture, browser: &mut Browser) -> (String, String) {
    let code = browser.sign_in(fixture).await;
    let body = fixture.redeem(&code).await.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("id_token"), text("refresh_token"))
}

async fn is_signed_in(fixture: &Fixture, browser: &mut Browser) -> bool {
    browser
        .get(fixture, &authorization(&[("prompt", "none")]))
        .await
        .answer("code")
        .is_some()
}

// covers: ID-01
#[tokio::test]
async fn the_own_id_token_ends_the_session_at_once() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let (id, refresh) = tokens(&fixture, &mut browser).await;
    // Old tokens are good hints.
    fixture.clock.advance(jiff::SignedDuration::from_secs(3600));
    let uri = format!("/logout?id_token_hint={id}&post_logout_redirect_uri={RETURN}&state=x");
    let answer = browser.get(&fixture, &uri).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    assert_eq!(answer.location().as_str(), format!("{RETURN}?state=x"));
    assert!(!is_signed_in(&fixture, &mut browser).await);
    assert_eq!(fixture.refresh(&refresh).await.json()["error"], "invalid_grant");
}

// covers: ID-01
#[tokio::test]
async fn without_a_hint_the_user_is_asked() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let (_, refresh) = tokens(&fixture, &mut browser).await;
    let uri = format!("/logout?client_id=stoa-cli&post_logout_redirect_uri={RETURN}");
    let page = browser.get(&fixture, &uri).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Stoa CLI"));
    assert!(is_signed_in(&fixture, &mut browser).await, "asking ends nothing");
    // A form from elsewhere has no token, and only leads to the question again.
    let forged = browser.post(&fixture, "/logout", &[("csrf", "x")]).await;
    assert_eq!(forged.status, StatusCode::OK);
    assert!(is_signed_in(&fixture, &mut browser).await);
    let (csrf, return_to) = (page.hidden("csrf"), page.hidden("post_logout_redirect_uri"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("client_id", "stoa-cli"),
        ("post_logout_redirect_uri", &return_to),
    ];
    let answer = browser.post(&fixture, "/logout", &fields).await;
    assert_eq!(answer.location().as_str(), RETURN);
    assert!(!is_signed_in(&fixture, &mut browser).await);
    assert_eq!(fixture.refresh(&refresh).await.json()["error"], "invalid_grant");
}

// covers: ID-01
#[tokio::test]
async fn nobody_is_sent_to_an_unregistered_address() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let (id, _) = tokens(&fixture, &mut browser).await;
    for uri in [
        format!("/logout?id_token_hint={id}&post_logout_redirect_uri=https://evil.example"),
        format!("/logout?post_logout_redirect_uri={RETURN}"),
        format!("/logout?id_token_hint={id}&client_id=other&post_logout_redirect_uri={RETURN}"),
    ] {
        let answer = browser.get(&fixture, &uri).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{uri}");
    }
    assert!(is_signed_in(&fixture, &mut browser).await);
}

// covers: ID-01
#[tokio::test]
async fn nothing_outlives_a_sign_out_at_the_same_time() {
    let fixture = start().await;
    for _ in 0..10 {
        let mut browser = Browser::default();
        let (id, _) = tokens(&fixture, &mut browser).await;
        let code = browser.sign_in_again(&fixture).await;
        let uri = format!("/logout?id_token_hint={id}");
        let (answer, _) = tokio::join!(fixture.redeem(&code), browser.get(&fixture, &uri));
        if answer.status == StatusCode::OK {
            let refresh = answer.json()["refresh_token"].as_str().unwrap().to_owned();
            assert_eq!(fixture.refresh(&refresh).await.json()["error"], "invalid_grant");
        }
    }
}

// covers: ID-01
#[tokio::test]
async fn a_form_on_another_site_removes_no_cookie() {
    let fixture = start().await;
    // Cookies are SameSite=Lax, so such a form comes without any.
    let answer = Browser::default().post(&fixture, "/logout", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.headers.contains_key(http::header::SET_COOKIE));
}
