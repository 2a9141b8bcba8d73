//! A database with the event log and one service.

use crate::postgres::{self, TestDatabase};
use std::time::Duration;
use stoa_kernel::config::{ConfigError, Role};
use stoa_kernel::db::{ConnectOptions, Pools};
use stoa_kernel::migrate::Schema;
use stoa_kernel::service::Catalogue;
use stoa_kernel::{Database, Service};

/// The password of every role that a service logs in as.
pub const ROLE_PASSWORD: &str = "only for tests";

/// What the platform would know if the service were alone in it.
#[must_use]
pub fn catalogue(service: &Service) -> Catalogue {
    let name = service.name;
    Catalogue {
        permissions: service
            .permissions
            .iter()
            .map(|(permission, description)| (*permission, name, *description))
            .collect(),
        resources: service
            .resources
            .iter()
            .map(|resource| (resource.name.to_owned(), (resource.schema)()))
            .collect(),
        endpoint_rules: stoa_kernel::openapi::endpoint_rules(&(service.openapi)()),
        paths: service.paths.iter().map(|path| (*path, name)).collect(),
    }
}

/// Migrates and seeds as the superuser.
///
/// # Errors
/// What the migrations say.
pub async fn migrate(
    database: &postgres::Database,
    service: &Service,
    catalogue: &Catalogue,
) -> anyhow::Result<()> {
    let superuser = database.superuser_config();
    let password = String::from_utf8_lossy(superuser.get_password().unwrap_or_default()).into_owned();
    let mut options = options(database, superuser.get_user().unwrap_or_default(), &password);
    options.on_connect = None;
    let own = Schema {
        name: service.name,
        migrations: service.migrations,
    };
    let seeds = service.seed.map(|seed| seed(catalogue)).unwrap_or_default();
    let passwords = |_: &str, _: Role| -> Result<String, ConfigError> { Ok(ROLE_PASSWORD.to_owned()) };
    stoa_kernel::migrate::migrate(
        &options,
        &[stoa_eventlog::SCHEMA, own],
        &passwords,
        &seeds,
        &mut |_| {},
    )
    .await
}

/// A database of this test alone, cloned from one that was migrated once.
///
/// # Panics
/// When PostgreSQL is missing or the migrations fail.
pub async fn clone_of(service: fn() -> Service, catalogue: fn(&Service) -> Catalogue) -> TestDatabase {
    let server = postgres::shared().await.expect("a PostgreSQL server");
    let template = server
        .template(service().name, |database| async move {
            let service = service();
            migrate(&database, &service, &catalogue(&service)).await
        })
        .await
        .expect("a migrated template");
    server.create_database(Some(&template)).await.expect("a database")
}

/// The service's two pools.
pub(super) fn pools(database: &postgres::Database, service: &str) -> Pools {
    let open =
        |role: Role| Database::open(&options(database, &role.name(service), ROLE_PASSWORD)).expect("a pool");
    Pools {
        app: open(Role::App),
        system: open(Role::System),
    }
}

fn options(database: &postgres::Database, user: &str, password: &str) -> ConnectOptions {
    ConnectOptions {
        host: database.socket_dir().display().to_string(),
        port: database.superuser_config().get_ports()[0],
        dbname: database.name().to_owned(),
        user: user.to_owned(),
        password: password.to_owned(),
        max_connections: 8,
        statement_timeout: Duration::from_secs(10),
        application_name: "service-test".to_owned(),
        on_connect: Some(stoa_eventlog::ON_CONNECT),
    }
}
