//! Customers: types and rules. Pure; the types are also what the API answers with.

mod duplicate;
mod field;
mod merge;
mod segment;
mod tag;
pub(crate) mod value;

pub(crate) use duplicate::{Probe, refusal as duplicate_refusal};
pub(crate) use field::{MAX_FIELDS, MAX_KEPT_FIELDS, checked_custom};
pub(crate) use merge::{Merged, Outcome, Taken, merge, relink, unmerge};
pub(crate) use tag::{checked_tags, tag_key};

pub use duplicate::{CreatedCustomer, Duplicate, Likeness};
pub use field::{Field, FieldInput, FieldRules, FieldType};
pub use merge::{Choice, Merge, MergeInput, MergeResult, UndoResult};
pub use segment::{Segment, SegmentInput};
pub use tag::{TagChange, TagCount, TagsInUse};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use stoa_contracts::customer::{
    CustomerArchived, CustomerCreated, CustomerRestored, CustomerStatus, CustomerStatusChanged,
    CustomerUpdated,
};
use stoa_kernel::{Problem, Record, Validation};
use stoa_policy::{AttributeType, Attributes, BRANCH_ATTRIBUTE, OWNER_ATTRIBUTE, Schema, ValueRef};
use stoa_types::{ActivityId, BranchId, CustomerId, UserId};

/// The largest integer that every JSON reader holds exactly (RFC 8259, section 6).
const MAX_JSON_INT: i64 = (1 << 53) - 1;

/// What conditions and data scopes of grants on `customers:…` may ask.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::with_owner_and_branch("owner_id", "branch_id")
        .with("status", AttributeType::Text, "status")
        .with("sector", AttributeType::Text, "sector")
        .with("revenueMinor", AttributeType::Int, "revenue_minor")
        .with("employees", AttributeType::Int, "employees")
});

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name.
    pub name: String,
    /// Its e-mail address, in lower case.
    pub email: Option<String>,
    /// Its phone number.
    pub phone: Option<String>,
    /// Where it stands in its lifecycle.
    pub status: CustomerStatus,
    /// Its line of business.
    pub sector: Option<String>,
    /// Yearly revenue in minor units of the tenant's currency; 0 when unknown.
    pub revenue_minor: i64,
    /// How many people work there.
    pub employees: Option<i64>,
    /// Where its office is.
    pub office_location: Option<String>,
    /// Its branch.
    pub branch_id: BranchId,
    /// The user who looks after it.
    pub owner_id: UserId,
    /// Its tags, in alphabetical order.
    pub tags: Vec<String>,
    /// Its custom fields' values by key.
    pub custom: Map<String, Value>,
    /// Its key in the system that it was imported from.
    pub external_key: Option<String>,
    /// The customer that it was merged into; absent while it stands for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<CustomerId>,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What a client says of a customer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "name": "Acme Corporation", "email": "office@acme.example", "phone": "+4930123456", "sector": "technology",
    "revenueMinor": 110_004, "employees": 2822, "officeLocation": "United States"
}))]
pub struct CustomerInput {
    /// 2 to 200 characters.
    pub name: String,
    /// An e-mail address; unique among live customers.
    pub email: Option<String>,
    /// `^\+?[1-9]\d{1,14}$`
    pub phone: Option<String>,
    /// `lead` for a new customer unless given. An old one keeps its status here: `POST …/status` changes it.
    pub status: Option<CustomerStatus>,
    /// At most 100 characters.
    pub sector: Option<String>,
    /// Yearly revenue in minor units of the tenant's currency; 0 when unknown.
    #[serde(default)]
    pub revenue_minor: i64,
    /// How many people work there.
    pub employees: Option<i64>,
    /// At most 200 characters.
    pub office_location: Option<String>,
    /// The caller's branch for a new customer, and unchanged for an old one, unless given.
    pub branch_id: Option<BranchId>,
    /// The caller for a new customer, and unchanged for an old one, unless given.
    pub owner_id: Option<UserId>,
    /// At most 20 of 1 to 40 characters, kept in lower case; unchanged for an old customer unless given.
    pub tags: Option<Vec<String>>,
    /// Values of custom fields by key, as `GET /api/customers/fields` defines them; unchanged for an old customer unless
    /// given. Given, they replace all.
    pub custom: Option<Map<String, Value>>,
    /// Its key in another system, at most 100 characters; unique among live customers. Unchanged for an old customer
    /// unless given; an empty text removes it.
    pub external_key: Option<String>,
}

