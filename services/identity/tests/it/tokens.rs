//! Codes and refresh tokens under replay, reuse and races; keys under concurrent starts.

use crate::browser::Browser;
use crate::harness::{BUDGET, Fixture, TEST, start};
use http::StatusCode;
use jiff::SignedDuration;
use stoa_contracts::identity::{LoadVerificationKeys, TokenStatus, ValidateToken};

async fn status(fixture: &Fixture, token: &str) -> TokenStatus {
    let call = ValidateToken {
        token: token.to_owned(),
    };
    fixture.mesh.call(&mut TEST.global(BUDGET), call).await.unwrap()
}

async fn is_active(fixture: &Fixture, token: &str) -> bool {
    status(fixture, token).await.active
}

/// The access and refresh token of an answer.
fn pair(answer: &crate::harness::Answer) -> (String, String) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

// covers: ID-01
#[tokio::test]
async fn a_replayed_code_revokes_what_it_brought() {
    let fixture = start().await;
    let code = Browser::default().sign_in(&fixture).await;
    let (access, refresh) = pair(&fixture.redeem(&code).await);
    let before = status(&fixture, &access).await;
    assert_eq!((before.active, before.subject), (true, Some(fixture.user)));
    assert_eq!(fixture.redeem(&code).await.json()["error"], "invalid_grant");
    let after = status(&fixture, &access).await;
    assert_eq!(
        (after.active, after.reason.as_deref()),
        (false, Some("the token was revoked"))
    );
    assert_eq!(fixture.refresh(&refresh).await.json()["error"], "invalid_grant");
}

// covers: ID-01
#[tokio::test]
async fn a_code_redeemed_twice_at_once_is_a_replay() {
    let fixture = start().await;
    let code = Browser::default().sign_in(&fixture).await;
    let answers = futures::future::join_all((0..4).map(|_| fixture.redeem(&code))).await;
    let good: Vec<_> = answers.iter().filter(|a| a.status == StatusCode::OK).collect();
    assert_eq!(good.len(), 1, "one conditional update decides");
    assert!(!is_active(&fixture, &pair(good[0]).0).await);
}

// covers: ID-03
#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_revokes_the_family() {
    let fixture = start().await;
    let code = Browser::default().sign_in(&fixture).await;
    let (_, first) = pair(&fixture.redeem(&code).await);
    let (_, second) = pair(&fixture.refresh(&first).await);
    let (access, third) = pair(&fixture.refresh(&second).await);
    assert!(first != second && second != third);
    fixture.clock.advance(SignedDuration::from_secs(11));
    assert!(is_active(&fixture, &access).await);
    // The first one comes again after the grace: somebody stole it.
    assert_eq!(fixture.refresh(&first).await.json()["error"], "invalid_grant");
    assert_eq!(fixture.refresh(&third).await.json()["error"], "invalid_grant");
    assert!(!is_active(&fixture, &access).await);
}

// covers: ID-03
#[tokio::test]
async fn two_tabs_that_refresh_at_once_both_go_on() {
    let fixture = start().await;
    let code = Browser::default().sign_in(&fixture).await;
    let (_, shared) = pair(&fixture.redeem(&code).await);
    let (one, two) = tokio::join!(fixture.refresh(&shared), fixture.refresh(&shared));
    let ((_, one), (_, two)) = (pair(&one), pair(&two));
    assert_ne!(one, two);
    fixture.clock.advance(SignedDuration::from_secs(11));
    pair(&fixture.refresh(&one).await);
    pair(&fixture.refresh(&two).await);
}

// covers: ID-03
#[tokio::test]
async fn refresh_tokens_expire_and_belong_to_a_client() {
    let fixture = start().await;
    let code = Browser::default().sign_in(&fixture).await;
    let (_, refresh) = pair(&fixture.redeem(&code).await);
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", "stoa-cli"),
        ("refresh_token", refresh.as_str()),
        ("scope", "openid email"),
    ];
    assert_eq!(fixture.token(&fields).await.json()["error"], "invalid_scope");
    fixture.clock.advance(SignedDuration::from_hours(7 * 24 + 1));
    assert_eq!(fixture.refresh(&refresh).await.json()["error"], "invalid_grant");
}

