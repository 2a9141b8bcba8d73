//! Runs and verifies migrations.

use super::{MigrateError, Migration, Schema, SeedStatement, store};
use crate::config::Role;
use crate::db::ConnectOptions;
use std::collections::BTreeMap;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

/// Progress of [`migrate`], for the terminal.
#[derive(Debug, Clone)]
pub enum Step {
    /// A migration ran.
    Applied {
        /// The schema.
        schema: &'static str,
        /// The migration.
        name: &'static str,
    },
    /// Everything in this schema had run before.
    UpToDate {
        /// The schema.
        schema: &'static str,
    },
}

/// A role's SCRAM verifier is computed here, so that no password travels to the server or into its log.
pub type Passwords<'a> = &'a (dyn Fn(&str, Role) -> Result<String, crate::config::ConfigError> + Sync);

/// Creates roles and schemas, runs what is missing, then the seeds. Safe to run again and at the same time.
///
/// # Errors
/// [`MigrateError`]; each migration is a transaction, so what ran before stays.
pub async fn migrate(
    options: &ConnectOptions,
    schemas: &[Schema],
    passwords: Passwords<'_>,
    seeds: &[SeedStatement],
    progress: &mut (dyn FnMut(Step) + Send),
) -> anyhow::Result<()> {
    let client = connect(options).await?;
    batch(&client, "waiting for another migration", store::LOCK).await?;
    let mut result = locked(&client, schemas, passwords, seeds, progress).await;
    for _ in 0..20 {
        if !result.as_ref().is_err_and(is_race_for_roles) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        result = locked(&client, schemas, passwords, seeds, progress).await;
    }
    let unlocked = batch(&client, "releasing the migration lock", store::UNLOCK).await;
    result?;
    Ok(unlocked?)
}

/// Roles belong to the server, the lock to one database: migrations of two databases can meet at a role. Whoever loses
/// tries again; what it has done so far stays done.
fn is_race_for_roles(error: &anyhow::Error) -> bool {
    let Some(MigrateError::Database { source, .. }) = error.downcast_ref() else {
        return false;
    };
    source.as_db_error().is_some_and(|e| {
        e.message() == "tuple concurrently updated"
            || e.constraint().is_some_and(|name| name.starts_with("pg_auth"))
    })
}

async fn locked(
    client: &Client,
    schemas: &[Schema],
    passwords: Passwords<'_>,
    seeds: &[SeedStatement],
    progress: &mut (dyn FnMut(Step) + Send),
) -> anyhow::Result<()> {
    batch(client, "creating the base schema", store::BASE).await?;
    for schema in schemas {
        prepare_schema(client, schema.name, passwords).await?;
    }
    for schema in schemas {
        let applied = applied(client, schema.name).await?;
        let mut ran = false;
        for migration in schema.migrations {
            match applied.get(migration.name) {
                Some(checksum) => check(schema.name, migration, checksum)?,
                None => {
                    apply(client, schema.name, migration).await?;
                    ran = true;
                    progress(Step::Applied {
                        schema: schema.name,
                        name: migration.name,
                    });
                }
            }
        }
        if !ran {
            progress(Step::UpToDate { schema: schema.name });
        }
    }
    let has_log: bool = client
        .query_one(store::HAS_LOG, &[])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(failed("looking for the event log"))?;
    for schema in schemas.iter().filter(|s| has_log && s.name != "log") {
        client
            .execute(store::ATTACH_LOG, &[&schema.name])
            .await
            .map_err(failed("attaching the event log"))?;
    }
    seed(client, seeds).await
}

/// Checks that the database fits this binary.
///
/// # Errors
/// [`MigrateError::Missing`] or [`MigrateError::Drift`] with what to do.
pub async fn verify(options: &ConnectOptions, schemas: &[Schema]) -> Result<(), MigrateError> {
    let client = connect(options).await?;
    let ledger = client
        .query_one(store::HAS_LEDGER, &[])
        .await
        .and_then(|row| row.try_get::<_, bool>(0))
        .map_err(failed("looking for the migration ledger"))?;
    for schema in schemas {
        let applied = if ledger {
            applied(&client, schema.name).await?
        } else {
            BTreeMap::new()
        };
        for migration in schema.migrations {
            let Some(checksum) = applied.get(migration.name) else {
                return Err(MigrateError::Missing {
                    schema: schema.name.into(),
                    name: migration.name.into(),
                });
            };
            check(schema.name, migration, checksum)?;
        }
    }
    Ok(())
}

