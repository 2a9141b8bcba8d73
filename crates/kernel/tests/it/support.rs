//! A schema `shop` with one tenant table, one system table and the idempotency rows.

use std::time::Duration;
use stoa_kernel::config::Role;
use stoa_kernel::db::{ConnectOptions, Pools};
use stoa_kernel::migrate::{Migration, Schema, migrate};
use stoa_kernel::{Database, Scope, SystemScope};
use stoa_testkit::postgres::{self, TestDatabase};
use stoa_types::TenantId;

pub const SHOP: Schema = Schema {
    name: "shop",
    migrations: &[Migration {
        name: "0001_init",
        sql: include_str!("../migrations/0001_init.sql"),
    }],
};

const TEST: SystemScope = SystemScope::named("shop.test");

pub fn scope(tenant: TenantId) -> Scope {
    TEST.scope(tenant, Duration::from_secs(10))
}

/// A migrated database of its own, and the options to reach it.
pub struct Shop {
    /// Dropped, and with it the database, at the end of the test.
    _database: TestDatabase,
    pub db: Pools,
}

impl Shop {
    /// Opens pools of `connections` each.
    pub async fn new(connections: usize) -> Self {
        let server = postgres::shared().await.expect("a PostgreSQL server");
        let template = server
            .template("kernel-shop", |db| async move {
                migrate_shop(&admin_options(&db)).await
            })
            .await
            .expect("the template");
        let database = server.create_database(Some(&template)).await.expect("a database");
        let db = Pools {
            app: Database::open(&options(&database, "stoa_shop_app", "app", connections)).expect("app"),
            system: Database::open(&options(&database, "stoa_shop_system", "system", connections))
                .expect("system"),
        };
        Self {
            _database: database,
            db,
        }
    }
}

pub async fn migrate_shop(options: &ConnectOptions) -> anyhow::Result<()> {
    migrate(options, &[SHOP], &password, &[], &mut |_| {}).await
}

pub fn password(_: &str, role: Role) -> Result<String, stoa_kernel::config::ConfigError> {
    Ok(if role == Role::App { "app" } else { "system" }.to_owned())
}

pub fn admin_options(db: &postgres::Database) -> ConnectOptions {
    let config = db.superuser_config();
    let password = String::from_utf8(config.get_password().unwrap_or_default().to_vec()).expect("utf-8");
    options(db, config.get_user().expect("a user"), &password, 1)
}

pub fn options(db: &postgres::Database, user: &str, password: &str, connections: usize) -> ConnectOptions {
    ConnectOptions {
        host: db.socket_dir().display().to_string(),
        port: 5432,
        dbname: db.name().to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        max_connections: connections,
        statement_timeout: Duration::from_secs(5),
        application_name: "kernel tests".to_owned(),
        on_connect: None,
    }
}
