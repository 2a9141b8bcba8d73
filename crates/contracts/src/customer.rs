//! Customers: what the customer service tells and answers.
//!
//! A customer is a person: events carry ids, the status and the names of changed fields, never a value (EV-16).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::{Call, Event};
use stoa_types::{BranchId, CustomerId, FieldId, MergeId, SegmentId, UserId};
use uuid::Uuid;

/// The topic of every event here.
pub const TOPIC: &str = "domain.customer.events";

/// Where a customer stands in its lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CustomerStatus {
    /// Known, not yet won.
    Lead,
    /// Buys.
    Active,
    /// Bought, and may again.
    Inactive,
    /// Given up.
    Lost,
}

impl CustomerStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Lead, Self::Active, Self::Inactive, Self::Lost];

    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Lost => "lost",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// A customer was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCreated {
    /// The customer.
    pub customer_id: CustomerId,
    /// Its status.
    pub status: CustomerStatus,
    /// Its branch.
    pub branch_id: BranchId,
    /// The user who looks after it.
    pub owner_id: UserId,
    /// Its version after the change.
    pub version: i64,
}

/// Fields of a customer were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerUpdated {
    /// The customer.
    pub customer_id: CustomerId,
    /// The names of the changed fields, as in the API; their values are read from the service.
    pub changed: Vec<String>,
    /// Its branch after the change.
    pub branch_id: BranchId,
    /// Its owner after the change.
    pub owner_id: UserId,
    /// Its version after the change.
    pub version: i64,
}

/// A customer took another status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerStatusChanged {
    /// The customer.
    pub customer_id: CustomerId,
    /// The status before.
    pub from: CustomerStatus,
    /// The status now.
    pub to: CustomerStatus,
    /// Its version after the change.
    pub version: i64,
}

/// A customer was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerArchived {
    /// The customer.
    pub customer_id: CustomerId,
    /// Its version after the change.
    pub version: i64,
}

/// An archived customer is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerRestored {
    /// The customer.
    pub customer_id: CustomerId,
    /// Its version after the change.
    pub version: i64,
}

/// Another customer was merged into this one; the other's `archived` event comes with it, and this one's `updated` when
/// fields changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerMerged {
    /// The survivor.
    pub customer_id: CustomerId,
    /// The other customer, which is archived now.
    pub from: CustomerId,
    /// The merge.
    pub merge_id: MergeId,
    /// The names of the fields that the survivor took.
    pub changed: Vec<String>,
    /// The survivor's version after the merge.
    pub version: i64,
}

/// A merge was undone; the other customer's `restored` event comes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerUnmerged {
    /// The survivor.
    pub customer_id: CustomerId,
    /// The other customer, which is live again.
    pub from: CustomerId,
    /// The merge.
    pub merge_id: MergeId,
    /// The survivor's version after it.
    pub version: i64,
}

macro_rules! customer_events {
    ($($name:ident = $verb:literal;)+) => {$(
        impl Event for $name {
            const TOPIC: &'static str = TOPIC;
            const TYPE: &'static str = concat!("dev.stoa.customer.customer.", $verb, ".v1");
            const AGGREGATE: &'static str = "customer";

            fn aggregate_id(&self) -> Uuid {
                self.customer_id.uuid()
            }

            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

customer_events! {
    CustomerCreated = "created";
    CustomerUpdated = "updated";
    CustomerStatusChanged = "status_changed";
    CustomerArchived = "archived";
    CustomerRestored = "restored";
    CustomerMerged = "merged";
    CustomerUnmerged = "unmerged";
}

/// What happened to a custom field's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldChange {
    /// It was defined.
    Created,
    /// It reads differently or has other rules.
    Updated,
    /// It takes no new values.
    Archived,
    /// It takes values again.
    Restored,
}

/// A custom field's definition was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChanged {
    /// The field.
    pub field_id: FieldId,
    /// What happened.
    pub change: FieldChange,
    /// Its version after the change.
    pub version: i64,
}

impl Event for FieldChanged {
    const TOPIC: &'static str = TOPIC;
    const TYPE: &'static str = "dev.stoa.customer.field.changed.v1";
    const AGGREGATE: &'static str = "field";

    fn aggregate_id(&self) -> Uuid {
        self.field_id.uuid()
    }

    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// What happened to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SegmentChange {
    /// It was saved for the first time.
    Created,
    /// Its name or its condition is another.
    Updated,
    /// It is gone.
    Deleted,
}

/// A saved condition on customers was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentChanged {
    /// The segment.
    pub segment_id: SegmentId,
    /// What happened.
    pub change: SegmentChange,
    /// Its version after the change.
    pub version: i64,
}

impl Event for SegmentChanged {
    const TOPIC: &'static str = TOPIC;
    const TYPE: &'static str = "dev.stoa.customer.segment.changed.v1";
    const AGGREGATE: &'static str = "segment";

    fn aggregate_id(&self) -> Uuid {
        self.segment_id.uuid()
    }

    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// Creates customers in the scope's tenant, for imports and seeds; ids that exist are skipped.
///
/// All or nothing: a row that breaks a rule refuses the whole call and is named by its index.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportCustomers {
    /// At most 1,000.
    pub customers: Vec<NewCustomer>,
}

/// One customer to import.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewCustomer {
    /// Its id.
    pub id: CustomerId,
    /// Its name, 2 to 200 characters.
    pub name: String,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its phone number, `^\+?[1-9]\d{1,14}$`.
    pub phone: Option<String>,
    /// Its status.
    pub status: CustomerStatus,
    /// Its branch, which must exist in the organization service.
    pub branch_id: BranchId,
    /// The user who looks after it.
    pub owner_id: UserId,
    /// Its line of business.
    pub sector: Option<String>,
    /// Yearly revenue in minor units of the tenant's currency; 0 when unknown.
    pub revenue_minor: i64,
    /// How many people work there.
    pub employees: Option<i32>,
    /// Where its office is.
    pub office_location: Option<String>,
}

