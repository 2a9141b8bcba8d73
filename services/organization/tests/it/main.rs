//! The organization service against a real PostgreSQL.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

#[path = "../../../customer/tests/it/harness.rs"]
mod harness;

mod organizations;
mod tree;