fn check(schema: &str, migration: &Migration, applied: &str) -> Result<(), MigrateError> {
    let expected = migration.checksum();
    if applied == expected {
        return Ok(());
    }
    Err(MigrateError::Drift {
        schema: schema.to_owned(),
        name: migration.name.to_owned(),
        applied: applied.to_owned(),
        expected,
    })
}

async fn connect(options: &ConnectOptions) -> Result<Client, MigrateError> {
    let (client, connection) = options
        .driver_config()
        .connect(NoTls)
        .await
        .map_err(|source| match source.code() {
            Some(
                &SqlState::INVALID_PASSWORD
                | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                | &SqlState::INVALID_CATALOG_NAME,
            ) => MigrateError::Refused {
                user: options.user.clone(),
                source,
            },
            _ => failed(&format!("connecting as {options:?}"))(source),
        })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the migration's connection ended");
        }
    });
    Ok(client)
}

/// The service's schema and its two roles. `log` is the event log's schema, which every service's roles share.
async fn prepare_schema(client: &Client, schema: &str, passwords: Passwords<'_>) -> anyhow::Result<()> {
    if schema != "log" {
        for role in [Role::App, Role::System] {
            let name = role.name(schema);
            let exists: bool = client
                .query_one(store::ROLE_EXISTS, &[&name])
                .await
                .and_then(|row| row.try_get(0))
                .map_err(failed("looking for a role"))?;
            let verb = if exists { "alter" } else { "create" };
            let verifier = postgres_protocol::password::scram_sha_256(passwords(schema, role)?.as_bytes());
            // Names come from the binary and the verifier is base64 text: nothing here is input.
            let sql = format!(
                "{verb} role {name} login nosuperuser nobypassrls nocreaterole nocreatedb password '{verifier}'"
            );
            batch(client, &format!("creating role {name}"), &sql).await?;
        }
    }
    let mut sql = format!("create schema if not exists \"{schema}\" authorization stoa_owner;");
    if schema != "log" {
        sql.push_str(&format!(
            "grant usage on schema \"{schema}\" to stoa_{schema}_app, stoa_{schema}_system;"
        ));
    }
    Ok(batch(client, &format!("creating schema {schema}"), &sql).await?)
}

async fn apply(client: &Client, schema: &str, migration: &Migration) -> Result<(), MigrateError> {
    let doing = format!("running migration {schema}/{}", migration.name);
    let sql = format!("begin; set local role stoa_owner; {}", migration.sql);
    let result = async {
        batch(client, &doing, &sql).await?;
        client
            .execute(store::RECORD, &[&schema, &migration.name, &migration.checksum()])
            .await
            .map_err(failed(&doing))?;
        batch(client, &doing, "commit").await
    }
    .await;
    if result.is_err() {
        batch(client, &doing, "rollback").await?;
    }
    result
}

async fn seed(client: &Client, seeds: &[SeedStatement]) -> anyhow::Result<()> {
    batch(client, "seeding", "begin; set local role stoa_owner").await?;
    for SeedStatement { sql, params } in seeds {
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|p| &**p as _).collect();
        if let Err(error) = client.execute(*sql, &params).await {
            batch(client, "seeding", "rollback").await?;
            return Err(failed("seeding")(error).into());
        }
    }
    Ok(batch(client, "seeding", "commit").await?)
}

async fn applied(client: &Client, schema: &str) -> Result<BTreeMap<String, String>, MigrateError> {
    let rows = client
        .query(store::APPLIED, &[&schema])
        .await
        .map_err(failed("reading the migration ledger"))?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, tokio_postgres::Error>>()
        .map_err(failed("reading the migration ledger"))
}

async fn batch(client: &Client, doing: &str, sql: &str) -> Result<(), MigrateError> {
    client.batch_execute(sql).await.map_err(failed(doing))
}

fn failed(doing: &str) -> impl FnOnce(tokio_postgres::Error) -> MigrateError {
    let doing = doing.to_owned();
    move |source| {
        let doing = match source.as_db_error() {
            Some(db) => format!("{doing} ({})", db.message()),
            None => doing,
        };
        MigrateError::Database { doing, source }
    }
}