/// The answer to [`ImportCustomers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// How many were new.
    pub created: u32,
}

impl Call for ImportCustomers {
    const SERVICE: &'static str = "customer";
    const NAME: &'static str = "customer.import_customers";
    const BUDGET: std::time::Duration = std::time::Duration::from_secs(10);
    type Reply = Imported;
}

/// Asks which customers the user of the scope may see: decides `customers:read` on each, and leaves out those that do not
/// exist or are out of sight. Archived ones are seen like live ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeeCustomers {
    /// At most [`MAX_SEEN`].
    pub ids: Vec<CustomerId>,
}

/// The most customers of one [`SeeCustomers`].
pub const MAX_SEEN: usize = 100;

/// The answer to [`SeeCustomers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenCustomers {
    /// Those that the user sees, in no order.
    pub customers: Vec<SeenCustomer>,
}

/// A customer that the user sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenCustomer {
    /// The customer.
    pub id: CustomerId,
    /// The user who looks after it.
    pub owner_id: UserId,
    /// Its branch.
    pub branch_id: BranchId,
    /// Whether it is archived.
    pub archived: bool,
}

impl Call for SeeCustomers {
    const SERVICE: &'static str = "customer";
    const NAME: &'static str = "customer.see_customers";
    type Reply = SeenCustomers;
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: EV-07, QA-04
    #[test]
    fn the_wire_form_of_the_events_stays() {
        let json = r#"{"customerId":"00000000-0000-0000-0000-000000000001","from":"lead","to":"active","version":2}"#;
        let event: CustomerStatusChanged = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(
            CustomerStatusChanged::TYPE,
            "dev.stoa.customer.customer.status_changed.v1"
        );
        let json = r#"{"customerId":"00000000-0000-0000-0000-000000000001","status":"lead","branchId":"00000000-0000-0000-0000-000000000002","ownerId":"00000000-0000-0000-0000-000000000003","version":1}"#;
        let event: CustomerCreated = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
    }

    // covers: EV-07, QA-04
    #[test]
    fn the_wire_form_of_merges_and_definitions_stays() {
        let json = r#"{"customerId":"00000000-0000-0000-0000-000000000001","from":"00000000-0000-0000-0000-000000000002","mergeId":"00000000-0000-0000-0000-000000000003","changed":["name"],"version":2}"#;
        let event: CustomerMerged = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(CustomerMerged::TYPE, "dev.stoa.customer.customer.merged.v1");
        let json = r#"{"fieldId":"00000000-0000-0000-0000-000000000001","change":"archived","version":2}"#;
        let event: FieldChanged = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        let json = r#"{"segmentId":"00000000-0000-0000-0000-000000000001","change":"deleted","version":2}"#;
        let event: SegmentChanged = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
    }

    #[test]
    fn every_status_has_its_name() {
        for status in CustomerStatus::ALL {
            assert_eq!(CustomerStatus::named(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
