//! The gateway against a real PostgreSQL.

mod harness;
mod live;
mod routes;
mod seeding;
