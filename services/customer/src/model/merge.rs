//! Merging two customers into one, and taking that back.

use super::{Customer, CustomerInput, checked_tags};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use stoa_kernel::{FieldError, Problem, Validation};
use stoa_types::{CustomerId, MergeId};

/// The fields that can be taken from the other customer; and `custom.` with a key.
const FIELDS: [&str; 10] = [
    "name",
    "email",
    "phone",
    "sector",
    "revenueMinor",
    "employees",
    "officeLocation",
    "branchId",
    "ownerId",
    "externalKey",
];

/// Whose value the survivor gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "CustomerMergeChoice")]
pub enum Choice {
    /// The survivor's own.
    Into,
    /// The other customer's, also when it is empty.
    From,
}

/// What to merge into a customer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CustomerMergeInput")]
pub struct MergeInput {
    /// The other customer, which is archived.
    pub from: CustomerId,
    /// The version of the other customer that was read; `If-Match` is about the survivor.
    pub from_version: i64,
    /// Whose value each field gets, by the field's name; custom fields as `custom.key`. A field that is not named keeps
    /// the survivor's value, or takes the other's when the survivor has none.
    #[serde(default)]
    pub fields: BTreeMap<String, Choice>,
}

/// A field's value before a merge and after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) before: Value,
    pub(crate) after: Value,
}

/// A merge as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) merge: Merge,
    pub(crate) taken: BTreeMap<String, Taken>,
}

/// A merge of two customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerMerge")]
pub struct Merge {
    /// Its id, by which it is undone.
    pub id: MergeId,
    /// The survivor.
    pub into: CustomerId,
    /// The other customer.
    pub from: CustomerId,
    /// The names of the fields that the survivor took.
    pub taken: Vec<String>,
    /// The tags that the survivor got.
    pub tags_added: Vec<String>,
    /// When it was done.
    pub merged_at: Timestamp,
    /// Who did it: a user's id, or the name of a system scope.
    pub merged_by: String,
    /// When it was undone; absent while it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<Timestamp>,
    /// Who undid it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
}

/// A merge that was done, and what became of the survivor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerMergeResult")]
pub struct MergeResult {
    /// The merge.
    pub merge: Merge,
    /// The survivor.
    pub customer: Customer,
}

/// A merge that was undone, and what became of both customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerUndoResult")]
pub struct UndoResult {
    /// The merge.
    pub merge: Merge,
    /// The survivor.
    pub customer: Customer,
    /// The other customer, which is back.
    pub restored: Customer,
    /// The fields that the survivor took and that were changed since: they stay as they are.
    pub kept: Vec<String>,
}

/// The survivor as a merge leaves it.
pub(crate) struct Outcome {
    pub(crate) survivor: Customer,
    pub(crate) taken: BTreeMap<String, Taken>,
    pub(crate) tags_added: Vec<String>,
}

/// Puts two customers together; the record is the caller's to change.
///
/// # Errors
/// 422 for a field that is not one, and when the two have too many tags.
pub(crate) fn merge(
    into: &Customer,
    from: &Customer,
    choices: &BTreeMap<String, Choice>,
) -> Result<Outcome, Problem> {
    check_names(choices, into, from)?;
    let (own, others) = (parts(into)?, parts(from)?);
    let mut taken = BTreeMap::new();
    for (name, other) in &others {
        let before = own.get(name).cloned().unwrap_or_default();
        let takes = match choices.get(name) {
            Some(choice) => *choice == Choice::From,
            None => is_empty(&before),
        };
        if takes && before != *other {
            let after = other.clone();
            taken.insert(name.clone(), Taken { before, after });
        }
    }
    // A custom field that the other does not have is emptied when the other was chosen.
    for (name, before) in own.iter().filter(|(name, _)| !others.contains_key(*name)) {
        if choices.get(name) == Some(&Choice::From) {
            let (before, after) = (before.clone(), Value::Null);
            taken.insert(name.clone(), Taken { before, after });
        }
    }
    let mut check = Validation::new();
    let both: Vec<String> = into.tags.iter().chain(&from.tags).cloned().collect();
    let tags = checked_tags(&mut check, "/tags", &both);
    let tags = check.finish(tags)?;
    let changes = taken.iter().map(|(name, t)| (name.clone(), t.after.clone()));
    let survivor = with_parts(into, own, changes.collect())?;
    Ok(Outcome {
        tags_added: tags.iter().filter(|t| !into.tags.contains(t)).cloned().collect(),
        survivor: Customer { tags, ..survivor },
        taken,
    })
}

