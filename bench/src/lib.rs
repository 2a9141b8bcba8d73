//! Benchmarks: each figure is measured together with its peer in the same run and reported as a ratio to it.
//!
//! `docs/benchmarks.md` says how each is measured. Nothing here asserts a time: a benchmark prints, and fails only when
//! an answer is wrong.
#![allow(clippy::print_stdout, reason = "printing results is what this program is for")]

mod client;
pub mod cpu;
pub mod database;

pub mod decide;
pub mod docs;
pub mod import;
pub mod list_customers;
pub mod log;
pub mod machine;
mod population;
pub mod proxy;
pub mod read_customer;
pub mod report;
pub mod start;
pub mod statistics;
pub mod stoa;
