//! Seeds follow the services' paths and leave an operator's edits alone.

use crate::harness::{Process, TENANT, catalogue, database, migrate, until};
use std::collections::BTreeMap;
use stoa_testkit::postgres::TestDatabase;

async fn routes(database: &TestDatabase) -> BTreeMap<String, (String, i64)> {
    let client = database.connect_as_superuser().await.unwrap();
    let rows = client
        .query(
            "select name, target ->> 'service', version from gateway.platform_route",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get(0), (row.get(1), row.get(2))))
        .collect()
}

// covers: GW-01
#[tokio::test]
async fn seeding_again_changes_nothing_and_never_an_operators_edit() {
    let database = database().await;
    let first = routes(&database).await;
    assert_eq!(first["customer /api/customers"], ("customer".to_owned(), 1));
    migrate(&database, &catalogue()).await.unwrap();
    assert_eq!(routes(&database).await, first);

    let client = database.connect_as_superuser().await.unwrap();
    client
        .batch_execute(
            "update gateway.platform_route set origin = 'operator', enabled = false, version = version + 1
             where name = 'customer /api/customers'",
        )
        .await
        .unwrap();
    let mut moved = catalogue();
    moved.paths.retain(|(path, _)| *path != "/problems");
    for (path, service) in &mut moved.paths {
        if *path == "/docs" || *path == "/api/customers" {
            *service = "elsewhere";
        }
    }
    migrate(&database, &moved).await.unwrap();
    let after = routes(&database).await;
    assert_eq!(
        after["customer /api/customers"],
        ("customer".to_owned(), 2),
        "the operator's"
    );
    assert_eq!(
        after["elsewhere /docs"],
        ("elsewhere".to_owned(), 2),
        "follows its service"
    );
    assert!(!after.contains_key("gateway /problems"), "nobody asks for it");
}

// covers: GW-01
#[tokio::test]
async fn a_broken_row_keeps_the_last_good_routes() {
    let database = database().await;
    let process = Process::start(&database).await;
    let client = database.connect_as_superuser().await.unwrap();
    client
        .batch_execute(
            "update gateway.platform_route set predicates = '{\"paths\": [\"no slash\"]}', version = version + 1
             where name = 'gateway /docs'",
        )
        .await
        .unwrap();
    client
        .batch_execute("update gateway.platform_route set version = version + 1 where name = 'gateway /'; notify stoa_routes")
        .await
        .unwrap();
    // The table that holds the broken route is not published, so the documentation still answers.
    for _ in 0..20 {
        process.send(None, "GET /docs", None, &[]).await.expect(200);
        process.get(TENANT, "/api/customers/1").await.expect(200);
        tokio::task::yield_now().await;
    }
    client
        .batch_execute(
            "update gateway.platform_route set predicates = '{\"paths\": [\"/handbook\"]}', version = version + 1
             where name = 'gateway /docs'; notify stoa_routes",
        )
        .await
        .unwrap();
    until("the mended table is in force", async || {
        process.send(None, "GET /docs", None, &[]).await.status == 404
    })
    .await;
}
