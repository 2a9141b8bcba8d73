//! Customers that may be the same as another.

use super::Customer;
use schemars::JsonSchema;
use serde::Serialize;
use stoa_kernel::text::search_key;
use stoa_kernel::{FieldError, Problem};
use stoa_types::CustomerId;

/// Shorter first words are in too many names.
const MIN_WORD: usize = 3;

/// Why a customer may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerLikeness")]
pub enum Likeness {
    /// The name, without regard to case, accents and spaces.
    Name,
    /// The phone number's digits.
    Phone,
    /// The e-mail address.
    Email,
    /// The name's first word, and the part of the e-mail address after the `@`.
    Domain,
}

impl Likeness {
    fn pointer(self) -> &'static str {
        match self {
            Self::Name => "/name",
            Self::Phone => "/phone",
            Self::Email | Self::Domain => "/email",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Name => "has the same name",
            Self::Phone => "has the same phone number",
            Self::Email => "has the same e-mail address",
            Self::Domain => "has a name that begins alike and an e-mail address of the same domain",
        }
    }
}

/// A live customer that may be the same; only those that the caller sees are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerDuplicate")]
pub struct Duplicate {
    /// Its id.
    pub id: CustomerId,
    /// Its name.
    pub name: String,
    /// Why it may be the same.
    pub reasons: Vec<Likeness>,
}

/// A new customer, with those that it may repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedCustomer {
    /// The new customer.
    #[serde(flatten)]
    pub customer: Customer,
    /// Customers that may be the same as this one, at most 5; absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<Duplicate>,
}

/// What customers are compared by: the keys of a name, a phone number and an e-mail address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
}

impl Probe {
    /// From checked values.
    pub(crate) fn new(name: Option<&str>, phone: Option<&str>, email: Option<&str>) -> Self {
        Self {
            name: name.map(search_key).filter(|key| !key.is_empty()),
            phone: phone.map(|phone| phone.trim_start_matches('+').to_owned()),
            email: email.map(str::to_owned),
        }
    }

    /// Of a customer.
    pub(crate) fn of(customer: &Customer) -> Self {
        Self::new(
            Some(&customer.name),
            customer.phone.as_deref(),
            customer.email.as_deref(),
        )
    }

    /// The part of the e-mail address after the `@`.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.email
            .as_deref()
            .and_then(|email| email.rsplit_once('@'))
            .map(|(_, domain)| domain)
    }

    /// The name's first word, when it tells names apart.
    pub(crate) fn first_word(&self) -> Option<&str> {
        let word = self.name.as_deref()?.split(' ').next()?;
        (word.chars().count() >= MIN_WORD).then_some(word)
    }

    /// Why a customer with these values may be the same; nothing when it is not like the probe.
    pub(crate) fn likeness(&self, other: &Self) -> Vec<Likeness> {
        let same = |own: &Option<String>, others: &Option<String>| own.is_some() && own == others;
        let is_email = same(&self.email, &other.email);
        let is_domain = !is_email
            && self.domain().is_some_and(|d| other.domain() == Some(d))
            && self.first_word().is_some_and(|word| {
                let other = other.name.as_deref().and_then(|name| name.strip_prefix(word));
                other.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            });
        [
            (Likeness::Name, same(&self.name, &other.name)),
            (Likeness::Phone, same(&self.phone, &other.phone)),
            (Likeness::Email, is_email),
            (Likeness::Domain, is_domain),
        ]
        .into_iter()
        .filter(|(_, holds)| *holds)
        .map(|(likeness, _)| likeness)
        .collect()
    }
}

/// 409: the new customer may repeat these, and the client asked not to create it then.
pub(crate) fn refusal(duplicates: &[Duplicate]) -> Problem {
    let errors = duplicates.iter().flat_map(|duplicate| {
        duplicate.reasons.iter().map(|reason| {
            let Duplicate { id, name, .. } = duplicate;
            let detail = format!("customer {id}, \"{name}\", {}", reason.words());
            FieldError::new(reason.pointer(), "duplicate", detail)
        })
    });
    Problem::conflict(
        "customers.possible_duplicate",
        "there are customers like this one; use one of these, or repeat without onDuplicate=refuse",
    )
    .with_errors(errors.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(name: &str, phone: Option<&str>, email: Option<&str>) -> Probe {
        Probe::new(Some(name), phone, email)
    }

    // covers: CRM-10
    #[test]
    fn names_phones_and_addresses_are_compared_as_people_mean_them() {
        let acme = probe("Acme Corporation", Some("+4930123"), Some("office@acme.example"));
        let likeness = |other: Probe| acme.likeness(&other);
        assert_eq!(
            likeness(probe(" ÁCME  corporation", None, None)),
            [Likeness::Name]
        );
        assert_eq!(likeness(probe("Other", Some("4930123"), None)), [Likeness::Phone]);
        assert_eq!(
            likeness(probe("Acme Inc", None, Some("sales@acme.example"))),
            [Likeness::Domain]
        );
        assert_eq!(
            likeness(probe("Other", None, Some("office@acme.example"))),
            [Likeness::Email]
        );
        assert!(likeness(probe("Acmeville", None, Some("sales@acme.example"))).is_empty());
        assert!(likeness(probe("Acme Inc", None, Some("acme@mail.example"))).is_empty());
        assert!(likeness(probe("Other", None, None)).is_empty());
    }
}
