//! The identity service against a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests fail by panicking, in their helpers too"
)]

mod accounts;
mod browser;
mod flow;
mod harness;
mod links;
mod lockout;
mod logout;
mod tokens;
mod users;
