//! Migrations run once, in order, and refuse drift.

use crate::support::{SHOP, admin_options, migrate_shop, options, password};
use stoa_kernel::migrate::{MigrateError, Migration, Schema, Step, migrate, verify};
use stoa_testkit::postgres;

// covers: DB-01
#[tokio::test]
async fn migrations_run_once_and_at_the_same_time() {
    let server = postgres::shared().await.expect("a server");
    let database = server.create_database(None).await.expect("a database");
    let admin = admin_options(&database);
    let (one, two) = tokio::join!(migrate_shop(&admin), migrate_shop(&admin));
    one.expect("one of two");
    two.expect("the other");
    let mut steps = Vec::new();
    migrate(&admin, &[SHOP], &password, &[], &mut |step| steps.push(step))
        .await
        .expect("again");
    assert!(
        matches!(steps.as_slice(), [Step::UpToDate { schema: "shop" }]),
        "{steps:?}"
    );
}

// covers: DB-01
#[tokio::test]
async fn an_edited_migration_and_a_missing_one_are_refused() {
    const EDITED: Schema = Schema {
        name: "shop",
        migrations: &[Migration {
            name: "0001_init",
            sql: "select 'edited'",
        }],
    };
    const NEWER: Schema = Schema {
        name: "shop",
        migrations: &[
            SHOP.migrations[0],
            Migration {
                name: "0002_more",
                sql: "select 1",
            },
        ],
    };
    const OLDER: Schema = Schema {
        name: "shop",
        migrations: &[],
    };
    let server = postgres::shared().await.expect("a server");
    let database = server.create_database(None).await.expect("a database");
    migrate_shop(&admin_options(&database)).await.expect("migrate");
    let app = options(&database, "stoa_shop_app", "app", 1);
    verify(&app, &[SHOP]).await.expect("fits");
    verify(&app, &[OLDER])
        .await
        .expect("a database that is ahead is fine");
    let drift = verify(&app, &[EDITED]).await.expect_err("drift");
    assert!(matches!(drift, MigrateError::Drift { .. }), "{drift}");
    let missing = verify(&app, &[NEWER]).await.expect_err("missing");
    assert!(
        missing.to_string().contains("0002_more") && missing.to_string().contains("stoa migrate"),
        "{missing}"
    );
    let refused = migrate(&admin_options(&database), &[EDITED], &password, &[], &mut |_| {}).await;
    assert!(refused.is_err(), "the migrator refuses drift, too");
}

// covers: DB-01
#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    const BROKEN: Schema = Schema {
        name: "shop",
        migrations: &[Migration {
            name: "0001_broken",
            sql: "create table shop.half (id int); select 1 / 0",
        }],
    };
    let server = postgres::shared().await.expect("a server");
    let database = server.create_database(None).await.expect("a database");
    let error = migrate(&admin_options(&database), &[BROKEN], &password, &[], &mut |_| {})
        .await
        .expect_err("fails");
    assert!(
        error.to_string().contains("shop/0001_broken") && error.to_string().contains("division by zero"),
        "{error}"
    );
    let client = database.connect_as_superuser().await.expect("connect");
    let row = client
        .query_one("select to_regclass('shop.half') is null", &[])
        .await
        .expect("query");
    assert!(row.get::<_, bool>(0));
}
