//! Contacts, and their links to customers.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use stoa_contracts::contact::{
    ContactArchived, ContactCreated, ContactLinked, ContactRestored, ContactUnlinked, ContactUpdated,
};
use stoa_kernel::{Problem, Record, Validation};
use stoa_policy::{AttributeType, Attributes, BRANCH_ATTRIBUTE, OWNER_ATTRIBUTE, Schema, ValueRef};
use stoa_types::{BranchId, ContactId, CustomerId, UserId};

/// The most customers of a contact.
pub(crate) const MAX_LINKS: usize = 50;

/// What conditions and data scopes of grants on `contacts:…` may ask, with the columns that answer it.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::with_owner_and_branch("owner_id", "branch_id").with("position", AttributeType::Text, "position")
});

/// A contact: a person at customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// Its id.
    pub id: ContactId,
    /// Its name.
    pub name: String,
    /// Its e-mail address, in lower case.
    pub email: Option<String>,
    /// Its phone number.
    pub phone: Option<String>,
    /// What it does, such as `Head of purchasing`.
    pub position: Option<String>,
    /// Its branch.
    pub branch_id: BranchId,
    /// The user who looks after it.
    pub owner_id: UserId,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What a client says of a contact.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "name": "Jane Doe", "email": "jane.doe@acme.example", "phone": "+4930123456", "position": "Head of purchasing"
}))]
pub struct ContactInput {
    /// 1 to 200 characters.
    pub name: String,
    /// An e-mail address. Several contacts may share one.
    pub email: Option<String>,
    /// `^\+?[1-9]\d{1,14}$`
    pub phone: Option<String>,
    /// At most 100 characters.
    pub position: Option<String>,
    /// The caller's branch for a new contact, and unchanged for an old one, unless given.
    pub branch_id: Option<BranchId>,
    /// The caller for a new contact, and unchanged for an old one, unless given.
    pub owner_id: Option<UserId>,
}

impl ContactInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let checked = Self {
            name: check.text("/name", &self.name, 1..=200),
            email: check.email("/email", self.email.as_deref()),
            phone: check.phone("/phone", self.phone.as_deref()),
            position: check.optional_text("/position", self.position.as_deref(), 1..=100),
            ..self
        };
        check.finish(checked)
    }
}

/// A contact in a list; in the list of a customer's contacts, with its link to that customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkedContact {
    /// The contact.
    #[serde(flatten)]
    pub contact: Contact,
    /// Its link to the customer that the list was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
}

/// A contact's link to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The customer.
    pub customer_id: CustomerId,
    /// What the contact is to the customer, such as `decision maker`.
    pub role: Option<String>,
    /// Whether it is the customer's primary contact, of which there is at most one.
    pub primary: bool,
    /// When they were linked.
    pub linked_at: Timestamp,
    /// Who linked them: a user's id.
    pub linked_by: String,
}

/// What a client says of a link.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "role": "decision maker", "primary": true }))]
pub struct LinkInput {
    /// At most 100 characters.
    pub role: Option<String>,
    /// Whether it is the customer's primary contact; whoever was, no longer is.
    #[serde(default)]
    pub primary: bool,
}

impl LinkInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let role = check.optional_text("/role", self.role.as_deref(), 1..=100);
        check.finish(Self { role, ..self })
    }
}

impl Contact {
    /// A contact from checked input.
    pub(crate) fn new(
        id: ContactId,
        input: ContactInput,
        branch_id: BranchId,
        owner_id: UserId,
        record: Record,
    ) -> Self {
        Self {
            id,
            name: input.name,
            email: input.email,
            phone: input.phone,
            position: input.position,
            branch_id,
            owner_id,
            record,
        }
    }

    /// With the fields of checked input; the record is the caller's to change.
    pub(crate) fn with(&self, input: ContactInput) -> Self {
        let (branch, owner) = (
            input.branch_id.unwrap_or(self.branch_id),
            input.owner_id.unwrap_or(self.owner_id),
        );
        Self::new(self.id, input, branch, owner, self.record.clone())
    }

    /// The names of the fields in which two versions differ, as in the API.
    pub(crate) fn changed_fields(&self, after: &Self) -> Vec<String> {
        [
            ("name", self.name != after.name),
            ("email", self.email != after.email),
            ("phone", self.phone != after.phone),
            ("position", self.position != after.position),
            ("branchId", self.branch_id != after.branch_id),
            ("ownerId", self.owner_id != after.owner_id),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .collect()
    }

    pub(crate) fn created(&self) -> ContactCreated {
        ContactCreated {
            contact_id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn updated(&self, changed: Vec<String>) -> ContactUpdated {
        ContactUpdated {
            contact_id: self.id,
            changed,
            version: self.record.version,
        }
    }

    pub(crate) fn archived(&self) -> ContactArchived {
        ContactArchived {
            contact_id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn restored(&self) -> ContactRestored {
        ContactRestored {
            contact_id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn linked(&self, customer_id: CustomerId) -> ContactLinked {
        ContactLinked {
            contact_id: self.id,
            customer_id,
            version: self.record.version,
        }
    }

    pub(crate) fn unlinked(&self, customer_id: CustomerId) -> ContactUnlinked {
        ContactUnlinked {
            contact_id: self.id,
            customer_id,
            version: self.record.version,
        }
    }
}

impl Attributes for Contact {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            OWNER_ATTRIBUTE => ValueRef::Uuid(self.owner_id.uuid()),
            BRANCH_ATTRIBUTE => ValueRef::Uuid(self.branch_id.uuid()),
            "position" => self.position.as_deref().into(),
            _ => ValueRef::Null,
        }
    }
}

#[cfg(test)]
mod tests;
