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
mod authlib;
mod browser;
mod catalogue;
mod cli;
mod collector;
mod consistency;
mod contact;
mod contact_interactions;
mod contact_links;
mod conventions;
mod coverage;
mod customer_records;
mod doctor;
mod imports;
mod journey;
mod mail;
mod oauth;
mod observability;
mod oidc_client;
mod openapi;
mod outage;
mod plans;
mod processes;
mod refresh;
mod scopes;
mod telemetry;
mod tokens;
mod traces;
mod up;
mod user;
