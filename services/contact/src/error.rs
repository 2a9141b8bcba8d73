//! The problems that only this service has. Each code stands in the gateway's `docs/problems.rs`, with its remedy.

use stoa_kernel::Problem;

/// 409: archived contacts do not change.
pub(crate) fn archived() -> Problem {
    Problem::conflict("contacts.archived", "the contact is archived; restore it first")
}

/// 409: only what is archived can be restored.
pub(crate) fn not_archived() -> Problem {
    Problem::conflict("contacts.not_archived", "the contact is not archived")
}

/// 409: an archived customer gets no new contacts.
pub(crate) fn customer_archived() -> Problem {
    Problem::conflict("customers.archived", "the customer is archived; restore it first")
}

/// 409: the contact has the most customers it may.
pub(crate) fn too_many_links(most: usize) -> Problem {
    let detail = format!("a contact is linked to at most {most} customers; remove a link first");
    Problem::conflict("contacts.too_many_customers", detail)
}
