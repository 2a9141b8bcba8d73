//! The problems that only this service has. Each code stands in the gateway's `docs/problems.rs`, with its remedy.

use http::StatusCode;
use stoa_contracts::user::MAX_TEAM;
use stoa_kernel::{DbError, FieldError, Problem};

/// The constraint by which a handle is unique.
const HANDLE_LIVE: &str = "person_handle_live";

/// What a constraint of the schema means to the client.
pub(crate) fn of_constraint(error: DbError) -> Problem {
    match error.constraint() {
        Some("person_email_live") => email_taken(),
        Some(HANDLE_LIVE) => Problem::conflict(
            "users.handle_taken",
            "another user has this handle; choose another handle",
        ),
        Some("team_name_live") => Problem::conflict(
            "teams.name_taken",
            "another team has this name; choose another name",
        ),
        _ => error.into(),
    }
}

/// Whether a handle was taken by somebody else in the meantime.
pub(crate) fn is_handle_taken(error: &DbError) -> bool {
    error.constraint() == Some(HANDLE_LIVE)
}

/// 409: an address is one user's.
pub(crate) fn email_taken() -> Problem {
    Problem::conflict(
        "users.email_taken",
        "another user has this e-mail address; change one of the two",
    )
}

/// 409: archived users do not change.
pub(crate) fn archived() -> Problem {
    Problem::conflict("users.archived", "the user is archived; restore it first")
}

/// 409: only what is archived can be restored.
pub(crate) fn not_archived() -> Problem {
    Problem::conflict("users.not_archived", "the user is not archived")
}

/// 409: nobody archives themselves, so that whoever does it is there to undo it.
pub(crate) fn oneself() -> Problem {
    Problem::conflict(
        "users.oneself",
        "you cannot archive yourself; ask another administrator to do it",
    )
}

/// 409: archived teams do not change.
pub(crate) fn team_archived() -> Problem {
    Problem::conflict("teams.archived", "the team is archived; restore it first")
}

/// 409: only what is archived can be restored.
pub(crate) fn team_not_archived() -> Problem {
    Problem::conflict("teams.not_archived", "the team is not archived")
}

/// 409: no room for one more member.
pub(crate) fn team_full() -> Problem {
    let detail =
        format!("the team has {MAX_TEAM} members, which is the most; remove one or make another team");
    Problem::conflict("teams.full", detail)
}

/// 403: nobody lets themselves see more by the scope `team`.
pub(crate) fn widens_own_view() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "teams.widens_own_view",
        "Forbidden",
        "you would see more rows yourself, since you are in the team or would be; ask somebody with iam:write",
    )
}

/// 422: a field breaks a rule.
pub(crate) fn field(pointer: &str, rule: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, rule, detail)])
}
