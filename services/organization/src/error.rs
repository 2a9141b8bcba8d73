//! The problems that only this service has.

use stoa_kernel::{DbError, FieldError, Problem};

/// What a constraint of the schema means to the client.
pub(crate) fn of_constraint(error: DbError) -> Problem {
    match error.constraint() {
        Some("organization_name_live") => Problem::conflict(
            "organizations.name_taken",
            "another organisation has this name; choose another name",
        ),
        Some("branch_name_live") => Problem::conflict(
            "branches.name_taken",
            "a branch beside it has this name; choose another name",
        ),
        _ => error.into(),
    }
}

/// 409: archived organisations and branches do not change.
pub(crate) fn archived(what: &str) -> Problem {
    Problem::conflict(
        "organizations.archived",
        format!("the {what} is archived; restore it first"),
    )
}

/// 409: only what is archived can be restored.
pub(crate) fn not_archived(what: &str) -> Problem {
    Problem::conflict(
        "organizations.not_archived",
        format!("the {what} is not archived"),
    )
}

/// 409: live branches stand in the way of archiving.
pub(crate) fn has_branches(what: &str) -> Problem {
    Problem::conflict(
        "organizations.has_branches",
        format!("the {what} still has live branches; archive or move them first"),
    )
}

/// 422: the branch above is not there, or not for this caller.
pub(crate) fn no_parent() -> Problem {
    parent("unknown", "there is no such live branch in this organisation")
}

/// 422: the branch above breaks a rule of the tree.
pub(crate) fn parent(rule: &str, detail: impl Into<String>) -> Problem {
    Problem::invalid(vec![FieldError::new("/parentId", rule, detail)])
}
