//! Accounts: creation, sign-in failures, what strangers can learn.

use crate::browser::Browser;
use crate::harness::{EMAIL, PASSWORD, authorization, start};
use http::{StatusCode, header};
use jiff::SignedDuration;
use stoa_types::UserId;

// covers: ID-05
#[tokio::test]
async fn ten_failures_block_known_and_unknown_emails_alike() {
    let fixture = start().await;
    for email in [EMAIL, "nobody@example.com"] {
        let mut browser = Browser::default();
        let mut texts = Vec::new();
        for _ in 0..10 {
            let answer = browser
                .submit(&fixture, &authorization(&[]), email, "wrong password")
                .await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            texts.push(
                answer
                    .text
                    .split("role=\"alert\"")
                    .nth(1)
                    .unwrap()
                    .split("</p>")
                    .next()
                    .unwrap()
                    .to_owned(),
            );
        }
        texts.dedup();
        assert_eq!(texts.len(), 1);
        // Even the right password is refused now, in the same words.
        let blocked = browser
            .submit(&fixture, &authorization(&[]), email, PASSWORD)
            .await;
        assert_eq!(blocked.status, StatusCode::TOO_MANY_REQUESTS);
        assert!(blocked.headers.contains_key(header::RETRY_AFTER));
        assert!(blocked.text.contains(&texts[0]));
    }
    fixture.clock.advance(SignedDuration::from_secs(31));
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    // Success forgives.
    let answer = browser
        .submit(
            &fixture,
            &authorization(&[("prompt", "login")]),
            EMAIL,
            "wrong password",
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

// covers: ID-05
#[tokio::test]
async fn accounts_are_created_once_and_emails_are_unique() {
    let fixture = start().await;
    let admin = fixture.admin().await;
    fixture.create_user(fixture.user, EMAIL).await.unwrap();
    let id = UserId::new();
    let twice = tokio::join!(
        fixture.create_user(id, "bob@example.com"),
        fixture.create_user(id, "bob@example.com")
    );
    assert!(twice.0.is_ok() && twice.1.is_ok(), "{twice:?}");
    let taken = fixture
        .create_user(UserId::new(), "Ada@Example.com ")
        .await
        .unwrap_err();
    assert_eq!((taken.status, taken.code.as_ref()), (409, "identity.email_taken"));
    let invalid = fixture
        .create_user(UserId::new(), "no address")
        .await
        .unwrap_err();
    assert_eq!(invalid.errors[0].pointer, "/email");
    let accounts = admin
        .query("select password_hash from identity.account", &[])
        .await
        .unwrap();
    assert_eq!(accounts.len(), 2);
    assert!(accounts[0].get::<_, String>(0).starts_with("$argon2id$"));
    let events = admin
        .query("select data::text from log.event", &[])
        .await
        .unwrap();
    assert_eq!(events.len(), 2, "one event an account");
    for event in &events {
        assert!(
            !event.get::<_, String>(0).contains("example.com"),
            "no personal data"
        );
    }
}

// covers: ID-05
#[tokio::test]
async fn a_disabled_account_can_neither_sign_in_nor_refresh() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let code = browser.sign_in(&fixture).await;
    let tokens = fixture.redeem(&code).await.json();
    fixture
        .admin()
        .await
        .batch_execute("update identity.account set status = 'disabled'")
        .await
        .unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(fixture.refresh(refresh).await.json()["error"], "invalid_grant");
    let silent = browser.get(&fixture, &authorization(&[("prompt", "none")])).await;
    assert_eq!(silent.answer("error").as_deref(), Some("login_required"));
    let answer = browser
        .submit(&fixture, &authorization(&[]), EMAIL, PASSWORD)
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

// covers: ID-03
#[tokio::test]
async fn what_is_over_is_forgotten_and_what_lives_stays() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let old = browser.sign_in(&fixture).await;
    fixture.redeem(&old).await;
    browser
        .submit(
            &fixture,
            &authorization(&[("prompt", "login")]),
            "nobody@example.com",
            "wrong password",
        )
        .await;
    fixture.clock.advance(SignedDuration::from_hours(9 * 24));
    let code = browser.sign_in(&fixture).await;
    let tokens = fixture.redeem(&code).await.json();
    fixture.maintain().await;
    let admin = fixture.admin().await;
    for (table, left) in [
        ("authorization_code", 1),
        ("refresh_token", 1),
        ("token_family", 1),
        ("session", 1),
        ("sign_in_throttle", 0),
    ] {
        let rows = admin
            .query(&format!("select from identity.{table}"), &[])
            .await
            .unwrap();
        assert_eq!(rows.len(), left, "{table}");
    }
    let refreshed = fixture.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, StatusCode::OK);
}