impl CustomerInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let checked = Self {
            name: check.text("/name", &self.name, 2..=200),
            email: check.email("/email", self.email.as_deref()),
            phone: check.phone("/phone", self.phone.as_deref()),
            sector: check.optional_text("/sector", self.sector.as_deref(), 1..=100),
            revenue_minor: check.number("/revenueMinor", self.revenue_minor, 0..=MAX_JSON_INT),
            employees: self
                .employees
                .map(|n| check.number("/employees", n, 0..=MAX_JSON_INT)),
            office_location: check.optional_text("/officeLocation", self.office_location.as_deref(), 1..=200),
            tags: self.tags.map(|tags| checked_tags(&mut check, "/tags", &tags)),
            external_key: self
                .external_key
                .map(|key| check.text("/externalKey", &key, 0..=100)),
            ..self
        };
        check.finish(checked)
    }
}

impl From<&Customer> for CustomerInput {
    fn from(customer: &Customer) -> Self {
        Self {
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            status: Some(customer.status),
            sector: customer.sector.clone(),
            revenue_minor: customer.revenue_minor,
            employees: customer.employees,
            office_location: customer.office_location.clone(),
            branch_id: Some(customer.branch_id),
            owner_id: Some(customer.owner_id),
            tags: Some(customer.tags.clone()),
            custom: Some(customer.custom.clone()),
            external_key: customer.external_key.clone(),
        }
    }
}

/// A customer's next status.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "status": "active" }))]
pub struct StatusChange {
    /// The status to take.
    pub status: CustomerStatus,
}

/// How many customers the caller sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerStats {
    /// All live customers.
    pub total: i64,
    /// Of these, leads.
    pub lead: i64,
    /// Of these, active ones.
    pub active: i64,
    /// Of these, inactive ones.
    pub inactive: i64,
    /// Of these, lost ones.
    pub lost: i64,
}

impl CustomerStats {
    pub(crate) fn count(&mut self, status: CustomerStatus, n: i64) {
        self.total += n;
        *match status {
            CustomerStatus::Lead => &mut self.lead,
            CustomerStatus::Active => &mut self.active,
            CustomerStatus::Inactive => &mut self.inactive,
            CustomerStatus::Lost => &mut self.lost,
        } += n;
    }
}

/// An entry of a customer's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Its id.
    pub id: ActivityId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened: `created`, `updated`, `statusChanged`, `archived`, `restored`, `merged`, `unmerged`,
    /// `branchMoved`, `branchRenamed`, `branchArchived`, `branchRestored`, `contactLinked`, `contactUnlinked`,
    /// `interactionLogged`, `interactionUpdated` or `interactionDeleted`.
    pub kind: String,
    /// Who did it: a user's id, or the name of a system scope.
    pub actor: String,
    /// More about it, by kind: `from` and `to`, `changed`, the branch's `name`, `contactId`, or `interactionId` with its
    /// `kind`.
    pub details: serde_json::Value,
}

/// The statuses that may follow one.
pub(crate) fn next_statuses(from: CustomerStatus) -> &'static [CustomerStatus] {
    use CustomerStatus::{Active, Inactive, Lead, Lost};
    match from {
        Lead => &[Active, Lost],
        Active => &[Inactive, Lost],
        Inactive => &[Active, Lost],
        Lost => &[Lead],
    }
}

