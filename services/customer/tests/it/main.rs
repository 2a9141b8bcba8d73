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

mod bulk;
mod commands;
mod custom_fields;
mod duplicates;
mod exports;
mod filters;
mod imports;
mod imports_again;
mod imports_at_work;
mod imports_bad_input;
mod lists;
mod merges;
mod owners;
mod plans;
mod segments;
mod support;
mod tags;
mod timeline;
