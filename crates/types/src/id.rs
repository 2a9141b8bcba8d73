//! Typed ids: a UUIDv7 (RFC 9562, section 5.7) each, so that keys sort by creation time and a customer's
//! id cannot be passed where a branch's is meant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A new UUIDv7. The only source of ids, so that tests and imports agree on their order.
#[must_use]
#[allow(clippy::disallowed_methods)]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

macro_rules! typed_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id.
            #[must_use]
            pub fn new() -> Self {
                Self(new_id())
            }
            /// The UUID inside, for database parameters.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    )*};
}

typed_id! {
    /// A tenant: the unit of isolation.
    TenantId;
    /// A person or machine that can sign in.
    UserId;
    /// A role of one tenant.
    RoleId;
    /// A grant of a permission to a role.
    GrantId;
    /// An assignment of a role to a user.
    AssignmentId;
    /// An endpoint rule.
    RuleId;
    /// An organisation of a tenant.
    OrganizationId;
    /// A branch of an organisation.
    BranchId;
    /// A customer.
    CustomerId;
    /// An entry of a customer's timeline.
    ActivityId;
    /// An event in the log (the CloudEvents `id`).
    EventId;
    /// A contact.
    ContactId;
    /// A long-running operation.
    OperationId;
    /// A team of users.
    TeamId;
    /// A call, meeting, e-mail or note.
    InteractionId;
    /// A saved condition on customers.
    SegmentId;
    /// A custom field's definition.
    FieldId;
    /// A merge of two records.
    MergeId;
    /// A file that was sent to be imported.
    UploadId;
}