impl Customer {
    /// A customer from checked input. Its custom values are as given: [`checked_custom`] needs their definitions.
    pub(crate) fn new(
        id: CustomerId,
        input: CustomerInput,
        branch_id: BranchId,
        owner_id: UserId,
        record: Record,
    ) -> Self {
        Self {
            id,
            name: input.name,
            email: input.email,
            phone: input.phone,
            status: input.status.unwrap_or(CustomerStatus::Lead),
            sector: input.sector,
            revenue_minor: input.revenue_minor,
            employees: input.employees,
            office_location: input.office_location,
            branch_id,
            owner_id,
            tags: input.tags.unwrap_or_default(),
            custom: input.custom.unwrap_or_default(),
            external_key: input.external_key.filter(|key| !key.is_empty()),
            merged_into: None,
            record,
        }
    }

    /// With the fields of checked input; the status stays, and the record is the caller's to change.
    pub(crate) fn with(&self, input: CustomerInput) -> Self {
        let (branch, owner) = (
            input.branch_id.unwrap_or(self.branch_id),
            input.owner_id.unwrap_or(self.owner_id),
        );
        let input = CustomerInput {
            status: Some(self.status),
            tags: input.tags.or_else(|| Some(self.tags.clone())),
            custom: input.custom.or_else(|| Some(self.custom.clone())),
            external_key: input.external_key.or_else(|| self.external_key.clone()),
            ..input
        };
        Self {
            merged_into: self.merged_into,
            ..Self::new(self.id, input, branch, owner, self.record.clone())
        }
    }

    /// The names of the fields in which two versions differ, as in the API; custom ones as `custom.key`.
    pub(crate) fn changed_fields(&self, after: &Self) -> Vec<String> {
        let own = [
            ("name", self.name != after.name),
            ("email", self.email != after.email),
            ("phone", self.phone != after.phone),
            ("sector", self.sector != after.sector),
            ("revenueMinor", self.revenue_minor != after.revenue_minor),
            ("employees", self.employees != after.employees),
            ("officeLocation", self.office_location != after.office_location),
            ("branchId", self.branch_id != after.branch_id),
            ("ownerId", self.owner_id != after.owner_id),
            ("tags", self.tags != after.tags),
            ("externalKey", self.external_key != after.external_key),
        ];
        let own = own.into_iter().filter(|(_, differs)| *differs);
        let keys: BTreeSet<&String> = self.custom.keys().chain(after.custom.keys()).collect();
        let custom = keys
            .into_iter()
            .filter(|key| self.custom.get(*key) != after.custom.get(*key));
        own.map(|(name, _)| name.to_owned())
            .chain(custom.map(|key| format!("custom.{key}")))
            .collect()
    }

    pub(crate) fn created(&self) -> CustomerCreated {
        CustomerCreated {
            customer_id: self.id,
            status: self.status,
            branch_id: self.branch_id,
            owner_id: self.owner_id,
            version: self.record.version,
        }
    }

    pub(crate) fn updated(&self, changed: Vec<String>) -> CustomerUpdated {
        CustomerUpdated {
            customer_id: self.id,
            changed,
            branch_id: self.branch_id,
            owner_id: self.owner_id,
            version: self.record.version,
        }
    }

    pub(crate) fn status_changed(&self, from: CustomerStatus) -> CustomerStatusChanged {
        CustomerStatusChanged {
            customer_id: self.id,
            from,
            to: self.status,
            version: self.record.version,
        }
    }

    pub(crate) fn archived(&self) -> CustomerArchived {
        CustomerArchived {
            customer_id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn restored(&self) -> CustomerRestored {
        CustomerRestored {
            customer_id: self.id,
            version: self.record.version,
        }
    }
}

impl Attributes for Customer {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            OWNER_ATTRIBUTE => ValueRef::Uuid(self.owner_id.uuid()),
            BRANCH_ATTRIBUTE => ValueRef::Uuid(self.branch_id.uuid()),
            "status" => ValueRef::Text(self.status.as_str()),
            "sector" => self.sector.as_deref().into(),
            "revenueMinor" => ValueRef::Int(self.revenue_minor),
            "employees" => self.employees.map_or(ValueRef::Null, ValueRef::Int),
            _ => ValueRef::Null,
        }
    }
}

#[cfg(test)]
mod tests;
