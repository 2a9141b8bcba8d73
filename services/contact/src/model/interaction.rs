//! Interactions: calls, meetings, e-mails and notes.

mod input;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use stoa_contracts::contact::{InteractionDeleted, InteractionKind, InteractionLogged, InteractionUpdated};
use stoa_kernel::{FieldError, Problem, Record};
use stoa_policy::{AttributeType, Attributes, BRANCH_ATTRIBUTE, OWNER_ATTRIBUTE, Schema, ValueRef};
use stoa_types::{BranchId, ContactId, CustomerId, InteractionId, UserId};

pub use input::InteractionInput;
pub(crate) use input::{Facts, FoundContact, MAX_CUSTOMERS};

use input::NOBODY;

/// What conditions and data scopes of grants on `interactions:…` may ask, with the columns that answer it.
pub(crate) static INTERACTION_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::with_owner_and_branch("owner_id", "branch_id").with("kind", AttributeType::Text, "kind")
});

/// Who began a call or sent an e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The contact.
    In,
    /// Us.
    Out,
}

impl Direction {
    /// As in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// The direction of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::In, Self::Out].into_iter().find(|d| d.as_str() == name)
    }
}

/// A user whom an interaction's text mentions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mention {
    /// The user.
    pub user_id: UserId,
    /// The handle in the text, in lower case and without the `@`.
    pub handle: String,
}

/// A call, meeting, e-mail or note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interaction {
    /// Its id.
    pub id: InteractionId,
    /// Its kind.
    pub kind: InteractionKind,
    /// What it was about.
    pub subject: String,
    /// What was said; plain text.
    pub body: String,
    /// When it began.
    pub occurred_at: Timestamp,
    /// How long it took.
    pub duration_minutes: Option<i64>,
    /// Who began it; of calls and e-mails.
    pub direction: Option<Direction>,
    /// The customer that was named.
    pub customer_id: Option<CustomerId>,
    /// The customers whose timeline it is on: the one that was named, or else those of its contacts when it was logged.
    pub customer_ids: Vec<CustomerId>,
    /// The contacts who took part.
    pub contact_ids: Vec<ContactId>,
    /// The users whom its text mentions.
    pub mentions: Vec<Mention>,
    /// The branch of its author, or of its customer or contact when the author has none.
    pub branch_id: BranchId,
    /// Its author.
    pub owner_id: UserId,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

impl Interaction {
    /// A new interaction of checked input. `branch` is the author's, if they have one.
    ///
    /// # Errors
    /// 422 when what the input names is not there.
    pub(crate) fn new(
        input: InteractionInput,
        facts: Facts,
        owner_id: UserId,
        branch: Option<BranchId>,
        record: Record,
    ) -> Result<Self, Problem> {
        let (customer_ids, contact_ids) = (input.concerned(None, &facts)?, input.contacts());
        let contact = facts.contacts.first().map(|c| c.branch);
        let branch_id = branch
            .or(facts.seen.map(|c| c.branch_id))
            .or(contact)
            .ok_or_else(|| Problem::invalid(vec![FieldError::new("/customerId", "required", NOBODY)]))?;
        Ok(Self {
            id: InteractionId::new(),
            kind: input.kind,
            subject: input.subject,
            body: input.body,
            occurred_at: input.occurred_at.unwrap_or(record.created_at),
            duration_minutes: input.duration_minutes,
            direction: input.direction,
            customer_id: input.customer_id,
            customer_ids,
            contact_ids,
            mentions: facts.mentions,
            branch_id,
            owner_id,
            record,
        })
    }

    /// With the fields of checked input; the record is the caller's to change. What the text and the contacts said
    /// before, they still say: handles and links are looked at again only where these change.
    ///
    /// # Errors
    /// As [`Interaction::new`].
    pub(crate) fn with(&self, input: InteractionInput, facts: Facts) -> Result<Self, Problem> {
        let (customer_ids, contact_ids) = (input.concerned(Some(self), &facts)?, input.contacts());
        let mentions = if input.body == self.body {
            self.mentions.clone()
        } else {
            facts.mentions
        };
        Ok(Self {
            kind: input.kind,
            subject: input.subject,
            body: input.body,
            occurred_at: input.occurred_at.unwrap_or(self.occurred_at),
            duration_minutes: input.duration_minutes,
            direction: input.direction,
            customer_id: input.customer_id,
            customer_ids,
            contact_ids,
            mentions,
            ..self.clone()
        })
    }

    /// The names of the fields in which two versions differ, as in the API.
    pub(crate) fn changed_fields(&self, after: &Self) -> Vec<String> {
        [
            ("kind", self.kind != after.kind),
            ("subject", self.subject != after.subject),
            ("body", self.body != after.body),
            ("occurredAt", self.occurred_at != after.occurred_at),
            ("durationMinutes", self.duration_minutes != after.duration_minutes),
            ("direction", self.direction != after.direction),
            ("customerId", self.customer_id != after.customer_id),
            ("contactIds", self.contact_ids != after.contact_ids),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .collect()
    }

    /// Whether its text mentions this user.
    pub(crate) fn mentions(&self, user: UserId) -> bool {
        self.mentions.iter().any(|mention| mention.user_id == user)
    }

    pub(crate) fn logged(&self) -> InteractionLogged {
        InteractionLogged {
            interaction_id: self.id,
            kind: self.kind,
            customers: self.customer_ids.clone(),
            contacts: self.contact_ids.clone(),
            mentions: self.mentions.iter().map(|m| m.user_id).collect(),
            version: self.record.version,
        }
    }

    /// `self` is as it is now.
    pub(crate) fn updated(&self, before: &Self, changed: Vec<String>) -> InteractionUpdated {
        let customers: BTreeSet<CustomerId> = self
            .customer_ids
            .iter()
            .chain(&before.customer_ids)
            .copied()
            .collect();
        let new = self.mentions.iter().filter(|m| !before.mentions(m.user_id));
        InteractionUpdated {
            interaction_id: self.id,
            kind: self.kind,
            changed,
            customers: customers.into_iter().collect(),
            contacts: self.contact_ids.clone(),
            mentions: new.map(|m| m.user_id).collect(),
            version: self.record.version,
        }
    }

    pub(crate) fn deleted(&self) -> InteractionDeleted {
        InteractionDeleted {
            interaction_id: self.id,
            kind: self.kind,
            customers: self.customer_ids.clone(),
            contacts: self.contact_ids.clone(),
            version: self.record.version,
        }
    }
}

impl Attributes for Interaction {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            OWNER_ATTRIBUTE => ValueRef::Uuid(self.owner_id.uuid()),
            BRANCH_ATTRIBUTE => ValueRef::Uuid(self.branch_id.uuid()),
            "kind" => ValueRef::Text(self.kind.as_str()),
            _ => ValueRef::Null,
        }
    }
}

#[cfg(test)]
mod tests;
