//! Migrations: versioned SQL per service, with checksums, run by a role that no server process holds.
//!
//! A server refuses to start on drift: a migration that it needs is missing, or one was edited after it ran.
//! Migrations that it does not know are fine: a newer release has expanded the schema before the old one stopped.

mod run;
mod store;

pub use run::{Passwords, Step, migrate, verify};

use crate::db::Params;
use sha2::{Digest, Sha256};

/// One step of a service's schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `0001_what`; the number orders.
    pub name: &'static str,
    /// The statements, run in one transaction.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-256 of the statements, in hex; line endings do not count.
    #[must_use]
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.sql.replace("\r\n", "\n")))
    }
}

/// Embeds migrations: `migrations!["0001_init", "0002_tags"]` reads `../migrations/0001_init.sql` beside `src/`.
#[macro_export]
macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$($crate::migrate::Migration {
            name: $name,
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
        }),*]
    };
}

/// A schema with its migrations: a service's, or the event log's.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The schema's name.
    pub name: &'static str,
    /// Its migrations, in order.
    pub migrations: &'static [Migration],
}

/// A statement to run after the migrations, as the owner of the schemas.
pub struct SeedStatement {
    /// The statement; it must be harmless to run again.
    pub sql: &'static str,
    /// Its parameters.
    pub params: Params,
}

/// A failed migration, or a schema that does not fit this binary.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database does not answer or refuses.
    #[error("cannot migrate while {doing}: {source}")]
    Database {
        /// What was being done.
        doing: String,
        /// The driver's error, with the server's message.
        source: tokio_postgres::Error,
    },
    /// The database lets the role not in, which waiting does not change.
    #[error(
        "the database refuses {user}: {source}; check its password, and that `stoa migrate` has made the database's roles"
    )]
    Refused {
        /// The role.
        user: String,
        /// The driver's error, with the server's message.
        source: tokio_postgres::Error,
    },
    /// A migration's text is not the one that ran.
    #[error(
        "migration {schema}/{name} was changed after it ran (checksum {applied} in the database, {expected} in this \
         binary); restore its text and add a new migration instead"
    )]
    Drift {
        /// The schema.
        schema: String,
        /// The migration.
        name: String,
        /// The checksum in the database.
        applied: String,
        /// The checksum in this binary.
        expected: String,
    },
    /// The database is older than this binary.
    #[error("the database lacks migration {schema}/{name}; run `stoa migrate` first")]
    Missing {
        /// The schema.
        schema: String,
        /// The migration.
        name: String,
    },
}
