//! The trust boundary against a real PostgreSQL.

mod cancellation;
mod idempotency;
mod migrations;
mod outage;
mod support;
mod tenancy;
