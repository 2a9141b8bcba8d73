//! PostgreSQL for tests: one throw-away server per test process, one cloned database per test.
//!
//! The server has no durability and goes away with the process, however that ends (see [`reaper`]). Nothing is
//! reachable over TCP. Roles belong to the server, not to a database: create them in a template's `init`, which runs
//! once, or idempotently.

mod database;
mod initdb_cache;
mod janitor;
mod reaper;
mod server;

pub use database::{Database, TestDatabase};
pub use server::{DedicatedServer, TestServer, dedicated, shared};
