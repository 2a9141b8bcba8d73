//! The statements of the migration runner.

/// What every database of the platform has before any service: the ledger, and the procedures that make a table
/// safe in one line.
pub(super) const BASE: &str = include_str!("base.sql");

pub(super) const LOCK: &str = "select pg_advisory_lock(7046029254386353131)";
pub(super) const UNLOCK: &str = "select pg_advisory_unlock(7046029254386353131)";

pub(super) const APPLIED: &str = "select name, checksum from stoa.migration where schema = $1 order by name";
pub(super) const HAS_LEDGER: &str = "select to_regclass('stoa.migration') is not null";
pub(super) const RECORD: &str = "insert into stoa.migration (schema, name, checksum) values ($1, $2, $3)";

pub(super) const ROLE_EXISTS: &str = "select exists (select from pg_roles where rolname = $1)";

/// The event log grants itself to each service's roles; `log.attach` is part of its schema.
pub(super) const HAS_LOG: &str = "select to_regprocedure('log.attach(text)') is not null";
pub(super) const ATTACH_LOG: &str = "call log.attach($1)";
