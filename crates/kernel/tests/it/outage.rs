//! Every wait is bounded, and an outage ends without a restart.

use crate::support::{admin_options, migrate_shop, options};
use std::time::Duration;
use stoa_kernel::{Database, DbError, SystemScope};
use stoa_testkit::postgres;
use stoa_types::TenantId;

const TEST: SystemScope = SystemScope::named("shop.test");

// covers: RS-02
#[tokio::test]
async fn a_stopped_database_is_unavailable_and_then_available_again() {
    let server = postgres::dedicated().await.expect("a server");
    let database = server.create_database(None).await.expect("a database");
    migrate_shop(&admin_options(&database)).await.expect("migrations");
    let db = Database::open(&options(&database, "stoa_shop_app", "app", 2)).expect("a pool");
    let ask = || async {
        let mut scope = TEST.scope(TenantId::new(), Duration::from_secs(2));
        db.begin(&mut scope).read("select name from shop.item", &[]).await
    };
    ask().await.expect("up");
    server.kill9().await.expect("kill -9");
    // The server's sessions outlive it for a moment, and may still answer. Every question ends by its own deadline.
    let error = until(|| async { ask().await.err() }).await;
    assert!(
        matches!(error, DbError::Unavailable(_) | DbError::Timeout(_)),
        "{error:?}"
    );
    server.start().await.expect("start");
    // Connections that died with the server are found out on use.
    until(|| async { ask().await.ok() }).await;
}

/// Repeats an attempt until it has brought something.
async fn until<T, F: Future<Output = Option<T>>>(attempt: impl Fn() -> F) -> T {
    let attempts = async {
        loop {
            match attempt().await {
                Some(brought) => return brought,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), attempts)
        .await
        .expect("in time")
}

#[tokio::test]
async fn a_lock_is_waited_for_no_longer_than_the_deadline() {
    let shop = crate::support::Shop::new(2).await;
    let mut holder = crate::support::scope(TenantId::new());
    let mut held = shop.db.app.begin(&mut holder);
    held.query("select pg_advisory_xact_lock(7)", &[])
        .await
        .expect("the lock");
    let mut scope = TEST.scope(TenantId::new(), Duration::from_millis(200));
    let error = shop
        .db
        .app
        .begin(&mut scope)
        .read("select pg_advisory_xact_lock(7)", &[])
        .await
        .expect_err("held");
    assert!(matches!(error, DbError::Timeout(_)), "{error:?}");
    held.rollback().await;
}

#[tokio::test]
async fn an_exhausted_pool_says_so_at_the_deadline() {
    let shop = crate::support::Shop::new(1).await;
    let mut holder = crate::support::scope(TenantId::new());
    let mut held = shop.db.app.begin(&mut holder);
    held.query("select 1", &[]).await.expect("the only connection");
    let mut scope = TEST.scope(TenantId::new(), Duration::from_millis(200));
    let error = shop
        .db
        .app
        .begin(&mut scope)
        .read("select 1", &[])
        .await
        .expect_err("none free");
    assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    held.rollback().await;
}
