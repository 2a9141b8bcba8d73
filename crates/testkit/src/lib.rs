//! What tests and benchmarks need to run against real servers. Never a dependency of anything that ships.

pub mod oidc;
pub mod platform;
pub mod postgres;
