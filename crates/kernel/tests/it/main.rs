//! The trust boundary against a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]

mod cancellation;
mod idempotency;
mod migrations;
mod outage;
mod support;
mod tenancy;
