//! Links of mails: how long, how often and for whom they are good.

use crate::browser::Browser;
use crate::harness::{Answer, EMAIL, Fixture, PASSWORD, authorization, start};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use stoa_types::UserId;
use uuid::Uuid;

const CHOSEN: &str = "seven purple elephants";

/// Keeps a link's token as a mail would and returns what the link carries.
async fn mailed(fixture: &Fixture, purpose: &str, email: &str, hours: i64) -> String {
    let token = URL_SAFE_NO_PAD.encode(Sha256::digest(Uuid::new_v4().as_bytes()));
    let now: Timestamp = fixture.clock.now();
    let expires_at = now + SignedDuration::from_hours(hours);
    let hash = Sha256::digest(&token).to_vec();
    fixture
        .admin()
        .await
        .execute(
            "insert into identity.mail_token
               (tenant_id, token_hash, user_id, purpose, mail_id, email, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                &fixture.tenant.uuid(),
                &hash,
                &fixture.user.uuid(),
                &purpose,
                &Uuid::new_v4(),
                &email,
                &now,
                &expires_at,
            ],
        )
        .await
        .unwrap();
    token
}

async fn show(fixture: &Fixture, browser: &mut Browser, page: &str, token: &str) -> Answer {
    browser.get(fixture, &format!("/auth/{page}?token={token}")).await
}

/// Opens the link and chooses a password.
async fn choose(fixture: &Fixture, page: &str, token: &str) -> Answer {
    let mut browser = Browser::default();
    let shown = show(fixture, &mut browser, page, token).await;
    if shown.status != StatusCode::OK {
        return shown;
    }
    let csrf = shown.hidden("csrf");
    let fields = [
        ("csrf", csrf.as_str()),
        ("token", token),
        ("password", CHOSEN),
        ("repeat", CHOSEN),
    ];
    browser.post(fixture, &format!("/auth/{page}"), &fields).await
}

async fn execute(fixture: &Fixture, sql: &str) {
    fixture.admin().await.batch_execute(sql).await.unwrap();
}

// covers: ID-05
#[tokio::test]
async fn a_link_is_good_for_its_purpose_its_time_and_its_account_only() {
    let fixture = start().await;
    let mut browser = Browser::default();
    for token in ["", "short", &"a".repeat(43), &"ä".repeat(43)] {
        assert_eq!(
            show(&fixture, &mut browser, "reset", token).await.status,
            StatusCode::GONE
        );
    }
    let reset = mailed(&fixture, "reset", EMAIL, 1).await;
    for page in ["invitation", "verify"] {
        assert_eq!(
            show(&fixture, &mut browser, page, &reset).await.status,
            StatusCode::GONE,
            "{page}"
        );
    }
    assert_eq!(
        show(&fixture, &mut browser, "reset", &reset).await.status,
        StatusCode::OK
    );
    for (change, back) in [
        ("status = 'disabled'", "status = 'active'"),
        ("archived_at = now()", "archived_at = null"),
    ] {
        execute(&fixture, &format!("update identity.account set {change}")).await;
        assert_eq!(
            choose(&fixture, "reset", &reset).await.status,
            StatusCode::GONE,
            "{change}"
        );
        execute(&fixture, &format!("update identity.account set {back}")).await;
    }
    // Sent to an address that the account has left, the page opens no more than the form.
    execute(
        &fixture,
        "update identity.account set email = 'moved@example.com'",
    )
    .await;
    assert_eq!(choose(&fixture, "reset", &reset).await.status, StatusCode::GONE);
    execute(
        &fixture,
        &format!("update identity.account set email = '{EMAIL}'"),
    )
    .await;
    fixture.clock.advance(SignedDuration::from_mins(61));
    assert_eq!(choose(&fixture, "reset", &reset).await.status, StatusCode::GONE);
    let late = Browser::default()
        .submit(&fixture, &authorization(&[]), EMAIL, PASSWORD)
        .await;
    assert_eq!(late.status, StatusCode::SEE_OTHER, "the password is what it was");
    fixture.clock.advance(SignedDuration::from_hours(48));
    fixture.maintain().await;
    let left = fixture
        .admin()
        .await
        .query("select from identity.mail_token", &[])
        .await
        .unwrap();
    assert!(left.is_empty(), "what is over is forgotten");
}

