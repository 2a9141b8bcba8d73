//! The gateway against a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests, not only tests, may fail a test"
)]

mod harness;
mod live;
mod routes;
mod seeding;
