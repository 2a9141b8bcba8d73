//! The access service against a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail")]

mod acting;
mod administration;
mod branches;
mod changes;
mod decisions;
mod delegation;
mod events;
mod harness;
mod house;
mod migration;
mod plans;
mod rights;
mod roles;
mod seeding;
mod teams;
