//! The black-box suite. Every journey runs in both topologies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, unreachable_pub)]

mod access;
mod api;
mod browser;
mod catalogue;
mod conventions;
mod coverage;
mod journey;
mod openapi;
mod plans;
mod oauth;
mod oidc_client;
mod refresh;
mod tokens;
mod cli;
mod collector;
mod outage;
mod processes;
mod telemetry;
mod up;
