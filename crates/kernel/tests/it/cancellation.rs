//! The trap of pipelining: a transaction that is dropped at any await must not reach the next borrower.

use crate::support::{Shop, scope};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use stoa_kernel::db::Pools;
use stoa_kernel::params;
use stoa_types::{TenantId, new_id};

const INSERT: &str = "insert into shop.item (tenant_id, id, name) values ($1, $2, $3)";
const COUNT: &str = "select count(*) from shop.item";
const STATE: &str = "select pg_current_xact_id_if_assigned() is null, current_setting('stoa.tenant', true)";

/// Polls `work` at most `polls` times, then drops it. `None` when it was dropped unfinished.
async fn abort_after<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = Box::pin(work);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        Pin::new(&mut work).poll(context).map(Some)
    })
    .await
}

async fn write_twice(db: &Pools, tenant: TenantId) {
    let mut scope = scope(tenant);
    let mut tx = db.app.begin(&mut scope);
    tx.query("select id from shop.item for update", &[])
        .await
        .expect("lock");
    tx.defer(INSERT, params![tenant.uuid(), new_id(), new_id().to_string()]);
    tx.flush().await.expect("first");
    tx.defer(INSERT, params![tenant.uuid(), new_id(), new_id().to_string()]);
    tx.commit().await.expect("commit");
}

async fn read(db: &Pools, tenant: TenantId) {
    let mut scope = scope(tenant);
    db.app.begin(&mut scope).read(COUNT, &[]).await.expect("read");
}

async fn roll_back(db: &Pools, tenant: TenantId) {
    let mut scope = scope(tenant);
    let mut tx = db.app.begin(&mut scope);
    tx.defer(INSERT, params![tenant.uuid(), new_id(), new_id().to_string()]);
    tx.flush().await.expect("insert");
    tx.rollback().await;
}

/// One connection, so that the next borrower gets the very same one, if it was returned.
async fn abort_everywhere<F, Fut>(work: F, commits: bool)
where
    F: Fn(Pools, TenantId) -> Fut,
    Fut: Future<Output = ()>,
{
    let shop = Shop::new(1).await;
    let mut aborted = 0;
    // How many polls a run takes depends on how the server's answers arrive, so one sweep may skip an await.
    for _sweep in 0..5 {
        let mut polls = 1;
        while !abort_once(&shop.db, polls, &work, commits).await {
            aborted += 1;
            polls += 1;
            assert!(polls < 500, "the work never finished");
        }
    }
    assert!(
        aborted >= 5,
        "aborted only {aborted} times: the test does not reach the middle"
    );
}

/// Whether the work finished within `polls`.
async fn abort_once<F, Fut>(db: &Pools, polls: usize, work: &F, commits: bool) -> bool
where
    F: Fn(Pools, TenantId) -> Fut,
    Fut: Future<Output = ()>,
{
    let (victim, heir) = (TenantId::new(), TenantId::new());
    let finished = abort_after(polls, work(db.clone(), victim)).await.is_some();
    // The next borrower: another tenant, who reads and commits.
    let mut scope = crate::support::scope(heir);
    let mut tx = db.app.begin(&mut scope);
    let row = tx
        .query_opt(STATE, &[])
        .await
        .expect("a usable connection")
        .expect("a row");
    assert!(
        row.get::<_, bool>(0),
        "aborted at {polls}: the next borrower is inside somebody's transaction"
    );
    assert_eq!(
        row.get::<_, String>(1),
        heir.to_string(),
        "aborted at {polls}: another's tenant is set"
    );
    tx.commit().await.expect("commit");
    let mut scope = crate::support::scope(victim);
    let rows = db.app.begin(&mut scope).read(COUNT, &[]).await.expect("count");
    let count: i64 = rows[0].get(0);
    // An abort while COMMIT travels may find it committed; never a half.
    let possible: &[i64] = if commits { &[0, 2] } else { &[0] };
    assert!(possible.contains(&count), "aborted at {polls}: {count} rows");
    finished
}

// covers: TN-02
#[tokio::test]
async fn an_aborted_write_never_reaches_the_next_borrower() {
    abort_everywhere(|db, tenant| async move { write_twice(&db, tenant).await }, true).await;
}

// covers: TN-02
#[tokio::test]
async fn an_aborted_read_never_reaches_the_next_borrower() {
    abort_everywhere(|db, tenant| async move { read(&db, tenant).await }, false).await;
}

#[tokio::test]
async fn an_aborted_rollback_never_reaches_the_next_borrower() {
    abort_everywhere(|db, tenant| async move { roll_back(&db, tenant).await }, false).await;
}

#[tokio::test]
async fn an_expected_refusal_keeps_its_connection() {
    let shop = Shop::new(1).await;
    let pid = "select pg_backend_pid()";
    let tenant = TenantId::new();
    let before: i32 = shop
        .db
        .app
        .begin(&mut scope(tenant))
        .read(pid, &[])
        .await
        .expect("pid")[0]
        .get(0);
    roll_back(&shop.db, tenant).await;
    let after: i32 = shop
        .db
        .app
        .begin(&mut scope(tenant))
        .read(pid, &[])
        .await
        .expect("pid")[0]
        .get(0);
    assert_eq!(before, after);
}
