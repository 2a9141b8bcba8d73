//! The problems that only this service has. Each code stands in the gateway's `docs/problems.rs`, with its remedy.

use stoa_kernel::{DbError, Problem};

/// What a constraint of the schema means to the client.
pub(crate) fn of_constraint(error: DbError) -> Problem {
    match error.constraint() {
        Some("__resource___name_live") => Problem::conflict(
            "__resources__.name_taken",
            "another __resource__ has this name; choose another name",
        ),
        _ => error.into(),
    }
}

/// 409: archived __resources__ do not change.
pub(crate) fn archived() -> Problem {
    Problem::conflict("__resources__.archived", "the __resource__ is archived; restore it first")
}

/// 409: only what is archived can be restored.
pub(crate) fn not_archived() -> Problem {
    Problem::conflict("__resources__.not_archived", "the __resource__ is not archived")
}
