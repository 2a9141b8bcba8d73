//! The __service__ service against a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

mod plans;
mod rights;
