//! The identity service against a real PostgreSQL.

mod accounts;
mod flow;
mod harness;
mod logout;
mod tokens;
