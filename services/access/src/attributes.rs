//! The attributes that conditions may name, by resource.

use stoa_policy::{AttributeType, Schema, Schemas};

/// What every business record has: an owner and a branch. A condition on anything else is refused when saved.
#[must_use]
pub(crate) fn schemas() -> Schemas {
    let owned = || Schema::with_owner_and_branch("owner_id", "branch_id");
    Schemas::from([(
        "customers".to_owned(),
        owned().with("status", AttributeType::Text, "status"),
    )])
}
