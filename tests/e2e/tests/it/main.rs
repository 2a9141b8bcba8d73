//! The black-box suite. Every journey runs in both topologies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    clippy::string_slice,
    clippy::print_stderr
)]

mod access;
mod api;
mod browser;
mod catalogue;
mod cli;
mod collector;
mod conventions;
mod coverage;
mod journey;
mod oauth;
mod oidc_client;
mod openapi;
mod outage;
mod plans;
mod processes;
mod refresh;
mod telemetry;
mod tokens;
mod up;
