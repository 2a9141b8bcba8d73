//! Accounts that follow users, and the calls of other services about them.

use crate::browser::Browser;
use crate::harness::{BUDGET, EMAIL, PASSWORD, TEST, authorization, start};
use http::StatusCode;
use stoa_contracts::identity::CheckEmail;
use stoa_types::{TenantId, UserId};

// covers: ID-05
#[tokio::test]
async fn an_address_is_available_unless_another_live_account_has_it() {
    let fixture = start().await;
    let ask = async |tenant: TenantId, email: &str, user: Option<UserId>| {
        let call = CheckEmail {
            email: email.to_owned(),
            user,
        };
        let answer = fixture.mesh.call(&mut TEST.scope(tenant, BUDGET), call).await;
        answer.map(|a| a.available)
    };
    assert!(ask(fixture.tenant, "new@example.com", None).await.unwrap());
    assert!(!ask(fixture.tenant, " Ada@EXAMPLE.com", None).await.unwrap());
    assert!(
        ask(fixture.tenant, EMAIL, Some(fixture.user)).await.unwrap(),
        "one's own"
    );
    assert!(!ask(fixture.tenant, EMAIL, Some(UserId::new())).await.unwrap());
    // The same id in another tenant is somebody else.
    assert!(!ask(TenantId::new(), EMAIL, Some(fixture.user)).await.unwrap());
    assert!(ask(TenantId(uuid::Uuid::nil()), EMAIL, None).await.is_err());
    let archive = "update identity.account set archived_at = now()";
    fixture.admin().await.batch_execute(archive).await.unwrap();
    assert!(ask(fixture.tenant, EMAIL, None).await.unwrap());
}

// covers: ID-05, TN-01
#[tokio::test]
async fn a_user_finds_out_about_a_few_addresses_only() {
    let fixture = start().await;
    fixture.wait_for_policies().await;
    let (caller, other) = (UserId::new(), UserId::new());
    let ask = async |user: UserId, email: &str| {
        let mut scope = fixture.scope_of(user).await;
        let call = CheckEmail {
            email: email.to_owned(),
            user: None,
        };
        let answer = fixture.mesh.call(&mut scope, call).await;
        answer.map(|a| a.available).map_err(stoa_kernel::Problem::from)
    };
    // What is free tells of nobody and costs nothing.
    for n in 0..20 {
        assert!(ask(caller, &format!("new{n}@example.com")).await.unwrap());
    }
    for _ in 0..10 {
        assert!(!ask(caller, EMAIL).await.unwrap());
    }
    for email in [EMAIL, "new@example.com"] {
        let refused = ask(caller, email).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_ref()),
            (429, "identity.too_many_checks")
        );
    }
    assert!(!ask(other, EMAIL).await.unwrap(), "somebody else is not blocked");
    fixture.clock.advance(jiff::SignedDuration::from_secs(31));
    assert!(ask(caller, "new@example.com").await.unwrap());
}

// covers: ID-05
#[tokio::test]
async fn the_platform_gives_an_account_that_waits_its_first_password_and_no_other() {
    let fixture = start().await;
    let id = UserId::new();
    let admin = fixture.admin().await;
    admin
        .execute(
            "insert into identity.account (tenant_id, id, email, name, status, created_at, created_by, updated_at, updated_by)
             values ($1, $2, 'bob@example.com', 'Bob', 'invited', now(), 'x', now(), 'x')",
            &[&fixture.tenant.uuid(), &id.uuid()],
        )
        .await
        .unwrap();
    let sign_in = async || {
        let mut browser = Browser::default();
        let answer = browser
            .submit(&fixture, &authorization(&[]), "bob@example.com", PASSWORD)
            .await;
        answer.status
    };
    assert_eq!(
        sign_in().await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "without a password nobody signs in"
    );
    fixture.create_user(id, "bob@example.com").await.unwrap();
    assert_eq!(sign_in().await, StatusCode::SEE_OTHER);
    let hash = async || -> String {
        let sql = "select password_hash from identity.account where id = $1";
        admin.query_one(sql, &[&id.uuid()]).await.unwrap().get(0)
    };
    let before = hash().await;
    fixture.create_user(id, "bob@example.com").await.unwrap();
    assert_eq!(hash().await, before, "who has a password keeps it");
}