/// The survivor without what it took, as far as that was not changed since; and the names of the fields that were.
///
/// # Errors
/// When a kept value cannot be read, which is a defect.
pub(crate) fn unmerge(survivor: &Customer, merged: &Merged) -> Result<(Customer, Vec<String>), Problem> {
    let own = parts(survivor)?;
    let (mut back, mut kept) = (Map::new(), Vec::new());
    for (name, taken) in &merged.taken {
        if own.get(name).unwrap_or(&Value::Null) == &taken.after {
            back.insert(name.clone(), taken.before.clone());
        } else {
            kept.push(name.clone());
        }
    }
    let customer = with_parts(survivor, own, back)?;
    let tags = survivor
        .tags
        .iter()
        .filter(|t| !merged.merge.tags_added.contains(t));
    let tags = tags.cloned().collect();
    Ok((Customer { tags, ..customer }, kept))
}

/// Takes an undone merge out of the history of its survivor: of the `later` merges, in their order, the first that
/// replaced what it had brought remembers what was there before both. Returns the merges that were changed.
pub(crate) fn relink(undone: &Merged, mut later: Vec<Merged>) -> Vec<Merged> {
    let mut changed = Vec::new();
    for (name, taken) in &undone.taken {
        let next = later
            .iter_mut()
            .find_map(|merged| merged.taken.get_mut(name).map(|next| (merged.merge.id, next)));
        if let Some((id, next)) = next
            && next.before == taken.after
        {
            next.before = taken.before.clone();
            changed.push(id);
        }
    }
    later.retain(|merged| changed.contains(&merged.merge.id));
    later
}

fn check_names(choices: &BTreeMap<String, Choice>, into: &Customer, from: &Customer) -> Result<(), Problem> {
    let is_known = |name: &str| match name.strip_prefix("custom.") {
        Some(key) => into.custom.contains_key(key) || from.custom.contains_key(key),
        None => FIELDS.contains(&name),
    };
    let unknown: Vec<_> = choices.keys().filter(|name| !is_known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "is not one of {}, or custom. with the key of a field that one of the two has",
        FIELDS.join(", ")
    );
    let errors = unknown
        .into_iter()
        .map(|name| FieldError::new(format!("/fields/{name}"), "unknown", detail.clone()));
    Err(Problem::invalid(errors.collect()))
}

/// A revenue of 0 means that it is not known.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_i64() == Some(0)
}

/// The fields that a merge is about, by name.
fn parts(customer: &Customer) -> Result<Map<String, Value>, Problem> {
    let fields = serde_json::to_value(CustomerInput::from(customer)).map_err(|e| Problem::internal(&e))?;
    let mut parts: Map<String, Value> = FIELDS
        .iter()
        .map(|name| ((*name).to_owned(), fields.get(*name).cloned().unwrap_or_default()))
        .collect();
    for (key, value) in &customer.custom {
        parts.insert(format!("custom.{key}"), value.clone());
    }
    Ok(parts)
}

fn with_parts(
    customer: &Customer,
    mut parts: Map<String, Value>,
    changes: Map<String, Value>,
) -> Result<Customer, Problem> {
    parts.extend(changes);
    let (mut fields, mut custom) = (Map::new(), Map::new());
    for (name, value) in parts {
        match name.strip_prefix("custom.") {
            Some(_) if value.is_null() => {}
            Some(key) => {
                custom.insert(key.to_owned(), value);
            }
            // Nothing would mean: unchanged.
            None if name == "externalKey" && value.is_null() => {
                fields.insert(name, "".into());
            }
            None => {
                fields.insert(name, value);
            }
        }
    }
    fields.insert("custom".to_owned(), Value::Object(custom));
    let input: CustomerInput =
        serde_json::from_value(Value::Object(fields)).map_err(|e| Problem::internal(&e))?;
    Ok(customer.with(input))
}

#[cfg(test)]
mod tests;
