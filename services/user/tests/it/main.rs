//! The user service against a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, not only tests, may fail a test"
)]

mod acting;
mod calls;
mod lists;
mod myself;
mod plans;
mod roles;
mod support;
mod teams;
mod users;
