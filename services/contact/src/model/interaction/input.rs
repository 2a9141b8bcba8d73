//! What a client says of an interaction, and what was found of that which it names.

use super::{Direction, Interaction, Mention};
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use stoa_contracts::contact::InteractionKind;
use stoa_contracts::customer::SeenCustomer;
use stoa_kernel::{Problem, Validation};
use stoa_types::{BranchId, ContactId, CustomerId};

/// The most contacts of an interaction.
const MAX_CONTACTS: usize = 20;
/// The most customers that an interaction may concern through its contacts.
pub(crate) const MAX_CUSTOMERS: usize = 20;
/// The longest body, in characters.
const MAX_BODY: usize = 20_000;
/// The longest interaction: a week.
const MAX_MINUTES: i64 = 7 * 24 * 60;

/// The rule that an interaction concerns somebody.
pub(super) const NOBODY: &str = "name a customer, a contact or both";

/// What a client says of an interaction.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "kind": "call", "subject": "Renewal", "body": "Wants an offer by Friday. @alice, can you prepare it?",
    "occurredAt": "2026-11-20T09:30:00Z", "durationMinutes": 15, "direction": "in",
    "customerId": "01980000-0000-7000-8000-000000000001"
}))]
pub struct InteractionInput {
    /// Its kind.
    pub kind: InteractionKind,
    /// 1 to 200 characters.
    pub subject: String,
    /// At most 20,000 characters of plain text. `@handle` mentions a user.
    #[serde(default)]
    pub body: String,
    /// When it began: from 1970 to a year ahead. Now for a new one, and unchanged for an old one, unless given.
    pub occurred_at: Option<Timestamp>,
    /// 0 to 10,080.
    pub duration_minutes: Option<i64>,
    /// Of calls and e-mails only.
    pub direction: Option<Direction>,
    /// A customer that the caller may see. Without one, the interaction concerns the customers of its contacts.
    pub customer_id: Option<CustomerId>,
    /// At most 20 contacts that the caller may see. A customer, a contact or both must be named.
    #[serde(default)]
    pub contact_ids: Vec<ContactId>,
}

/// A contact that an interaction names and its author may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundContact {
    pub(crate) id: ContactId,
    pub(crate) branch: BranchId,
}

/// What was found of that which an input names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The named customer, when the caller may see it.
    pub(crate) seen: Option<SeenCustomer>,
    /// The users of the handles in the body.
    pub(crate) mentions: Vec<Mention>,
    /// The named contacts that are live and that the caller may see.
    pub(crate) contacts: Vec<FoundContact>,
    /// The customers of all named contacts, at most one more than [`MAX_CUSTOMERS`].
    pub(crate) linked: Vec<CustomerId>,
}

impl InteractionInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self, now: Timestamp) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let subject = check.text("/subject", &self.subject, 1..=200);
        check_body(&mut check, &self.body);
        let latest = now.checked_add((366 * 24).hours()).unwrap_or(Timestamp::MAX);
        if self
            .occurred_at
            .is_some_and(|at| at < Timestamp::UNIX_EPOCH || at > latest)
        {
            check.refuse("/occurredAt", "range", "must be from 1970 to a year ahead");
        }
        let duration_minutes = self
            .duration_minutes
            .map(|n| check.number("/durationMinutes", n, 0..=MAX_MINUTES));
        if self.direction.is_some() && !matches!(self.kind, InteractionKind::Call | InteractionKind::Email) {
            check.refuse("/direction", "kind", "is for calls and e-mails only");
        }
        check_contacts(&mut check, &self.contact_ids);
        if self.customer_id.is_none() && self.contact_ids.is_empty() {
            check.refuse("/customerId", "required", NOBODY);
        }
        check.finish(Self {
            subject,
            duration_minutes,
            // As the database keeps it.
            occurred_at: self
                .occurred_at
                .map(|at| Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)),
            ..self
        })
    }

    /// The customers that an interaction with these fields concerns.
    ///
    /// # Errors
    /// 422 when a named customer or contact is none that the caller sees, unless it was named before.
    pub(super) fn concerned(
        &self,
        before: Option<&Interaction>,
        facts: &Facts,
    ) -> Result<Vec<CustomerId>, Problem> {
        let mut check = Validation::new();
        for (index, id) in self.contact_ids.iter().enumerate() {
            let was_there = before.is_some_and(|b| b.contact_ids.contains(id));
            if !was_there && !facts.contacts.iter().any(|c| c.id == *id) {
                let detail = "there is no such live contact, or you may not see it";
                check.refuse(&format!("/contactIds/{index}"), "unknown", detail);
            }
        }
        let was_there = before.is_some_and(|b| b.customer_id == self.customer_id);
        match (self.customer_id, facts.seen) {
            (Some(_), None) if !was_there => {
                check.refuse(
                    "/customerId",
                    "unknown",
                    "there is no such customer, or you may not see it",
                );
            }
            (Some(_), Some(seen)) if seen.archived && !was_there => {
                check.refuse(
                    "/customerId",
                    "archived",
                    "the customer is archived; restore it first",
                );
            }
            _ => {}
        }
        // What was found before is not looked for again, so that links and merges that came later move nothing.
        let kept =
            before.filter(|b| was_there && (self.customer_id.is_some() || b.contact_ids == self.contacts()));
        let customers = match (kept, self.customer_id) {
            (Some(before), _) => before.customer_ids.clone(),
            (None, Some(customer)) => vec![customer],
            (None, None) => facts.linked.clone(),
        };
        if kept.is_none() && customers.len() > MAX_CUSTOMERS {
            let detail =
                format!("the contacts are of more than {MAX_CUSTOMERS} customers; name the one it was about");
            check.refuse("/customerId", "required", detail);
        }
        check.finish(customers)
    }

    /// The contacts in their order.
    pub(super) fn contacts(&self) -> Vec<ContactId> {
        let ordered: BTreeSet<ContactId> = self.contact_ids.iter().copied().collect();
        ordered.into_iter().collect()
    }
}

fn check_contacts(check: &mut Validation, contacts: &[ContactId]) {
    if contacts.len() > MAX_CONTACTS {
        check.refuse(
            "/contactIds",
            "length",
            format!("must be at most {MAX_CONTACTS} contacts"),
        );
    }
    let mut named = BTreeSet::new();
    for (index, contact) in contacts.iter().enumerate() {
        if !named.insert(contact) {
            check.refuse(&format!("/contactIds/{index}"), "unique", "is named twice");
        }
    }
}

fn check_body(check: &mut Validation, body: &str) {
    if body.chars().count() > MAX_BODY {
        check.refuse(
            "/body",
            "length",
            format!("must have at most {MAX_BODY} characters"),
        );
    } else if body
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        let detail = "must not contain control characters, except for line breaks and tabs";
        check.refuse("/body", "format", detail);
    }
}
