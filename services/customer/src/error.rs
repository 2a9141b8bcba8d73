//! The problems that only this service has.

use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::{DbError, FieldError, Problem};

/// What a constraint of the schema means to the client.
pub(crate) fn of_constraint(error: DbError) -> Problem {
    match error.constraint() {
        Some("customer_email_live") => Problem::conflict(
            "customers.email_taken",
            "another customer has this e-mail address; change one of the two",
        ),
        _ => error.into(),
    }
}

/// 409: archived customers do not change.
pub(crate) fn archived() -> Problem {
    Problem::conflict("customers.archived", "the customer is archived; restore it first")
}

/// 409: only what is archived can be restored.
pub(crate) fn not_archived() -> Problem {
    Problem::conflict("customers.not_archived", "the customer is not archived")
}

/// 409: the lifecycle has no such move.
pub(crate) fn no_such_move(from: CustomerStatus, next: &[CustomerStatus]) -> Problem {
    let next: Vec<_> = next.iter().map(|s| s.as_str()).collect();
    let detail = format!(
        "a customer who is {} can become {} only",
        from.as_str(),
        next.join(" or ")
    );
    Problem::conflict("customers.status_move", detail)
}

/// 422: the branch breaks a rule.
pub(crate) fn branch(rule: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError::new("/branchId", rule, detail)])
}
