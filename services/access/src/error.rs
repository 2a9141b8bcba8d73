//! What the database's constraints mean to a client.

use crate::model::Grant;
use crate::store;
use http::StatusCode;
use stoa_kernel::{DbError, FieldError, Problem};

/// A broken constraint in the client's words.
pub(crate) fn refused(error: DbError) -> Problem {
    match error.constraint() {
        Some("role_name_key") => role_name_taken(),
        Some("role_parent_parent_fkey" | "assignment_role_fkey") => role_in_use(),
        Some("assignment_user_role_key") => already_assigned(),
        Some("tenant_slug_key") => Problem::conflict(
            "iam.slug_taken",
            "another tenant has this slug; choose a different one",
        ),
        _ => error.into(),
    }
}

pub(crate) fn role_name_taken() -> Problem {
    Problem::conflict(
        "iam.role_name_taken",
        "another role has this name; choose a different one",
    )
}

pub(crate) fn role_in_use() -> Problem {
    Problem::conflict(
        "iam.role_in_use",
        "users hold this role or other roles inherit from it; take it from them first",
    )
}

pub(crate) fn already_assigned() -> Problem {
    Problem::conflict(
        "iam.already_assigned",
        "the user holds this role already; delete that assignment to change its period",
    )
}

pub(crate) fn last_administrator() -> Problem {
    Problem::conflict(
        "iam.last_administrator",
        "nobody would be left who holds iam:write without end, and nobody could repair that; give it to another user \
         first",
    )
}

/// The refusal of a change of what holds `grant`, a role or a user, by somebody who does not.
pub(crate) fn exceeds_own_rights(what: &str, grant: &Grant) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "iam.exceeds_own_rights",
        "Forbidden",
        format!(
            "the {what} has a grant ({} {} in the scope {}) that you do not hold for as long and on the same rows; ask \
             somebody with iam:write",
            store::grant::effect_text(grant.effect),
            grant.permission,
            grant.scope.as_str()
        ),
    )
}

pub(crate) fn unknown_role(pointer: &str) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, "unknown", "there is no such role")])
}

pub(crate) fn unknown_user() -> Problem {
    let detail = "there is no such user";
    Problem::invalid(vec![FieldError::new("/userId", "unknown", detail)])
}

pub(crate) fn archived_user() -> Problem {
    let detail = "the user is archived; restore the user first";
    Problem::invalid(vec![FieldError::new("/userId", "archived", detail)])
}

pub(crate) fn unknown_branch() -> Problem {
    Problem::invalid(vec![FieldError::new(
        "/branchId",
        "unknown",
        "there is no such branch",
    )])
}
