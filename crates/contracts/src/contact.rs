//! Contacts and interactions: what the contact service tells.
//!
//! Events carry ids, an interaction's kind and the names of changed fields, never a value, which may be personal data
//! (EV-16).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::Event;
use stoa_types::{ContactId, CustomerId, InteractionId, UserId};
use uuid::Uuid;

/// The topic of every event here.
pub const TOPIC: &str = "domain.contact.events";

/// What kind of interaction it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InteractionKind {
    /// A telephone or video call.
    Call,
    /// A meeting.
    Meeting,
    /// An e-mail.
    Email,
    /// A note; nobody else took part.
    Note,
}

impl InteractionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Call, Self::Meeting, Self::Email, Self::Note];

    /// As in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Meeting => "meeting",
            Self::Email => "email",
            Self::Note => "note",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A contact was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactCreated {
    /// The contact.
    pub contact_id: ContactId,
    /// Its version after the change.
    pub version: i64,
}

/// Fields of a contact were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactUpdated {
    /// The contact.
    pub contact_id: ContactId,
    /// The names of the changed fields, as in the API; their values are read from the service.
    pub changed: Vec<String>,
    /// Its version after the change.
    pub version: i64,
}

/// A contact was archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactArchived {
    /// The contact.
    pub contact_id: ContactId,
    /// Its version after the change.
    pub version: i64,
}

/// An archived contact is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactRestored {
    /// The contact.
    pub contact_id: ContactId,
    /// Its version after the change.
    pub version: i64,
}

/// A contact was linked to a customer. What the link says besides, its role and whether the contact is the customer's
/// first one, is read from the service; when only that changes, nothing is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactLinked {
    /// The contact.
    pub contact_id: ContactId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The contact's version, which a link leaves as it is.
    pub version: i64,
}

/// A contact's link to a customer was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContactUnlinked {
    /// The contact.
    pub contact_id: ContactId,
    /// The customer.
    pub customer_id: CustomerId,
    /// The contact's version, which a link leaves as it is.
    pub version: i64,
}

/// An interaction was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InteractionLogged {
    /// The interaction.
    pub interaction_id: InteractionId,
    /// Its kind.
    pub kind: InteractionKind,
    /// The customers that it concerns.
    pub customers: Vec<CustomerId>,
    /// The contacts who took part.
    pub contacts: Vec<ContactId>,
    /// The users whom its text mentions.
    pub mentions: Vec<UserId>,
    /// Its version after the change.
    pub version: i64,
}

/// Fields of an interaction were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InteractionUpdated {
    /// The interaction.
    pub interaction_id: InteractionId,
    /// Its kind.
    pub kind: InteractionKind,
    /// The names of the changed fields, as in the API; their values are read from the service.
    pub changed: Vec<String>,
    /// The customers that it concerns, or concerned before the change.
    pub customers: Vec<CustomerId>,
    /// The contacts who took part.
    pub contacts: Vec<ContactId>,
    /// The users whom its text mentions now and did not mention before.
    pub mentions: Vec<UserId>,
    /// Its version after the change.
    pub version: i64,
}

/// An interaction was deleted, which archives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InteractionDeleted {
    /// The interaction.
    pub interaction_id: InteractionId,
    /// Its kind.
    pub kind: InteractionKind,
    /// The customers that it concerned.
    pub customers: Vec<CustomerId>,
    /// The contacts who took part.
    pub contacts: Vec<ContactId>,
    /// Its version after the change.
    pub version: i64,
}

macro_rules! events {
    ($($name:ident, $aggregate:literal, $id:ident = $verb:literal;)+) => {$(
        impl Event for $name {
            const TOPIC: &'static str = TOPIC;
            const TYPE: &'static str = concat!("dev.stoa.contact.", $aggregate, ".", $verb, ".v1");
            const AGGREGATE: &'static str = $aggregate;

            fn aggregate_id(&self) -> Uuid {
                self.$id.uuid()
            }

            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

events! {
    ContactCreated, "contact", contact_id = "created";
    ContactUpdated, "contact", contact_id = "updated";
    ContactArchived, "contact", contact_id = "archived";
    ContactRestored, "contact", contact_id = "restored";
    ContactLinked, "contact", contact_id = "linked";
    ContactUnlinked, "contact", contact_id = "unlinked";
    InteractionLogged, "interaction", interaction_id = "logged";
    InteractionUpdated, "interaction", interaction_id = "updated";
    InteractionDeleted, "interaction", interaction_id = "deleted";
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: EV-07, QA-04
    #[test]
    fn the_wire_form_of_the_events_stays() {
        let json = r#"{"interactionId":"00000000-0000-0000-0000-000000000001","kind":"call","customers":["00000000-0000-0000-0000-000000000002"],"contacts":["00000000-0000-0000-0000-000000000003"],"mentions":["00000000-0000-0000-0000-000000000004"],"version":1}"#;
        let event: InteractionLogged = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(InteractionLogged::TYPE, "dev.stoa.contact.interaction.logged.v1");
        let json = r#"{"contactId":"00000000-0000-0000-0000-000000000001","customerId":"00000000-0000-0000-0000-000000000002","version":3}"#;
        let event: ContactLinked = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(ContactLinked::TYPE, "dev.stoa.contact.contact.linked.v1");
    }

    #[test]
    fn every_kind_has_its_name() {
        for kind in InteractionKind::ALL {
            assert_eq!(InteractionKind::named(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
