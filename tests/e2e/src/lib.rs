//! Black-box tests of the whole platform, each run with everything in one process and split into several.
//!
//! The tests speak HTTP to the real binary. What they share is here: a database with the demo data, made once per
//! test process and cloned for each test.

use anyhow::Context;
use std::sync::{Arc, Mutex, PoisonError};
use stoa_kernel::config::{Config, Role, ServiceConfig};
use stoa_platform::serve::Server;
use stoa_platform::{demo, migrate, services};
use stoa_telemetry::{Format, Options, Telemetry};
use stoa_testkit::platform::{Platform, Topology, role_password};
use stoa_testkit::postgres::{self, Database, TestDatabase, TestServer};

/// A running platform with the demo data.
///
/// # Errors
/// What could not be prepared or started.
pub async fn start(topology: Topology) -> anyhow::Result<Platform> {
    Platform::start(topology, database().await?).await
}

/// Like [`start`], with more configuration in TOML.
///
/// # Errors
/// As [`start`].
pub async fn start_with(topology: Topology, extra: &str) -> anyhow::Result<Platform> {
    Platform::start_with(topology, database().await?, extra).await
}

/// A database with the demo data, of this test alone.
///
/// # Errors
/// When PostgreSQL is missing or the template cannot be made.
pub async fn database() -> anyhow::Result<TestDatabase> {
    database_on(postgres::shared().await?).await
}

/// Like [`database`], on a server that the test may stop.
///
/// # Errors
/// As [`database`].
pub async fn database_on(server: &TestServer) -> anyhow::Result<TestDatabase> {
    let template = server
        .template("demo", |db| async move { prepare(&db).await })
        .await?;
    server.create_database(Some(&template)).await
}

/// Migrates and seeds a database as `stoa up` does.
///
/// # Errors
/// What failed.
pub async fn prepare(db: &Database) -> anyhow::Result<()> {
    let config = config(db)?;
    migrate::run(&config, &mut |_| {}).await?;
    let server = Server::start(config, &[], telemetry()?).await?;
    server.ready().await;
    let seeded = demo::seed(&server.mesh).await.context("seeding");
    server.stop().await;
    seeded
}

/// This process's telemetry, which can be started once only.
fn telemetry() -> anyhow::Result<Arc<Telemetry>> {
    static STARTED: Mutex<Option<Arc<Telemetry>>> = Mutex::new(None);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(telemetry) = &*started {
        return Ok(telemetry.clone());
    }
    let telemetry = Arc::new(Telemetry::start(Options {
        service: "template".into(),
        instance: "test".into(),
        format: Format::Text,
        filter: "error".into(),
        otlp_endpoint: None,
        sample_ratio: 0.0,
    })?);
    Ok(started.insert(telemetry).clone())
}

/// The configuration of everything in one process on `db`.
///
/// # Errors
/// When the database's options cannot be read.
pub fn config(db: &Database) -> anyhow::Result<Config> {
    let admin = db.superuser_config();
    let mut config = Config::default();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.admin_listen = ([127, 0, 0, 1], 0).into();
    config.database.host = db.socket_dir().display().to_string();
    config.database.name = db.name().to_owned();
    config.database.migrate_user = admin.get_user().map(str::to_owned);
    config.database.migrate_password = admin
        .get_password()
        .map(|p| String::from_utf8_lossy(p).into_owned());
    // Seeding hashes five passwords; the tests verify them often. The smallest memory keeps that quick.
    config.identity.hash_memory_kib = 64;
    for service in services::all() {
        let password = |role: Role| Some(role_password(&role.name(service.name)));
        let own = ServiceConfig {
            app_password: password(Role::App),
            system_password: password(Role::System),
            ..ServiceConfig::default()
        };
        config.services.insert(service.name.to_owned(), own);
    }
    Ok(config)
}

/// Declares journeys: each becomes two tests, `NAME::one_process` and `NAME::split`.
#[macro_export]
macro_rules! journeys {
    ($($(#[$meta:meta])* async fn $name:ident($platform:ident: &mut Platform) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn journey($platform: &mut stoa_testkit::platform::Platform) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn one_process() {
                let topology = stoa_testkit::platform::Topology::OneProcess;
                journey(&mut $crate::start(topology).await.expect("the platform")).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn split() {
                let topology = stoa_testkit::platform::Topology::Split;
                journey(&mut $crate::start(topology).await.expect("the platform")).await;
            }
        }
    )+};
}