// covers: ID-05
#[tokio::test]
async fn a_new_password_ends_sessions_grants_and_the_lockout() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let code = browser.sign_in(&fixture).await;
    let tokens = fixture.redeem(&code).await.json();
    for _ in 0..10 {
        Browser::default()
            .submit(&fixture, &authorization(&[]), EMAIL, "wrong password")
            .await;
    }
    let invitation = mailed(&fixture, "invitation", EMAIL, 24).await;
    let reset = mailed(&fixture, "reset", EMAIL, 1).await;
    assert_eq!(choose(&fixture, "reset", &reset).await.status, StatusCode::OK);
    assert_eq!(choose(&fixture, "reset", &reset).await.status, StatusCode::GONE);
    assert_eq!(
        choose(&fixture, "invitation", &invitation).await.status,
        StatusCode::GONE,
        "its siblings die"
    );
    let silent = browser.get(&fixture, &authorization(&[("prompt", "none")])).await;
    assert_eq!(silent.answer("error").as_deref(), Some("login_required"));
    let refreshed = fixture.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.json()["error"], "invalid_grant");
    let old = Browser::default()
        .submit(&fixture, &authorization(&[]), EMAIL, PASSWORD)
        .await;
    assert_eq!(
        old.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "not blocked any more, and wrong"
    );
    let new = Browser::default()
        .submit(&fixture, &authorization(&[]), EMAIL, CHOSEN)
        .await;
    assert_eq!(new.status, StatusCode::SEE_OTHER);
}

// covers: ID-05
#[tokio::test]
async fn an_address_that_somebody_else_has_by_now_is_not_taken_over() {
    let fixture = start().await;
    let wanted = "wanted@example.com";
    execute(
        &fixture,
        &format!("update identity.account set pending_email = '{wanted}'"),
    )
    .await;
    let token = mailed(&fixture, "verification", wanted, 24).await;
    fixture.create_user(UserId::new(), wanted).await.unwrap();
    let mut browser = Browser::default();
    let page = show(&fixture, &mut browser, "verify", &token).await;
    let csrf = page.hidden("csrf");
    let fields = [("csrf", csrf.as_str()), ("token", token.as_str())];
    let forged = Browser::default().post(&fixture, "/auth/verify", &fields).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let taken = browser.post(&fixture, "/auth/verify", &fields).await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    execute(
        &fixture,
        &format!("update identity.account set archived_at = now() where email = '{wanted}'"),
    )
    .await;
    assert_eq!(
        browser.post(&fixture, "/auth/verify", &fields).await.status,
        StatusCode::OK
    );
    assert_eq!(
        browser.post(&fixture, "/auth/verify", &fields).await.status,
        StatusCode::GONE
    );
    let signed_in = Browser::default()
        .submit(&fixture, &authorization(&[]), wanted, PASSWORD)
        .await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn pages_speak_the_browser_s_language() {
    let fixture = start().await;
    for (page, vietnamese) in [
        ("/login", "Đăng nhập"),
        ("/auth/forgot", "Quên mật khẩu?"),
        ("/auth/reset", "Nhận liên kết mới"),
    ] {
        let request = Request::builder()
            .uri(page)
            .header(http::header::ACCEPT_LANGUAGE, "vi-VN,vi;q=0.9,en;q=0.5");
        let answer = fixture.send(request.body(Body::empty()).unwrap(), None).await;
        assert!(
            answer.text.contains("<html lang=\"vi\">"),
            "{page}: {}",
            answer.text
        );
        assert!(answer.text.contains(vietnamese), "{page}: {}", answer.text);
    }
}
