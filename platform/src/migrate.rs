//! `stoa migrate`: brings every database of the platform to this binary's schema.

use crate::services;
use anyhow::Context;
use std::collections::BTreeMap;
use stoa_kernel::Service;
use stoa_kernel::config::{Config, Role};
use stoa_kernel::migrate::{MigrateError, Step, migrate, verify};

/// Migrates and seeds. Services that share a database are migrated together.
///
/// # Errors
/// What failed, with the migration's name; migrations that ran before stay.
pub async fn run(config: &Config, progress: &mut (dyn FnMut(Step) + Send)) -> anyhow::Result<()> {
    let services = services::all();
    let catalogue = services::catalogue(&services);
    for group in by_database(config, services) {
        let first = group.first().map_or("", |s| s.name);
        let options = config.migrate_options(first)?;
        let schemas = services::schemas(&group);
        let seeds = services::seeds(&group, &catalogue);
        let passwords = |service: &str, role| config.role_password(service, role);
        migrate(&options, &schemas, &passwords, &seeds, progress)
            .await
            .with_context(|| format!("migrating {options:?}"))?;
    }
    Ok(())
}

/// Checks, as the services' own roles, that their databases fit this binary.
///
/// # Errors
/// [`MigrateError`] that says what is missing or was changed.
pub async fn check(config: &Config, services: &[&Service]) -> anyhow::Result<()> {
    // The configuration first: what it lacks need not wait for a database.
    for service in services {
        config.connect_options(service.name, Role::System)?;
        config.connect_options(service.name, Role::App)?;
    }
    for service in services {
        let options = config.connect_options(service.name, Role::App)?;
        let own = stoa_kernel::migrate::Schema {
            name: service.name,
            migrations: service.migrations,
        };
        wait_for(&options, &[stoa_eventlog::SCHEMA, own]).await?;
    }
    Ok(())
}

/// A database that is just starting gets half a minute; a schema that does not fit is final.
async fn wait_for(
    options: &stoa_kernel::db::ConnectOptions,
    schemas: &[stoa_kernel::migrate::Schema],
) -> anyhow::Result<()> {
    let give_up = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        match verify(options, schemas).await {
            Ok(()) => return Ok(()),
            Err(error @ MigrateError::Database { .. }) if tokio::time::Instant::now() < give_up => {
                tracing::warn!(%error, "the database does not answer yet; trying again");
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn by_database(config: &Config, services: Vec<Service>) -> Vec<Vec<Service>> {
    let mut groups: BTreeMap<(String, u16, String), Vec<Service>> = BTreeMap::new();
    for service in services {
        let database = config.database_of(service.name);
        let key = (database.host.clone(), database.port, database.name.clone());
        groups.entry(key).or_default().push(service);
    }
    groups.into_values().collect()
}
