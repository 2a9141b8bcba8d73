//! A command that is sent twice happens once.

use crate::support::{Shop, scope};
use axum::extract::FromRequestParts;
use http::StatusCode;
use serde_json::{Value, json};
use stoa_kernel::idempotency::{Answer, Begun, Command, IdempotencyKey};
use stoa_kernel::{Clock, CommitToken, Problem, params};
use stoa_types::{TenantId, new_id};

const INSERT: &str = "insert into shop.item (tenant_id, id, name) values ($1, $2, $3)";

async fn key(text: &str) -> IdempotencyKey {
    let request = http::Request::builder()
        .header("idempotency-key", text)
        .body(())
        .expect("request");
    IdempotencyKey::from_request_parts(&mut request.into_parts().0, &())
        .await
        .expect("a key")
}

async fn create(
    shop: &Shop,
    tenant: TenantId,
    key: IdempotencyKey,
    name: &str,
) -> Result<(StatusCode, Value), Problem> {
    let clock = Clock::system();
    let mut scope = scope(tenant);
    let command = Command::new(
        "shop",
        "items:create",
        key,
        &json!({ "name": name }),
        &scope,
        &clock,
    )?;
    let mut tx = match command.begin(&shop.db.app, &mut scope).await? {
        Begun::Fresh(tx) => tx,
        Begun::Replay(response) => return read(response).await,
    };
    let id = new_id();
    tx.defer(INSERT, params![tenant.uuid(), id, name.to_owned()]);
    let answer = Answer::created(format!("/items/{id}"), 1, json!({ "id": id, "name": name }));
    read(command.commit(tx, answer).await?).await
}

async fn read(response: axum::response::Response) -> Result<(StatusCode, Value), Problem> {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .expect("body");
    Ok((status, serde_json::from_slice(&body).expect("json")))
}

// covers: AP-02
#[tokio::test]
async fn the_same_key_and_body_replay_the_first_answer() {
    let shop = Shop::new(2).await;
    let tenant = TenantId::new();
    let first = create(&shop, tenant, key("k1").await, "anvil")
        .await
        .expect("created");
    let again = create(&shop, tenant, key("k1").await, "anvil")
        .await
        .expect("replayed");
    assert_eq!(first, again);
    assert_eq!(first.0, StatusCode::CREATED);
}

// covers: AP-02
#[tokio::test]
async fn another_body_is_refused_and_another_tenant_is_not_concerned() {
    let shop = Shop::new(2).await;
    let tenant = TenantId::new();
    create(&shop, tenant, key("k1").await, "anvil")
        .await
        .expect("created");
    let refused = create(&shop, tenant, key("k1").await, "rocket")
        .await
        .expect_err("other body");
    assert_eq!((refused.status, &*refused.code), (422, "idempotency.other_body"));
    create(&shop, TenantId::new(), key("k1").await, "rocket")
        .await
        .expect("its own key space");
}

// covers: AP-02
#[tokio::test]
async fn while_it_runs_409_and_after_a_crash_it_runs_again() {
    let shop = Shop::new(3).await;
    let tenant = TenantId::new();
    let clock = Clock::system();
    let mut running = scope(tenant);
    let command = Command::new(
        "shop",
        "items:create",
        key("k1").await,
        &json!({ "name": "anvil" }),
        &running,
        &clock,
    )
    .expect("command");
    let Ok(Begun::Fresh(mut tx)) = command.begin(&shop.db.app, &mut running).await else {
        panic!("fresh")
    };
    tx.defer(INSERT, params![tenant.uuid(), new_id(), "anvil"]);
    tx.flush().await.expect("the effect, not committed");
    let busy = create(&shop, tenant, key("k1").await, "anvil")
        .await
        .expect_err("running");
    assert_eq!((busy.status, &*busy.code), (409, "idempotency.running"));
    // The crash: the connection goes, and with it the effect and the lock.
    drop(tx);
    let mut done = create(&shop, tenant, key("k1").await, "anvil").await;
    for _ in 0..50 {
        // The server notices the closed connection a moment later.
        match &done {
            Err(problem) if problem.status == 409 => {
                tokio::task::yield_now().await;
                done = create(&shop, tenant, key("k1").await, "anvil").await;
            }
            _ => break,
        }
    }
    assert_eq!(done.expect("runs again").0, StatusCode::CREATED);
}

// covers: EV-15
#[tokio::test]
async fn an_answer_names_the_commit_of_what_it_appended_and_a_replay_does_not() {
    const TELLS: &str = "select $1::uuid, 7, pg_current_xact_id()::text";
    let shop = Shop::new(2).await;
    let (tenant, cell) = (TenantId::new(), new_id());
    let clock = Clock::system();
    let answered = async |key: IdempotencyKey, early: bool| {
        let mut scope = scope(tenant);
        let command = Command::new("shop", "items:touch", key, &(), &scope, &clock).expect("command");
        let mut tx = match command.begin(&shop.db.app, &mut scope).await.expect("begun") {
            Begun::Fresh(tx) => tx,
            Begun::Replay(response) => return response,
        };
        tx.defer("select 1", params![]);
        tx.defer_with_token(TELLS, params![cell]);
        tx.defer("select 2", params![]);
        if early {
            let rows = tx.flush().await.expect("flushed");
            let counts: Vec<_> = rows.iter().map(Vec::len).collect();
            assert_eq!(counts, [1, 0, 1], "the others keep their places");
        }
        command
            .commit(tx, Answer::ok(1, json!({})))
            .await
            .expect("committed")
    };
    let header = |response: &axum::response::Response| {
        let value = response.headers().get("stoa-commit")?;
        Some(CommitToken::decode(value.to_str().ok()?).expect("a token"))
    };
    let first = header(&answered(key("k1").await, false).await).expect("told");
    let second = header(&answered(key("k2").await, true).await).expect("told, though flushed before");
    assert_eq!((first.cell, first.epoch), (cell, 7));
    assert!(first.xid < second.xid, "{first:?} {second:?}");
    assert_eq!(header(&answered(key("k1").await, false).await), None);
}
