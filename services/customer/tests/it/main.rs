//! The customer service against a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests, not only tests, may fail a test"
)]

#[path = "../../../../crates/policy/tests/it/generate.rs"]
mod generate;
mod harness;

mod commands;
mod filters;
mod lists;
mod plans;
mod support;
mod timeline;
