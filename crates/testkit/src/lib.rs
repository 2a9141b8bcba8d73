//! What tests and benchmarks need to run against real servers. Never a dependency of anything that ships.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a panic here is the failure of a test"
)]

pub mod oidc;
pub mod platform;
pub mod postgres;
pub mod service;
pub mod smtp;
