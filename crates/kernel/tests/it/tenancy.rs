//! A tenant sees its own rows and no others, whatever the statement says.

use crate::support::{Shop, scope};
use stoa_kernel::params;
use stoa_types::{TenantId, new_id};

const INSERT: &str = "insert into shop.item (tenant_id, id, name) values ($1, $2, $3)";
const NAMES: &str = "select name from shop.item order by name";

// covers: TN-01, TN-02
#[tokio::test]
async fn a_tenant_reads_only_its_own_rows() {
    let shop = Shop::new(2).await;
    let (acme, globex) = (TenantId::new(), TenantId::new());
    for (tenant, name) in [(acme, "anvil"), (globex, "hammock")] {
        let mut scope = scope(tenant);
        let mut tx = shop.db.app.begin(&mut scope);
        tx.defer(INSERT, params![tenant.uuid(), new_id(), name]);
        tx.commit().await.expect("insert");
    }
    let rows = shop
        .db
        .app
        .begin(&mut scope(acme))
        .read(NAMES, &[])
        .await
        .expect("read");
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["anvil"]);
}

// covers: TN-02
#[tokio::test]
async fn a_tenant_cannot_write_into_another() {
    let shop = Shop::new(1).await;
    let (acme, globex) = (TenantId::new(), TenantId::new());
    let mut scope = scope(acme);
    let mut tx = shop.db.app.begin(&mut scope);
    tx.defer(INSERT, params![globex.uuid(), new_id(), "smuggled"]);
    let error = tx.commit().await.expect_err("row-level security refuses");
    assert!(error.to_string().contains("row-level security"), "{:?}", error);
}

// covers: TN-02
#[tokio::test]
async fn without_a_tenant_the_setting_refuses_instead_of_showing_everything() {
    let shop = Shop::new(1).await;
    let acme = TenantId::new();
    // The same connection, before and after a transaction that set the tenant locally.
    for _ in 0..2 {
        let mut scope = scope(acme);
        let error = shop
            .db
            .app
            .begin_system(&mut scope)
            .read(NAMES, &[])
            .await
            .expect_err("fails closed");
        assert!(!error.to_string().is_empty());
        shop.db
            .app
            .begin(&mut scope)
            .read(NAMES, &[])
            .await
            .expect("with a tenant it works");
    }
}

// covers: TN-02
#[tokio::test]
async fn the_system_role_does_not_reach_tenant_tables_nor_the_app_role_system_tables() {
    let shop = Shop::new(1).await;
    let mut scope = scope(TenantId::new());
    let denied = |e: stoa_kernel::DbError| {
        let stoa_kernel::DbError::Failed { source, .. } = e else {
            panic!("{e:?}")
        };
        source
            .as_db_error()
            .map(|e| e.message().to_owned())
            .unwrap_or_default()
    };
    let error = shop
        .db
        .system
        .begin_system(&mut scope)
        .read(NAMES, &[])
        .await
        .expect_err("no grant");
    assert!(denied(error).contains("permission denied"));
    let error = shop
        .db
        .app
        .begin(&mut scope)
        .read("select note from shop.ledger", &[])
        .await
        .expect_err("no grant");
    assert!(denied(error).contains("permission denied"));
}

#[tokio::test]
async fn a_failure_in_the_middle_commits_nothing_and_names_its_cause() {
    let shop = Shop::new(1).await;
    let acme = TenantId::new();
    let mut first = scope(acme);
    let mut tx = shop.db.app.begin(&mut first);
    for name in ["anvil", "anvil", "rocket"] {
        tx.defer(INSERT, params![acme.uuid(), new_id(), name]);
    }
    let error = tx.commit().await.expect_err("the name is taken");
    assert_eq!(error.constraint(), Some("item_name"));
    let rows = shop
        .db
        .app
        .begin(&mut scope(acme))
        .read(NAMES, &[])
        .await
        .expect("read");
    assert!(rows.is_empty(), "COMMIT answered, but as a rollback");
}

// No tenant may hold more than its share: with 4 connections a tenant gets 3, another still finds one.
// covers: TN-05
#[tokio::test]
async fn a_tenant_cannot_take_every_connection() {
    let shop = Shop::new(4).await;
    let (greedy, other) = (TenantId::new(), TenantId::new());
    let mut scopes: Vec<_> = (0..3).map(|_| scope(greedy)).collect();
    let mut held = Vec::new();
    for scope in &mut scopes {
        let mut tx = shop.db.app.begin(scope);
        tx.query("select 1", &[])
            .await
            .expect("a connection of the share");
        held.push(tx);
    }
    let mut impatient =
        stoa_kernel::SystemScope::named("shop.test").scope(greedy, std::time::Duration::from_millis(100));
    let refused = shop
        .db
        .app
        .begin(&mut impatient)
        .read("select 1", &[])
        .await
        .expect_err("above the share");
    assert!(refused.to_string().contains("share"), "{refused}");
    shop.db
        .app
        .begin(&mut scope(other))
        .read("select 1", &[])
        .await
        .expect("another tenant is served");
    for tx in held {
        tx.rollback().await;
    }
}