// covers: ID-01
#[tokio::test]
async fn revocation_ends_refresh_and_access_tokens() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let code = browser.sign_in(&fixture).await;
    let (access, refresh) = pair(&fixture.redeem(&code).await);
    for (token, active) in [("unknown", true), (refresh.as_str(), false)] {
        let fields = [("client_id", "stoa-cli"), ("token", token)];
        let answer = browser.post(&fixture, "/oauth2/revoke", &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(is_active(&fixture, &access).await, active);
    }
    assert_eq!(fixture.refresh(&refresh).await.json()["error"], "invalid_grant");
}

// covers: ID-02, ID-03
#[tokio::test]
async fn secrets_are_stored_as_hashes_only() {
    let fixture = start().await;
    let code = Browser::default().sign_in(&fixture).await;
    let (_, refresh) = pair(&fixture.redeem(&code).await);
    let admin = fixture.admin().await;
    for table in [
        "authorization_code",
        "refresh_token",
        "session",
        "token_family",
        "account",
    ] {
        let sql = format!("select t::text, row_to_json(t)::text from identity.{table} t");
        for row in admin.query(&sql, &[]).await.unwrap() {
            let text: String = row.get::<_, String>(0) + &row.get::<_, String>(1);
            assert!(!text.contains(&code) && !text.contains(&refresh), "{table}");
            assert!(!text.contains(crate::harness::PASSWORD), "{table}");
        }
    }
}

// covers: ID-09
#[tokio::test]
async fn processes_that_start_at_once_agree_on_one_key() {
    let first = start().await;
    let admin = first.admin().await;
    admin
        .batch_execute("delete from identity.signing_key")
        .await
        .unwrap();
    let second = crate::harness::second_process(&first).await;
    first.clock.advance(SignedDuration::from_secs(31));
    let load = |mesh: &stoa_kernel::Mesh| {
        let mesh = mesh.clone();
        async move {
            mesh.call(&mut TEST.global(BUDGET), LoadVerificationKeys {})
                .await
                .unwrap()
        }
    };
    let (one, two) = tokio::join!(load(&first.mesh), load(&second));
    assert_eq!(one.jwks, two.jwks);
    let rows = admin
        .query("select from identity.signing_key", &[])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
}

// covers: ID-09
#[tokio::test]
async fn the_next_key_is_published_before_it_signs_and_the_old_one_is_kept() {
    let fixture = start().await;
    let mut browser = Browser::default();
    let kid = async |browser: &mut Browser| {
        let code = browser.sign_in(&fixture).await;
        let (access, _) = pair(&fixture.redeem(&code).await);
        crate::harness::header(&access)["kid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let published = async |browser: &mut Browser| {
        let jwks = browser.get(&fixture, "/oauth2/jwks").await.json();
        let keys = jwks["keys"].as_array().unwrap();
        keys.iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = kid(&mut browser).await;
    fixture.clock.advance(SignedDuration::from_hours(90 * 24 + 1));
    fixture.maintain().await;
    fixture.maintain().await;
    assert_eq!(
        published(&mut browser).await.len(),
        2,
        "one successor, whoever looks"
    );
    assert_eq!(
        kid(&mut Browser::default()).await,
        first,
        "the successor does not sign yet"
    );
    fixture.clock.advance(SignedDuration::from_hours(2));
    let second = kid(&mut Browser::default()).await;
    assert_ne!(second, first);
    assert!(
        published(&mut browser).await.contains(&first),
        "its tokens still verify"
    );
    fixture.clock.advance(SignedDuration::from_hours(25));
    assert_eq!(published(&mut browser).await, [second]);
}
