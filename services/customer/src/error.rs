//! The problems that only this service has.

use crate::model::{MAX_FIELDS, MAX_KEPT_FIELDS};
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::{DbError, FieldError, Problem};
use stoa_types::CustomerId;

/// What a constraint of the schema means to the client.
pub(crate) fn of_constraint(error: DbError) -> Problem {
    match error.constraint() {
        Some("customer_email_live") => Problem::conflict(
            "customers.email_taken",
            "another customer has this e-mail address; change one of the two",
        ),
        Some("customer_external_key_live") => Problem::conflict(
            "customers.external_key_taken",
            "another customer has this external key; change one of the two",
        ),
        Some("field_key") => Problem::conflict(
            "customers.field_key_taken",
            "another field has this key; archived fields count, and can be restored",
        ),
        Some("segment_name") => Problem::conflict(
            "customers.segment_name_taken",
            "another segment has this name; choose another",
        ),
        _ => error.into(),
    }
}

/// 409: what was merged comes back by undoing the merge.
pub(crate) fn merged() -> Problem {
    Problem::conflict(
        "customers.merged",
        "the customer was merged into another; undo the merge instead (GET /api/customers/{id}/merges of the survivor)",
    )
}

/// 412: the other customer of a merge was changed since it was read.
pub(crate) fn stale_other(current: i64) -> Problem {
    let detail = format!("names an old version of the other customer, the current one is {current}");
    let mut problem = Problem::stale(current);
    problem.detail = format!("/fromVersion {detail}; read it again and repeat");
    problem.with_errors(vec![FieldError::new("/fromVersion", "stale", detail)])
}

/// 409: a merge is undone once.
pub(crate) fn merge_undone() -> Problem {
    Problem::conflict("customers.merge_undone", "the merge was undone already")
}

/// 409: the survivor was itself merged since.
pub(crate) fn merge_order(survivor: CustomerId) -> Problem {
    let detail = format!("the survivor was merged into customer {survivor} since; undo that merge first");
    Problem::conflict("customers.merge_order", detail)
}

/// 409: archived fields do not change.
pub(crate) fn field_archived() -> Problem {
    Problem::conflict(
        "customers.field_archived",
        "the field is archived; restore it first",
    )
}

/// 409: only what is archived can be restored.
pub(crate) fn field_not_archived() -> Problem {
    Problem::conflict("customers.field_not_archived", "the field is not archived")
}

/// 409: the tenant has as many fields as it can have.
pub(crate) fn too_many_fields() -> Problem {
    let detail = format!(
        "a tenant has at most {MAX_FIELDS} custom fields, and {MAX_KEPT_FIELDS} with the archived ones; archive one \
         first, or restore an archived one instead of defining another"
    );
    Problem::conflict("customers.too_many_fields", detail)
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

/// 409: the tenant keeps as many files to import as it can.
pub(crate) fn too_many_uploads() -> Problem {
    Problem::conflict(
        "customers.too_many_uploads",
        "the tenant keeps 500 files to import, or 4 GiB; they are forgotten seven days after they were sent",
    )
}
