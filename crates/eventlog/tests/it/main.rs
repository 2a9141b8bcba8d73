//! The event log against real PostgreSQL servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

mod caught_up;
mod delivery;
mod epoch;
mod failure;
mod harness;
mod jobs;
mod jobs_desk;
mod jobs_failure;
mod jobs_queue;
mod operator;
mod retention;
mod torture;
