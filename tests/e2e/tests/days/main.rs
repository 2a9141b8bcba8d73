//! Temporary.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs, unreachable_pub)]
#[path = "../it/api.rs"]
mod api;
#[path = "../it/cli.rs"]
mod cli;
#[path = "../it/collector.rs"]
mod collector;
#[path = "../it/journey.rs"]
mod journey;
#[path = "../it/outage.rs"]
mod outage;
#[path = "../it/processes.rs"]
mod processes;
#[path = "../it/telemetry.rs"]
mod telemetry;
#[path = "../it/up.rs"]
mod up;
