//! Transaction ids die with their cluster: dump and restore, promotion, restart.

use crate::harness::{Fixture, PASSWORD, Shop, migrate, options};
use std::path::Path;
use std::process::Command;
use stoa_kernel::Database;
use stoa_testkit::postgres::{self, DedicatedServer};
use stoa_types::TenantId;
use tokio::sync::oneshot;

/// Runs one of PostgreSQL's client programs.
pub(crate) async fn run_program(name: &str, arguments: &[&str]) {
    let program = stoa_pgcluster::find_server().unwrap().program(name);
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .output()
        .await
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {complaint}");
}

/// Dumps `url` while whoever writes goes on writing.
pub(crate) async fn dump(url: &str, file: &Path) {
    run_program(
        "pg_dump",
        &["--format=custom", "--file", file.to_str().unwrap(), url],
    )
    .await;
}

/// A fresh cluster with the platform's roles and the database `name` from a dump.
pub(crate) async fn restore(file: &Path, name: &str) -> DedicatedServer {
    let server = postgres::dedicated().await.unwrap();
    let roles_only = server.create_database(None).await.unwrap();
    migrate(&roles_only.superuser_config()).await.unwrap();
    let admin = server.database("postgres").connect_as_superuser().await.unwrap();
    admin
        .batch_execute(&format!("create database {name} template template0"))
        .await
        .unwrap();
    let url = server.database(name).superuser_url();
    run_program(
        "pg_restore",
        &["--dbname", &url, "--exit-on-error", file.to_str().unwrap()],
    )
    .await;
    server
}

// covers: EV-04
#[tokio::test(flavor = "multi_thread")]
async fn after_dump_and_restore_into_a_fresh_cluster_nothing_is_lost_or_repeated() {
    let mut old = Fixture::new().await;
    // The old cluster's ids are far ahead of what a fresh one starts with.
    for _ in 0..20 {
        let burn = "do $$ begin for i in 1..200 loop perform pg_current_xact_id(); commit; end loop; end $$";
        old.admin.batch_execute(burn).await.unwrap();
    }
    let (item, slow) = (stoa_types::new_id(), stoa_types::new_id());
    old.start();
    for _ in 0..5 {
        old.shop.change(item, "ok").await;
    }
    old.until_count("select count(*) from shop.effect", 5).await;
    // From here on nobody ticks or consumes: these are in the dump, after the last tick.
    old.stop.cancel();
    old.stopped().await;
    let (drawn, wait_drawn) = oneshot::channel();
    let (release, wait_release) = oneshot::channel::<()>();
    let shop = old.shop.clone();
    let writer = tokio::spawn(async move {
        let held = async {
            drawn.send(()).unwrap();
            wait_release.await.unwrap();
        };
        shop.change_while(slow, "ok", held).await.unwrap()
    });
    wait_drawn.await.unwrap();
    old.shop.change(item, "ok").await;
    release.send(()).unwrap();
    writer.await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump");
    dump(&old.database.superuser_url(), &file).await;
    old.shop.change(item, "ok").await;

    let server = restore(&file, "restored").await;
    let config = server.database("restored").superuser_config();
    let admin = server.database("restored").connect_as_superuser().await.unwrap();

    let mut unchecked = options(&config, "stoa_shop_app", PASSWORD);
    unchecked.on_connect = None;
    let mut shop = Shop::open(&config, old.shop.tenant);
    let checked = std::mem::replace(&mut shop.pools.app, Database::open(&unchecked).unwrap());
    let refused = shop.change_while(item, "ok", async {}).await.unwrap_err();
    let why = with_causes(&refused);
    assert!(why.contains("has not checked this server"), "{why}");

    shop.pools.app = checked;
    for _ in 0..5 {
        shop.change(item, "ok").await;
    }
    let fresh: bool = admin
        .query_one(
            "select max(xid) filter (where epoch = 2) < min(xid) filter (where epoch = 1) and count(*) = 12 from log.event",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert!(
        fresh,
        "the new events have lower transaction ids than all old ones"
    );
    old.move_to(shop, admin);
    old.start();
    old.until_count("select count(*) from shop.effect", 12).await;
    assert_eq!(old.versions(item).await, (1..=11).collect::<Vec<_>>());
    assert_eq!(old.versions(slow).await, [1]);
    assert_eq!(old.count("select epoch::bigint from log.cell").await, 2);
    old.stop.cancel();
    old.stopped().await;
}

/// The pool still holds connections to the server that was; the first uses may find that out.
async fn change_again(shop: &Shop, item: uuid::Uuid) {
    let mut last = String::new();
    for _ in 0..50 {
        match shop.change_while(item, "ok", async {}).await {
            Ok(_) => return,
            Err(error) => last = with_causes(&error),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the shop cannot write after the restart: {last}");
}

fn with_causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_causes(source)),
        None => error.to_string(),
    }
}

// covers: EV-04
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_epoch_and_a_promotion_opens_one() {
    let server = postgres::dedicated().await.unwrap();
    let database = server.create_database(None).await.unwrap();
    let config = database.superuser_config();
    migrate(&config).await.unwrap();
    let shop = Shop::open(&config, TenantId::new());
    let item = stoa_types::new_id();
    shop.change(item, "ok").await;
    let epoch = async || -> i32 {
        let admin = database.connect_as_superuser().await.unwrap();
        admin
            .query_one("select epoch from log.cell", &[])
            .await
            .unwrap()
            .get(0)
    };

    server.restart().await.unwrap();
    change_again(&shop, item).await;
    assert_eq!(epoch().await, 1);

    let admin = database.connect_as_superuser().await.unwrap();
    let folder: String = admin.query_one("show data_directory", &[]).await.unwrap().get(0);
    server.stop().await.unwrap();
    let signal = Path::new(&folder).join("standby.signal");
    assert!(Command::new("touch").arg(&signal).status().unwrap().success());
    server.start().await.unwrap();
    let admin = database.connect_as_superuser().await.unwrap();
    admin.batch_execute("select pg_promote()").await.unwrap();
    change_again(&shop, item).await;
    assert_eq!(epoch().await, 2, "another timeline");

    let fixture = Fixture::over(shop, admin).await;
    fixture.start();
    fixture.until_count("select count(*) from shop.effect", 3).await;
    assert_eq!(fixture.versions(item).await, [1, 2, 3]);
    fixture.stop.cancel();
    fixture.stopped().await;
}
