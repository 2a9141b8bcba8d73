//! The event log against real PostgreSQL servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

mod delivery;
mod epoch;
mod failure;
mod harness;
mod operator;
mod retention;
mod torture;
