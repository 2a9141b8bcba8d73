//! The access service against a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail")]

mod administration;
mod branches;
mod changes;
mod decisions;
mod harness;
mod plans;
mod roles;
mod seeding;
