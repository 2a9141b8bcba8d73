//! What a bulk update is told to do, and what it makes of a customer.

use crate::error;
use crate::filter::ConditionBody;
use crate::import::Fault;
use crate::model::{Customer, Field, TagChange, checked_custom, next_statuses};
use crate::store::bulk::Told;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::db::Origin;
use stoa_kernel::{Clock, Problem, Validation};
use stoa_types::{BranchId, CustomerId, UserId};

/// The most customers that can be named one by one.
const MAX_IDS: usize = 5_000;
/// The largest condition and the largest change, in bytes of JSON: with the ids they fit into the input of a job, which
/// has at most 256 KiB.
const MAX_CONDITION: usize = 64 << 10;
const MAX_CHANGE: usize = 48 << 10;

/// Which customers to change, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "where": { "field": "status", "op": "eq", "value": "lead" }, "change": { "addTags": ["spring"] }, "dryRun": true
}))]
pub struct BulkInput {
    /// These customers, at most 5,000; or `where`.
    pub ids: Option<Vec<CustomerId>>,
    /// The live customers that the caller sees and that meet this condition of at most 64 KiB; or `ids`.
    #[serde(rename = "where")]
    pub condition: Option<ConditionBody>,
    /// What to change; at least one thing, in at most 48 KiB.
    pub change: BulkChange,
    /// Whether to judge every customer and change none.
    #[serde(default)]
    pub dry_run: bool,
}

/// A change; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BulkChange {
    /// The new owner.
    pub owner_id: Option<UserId>,
    /// The new branch, which must be live.
    pub branch_id: Option<BranchId>,
    /// The new status; customers whose status has no such move are refused one by one.
    pub status: Option<CustomerStatus>,
    /// Tags to put on.
    pub add_tags: Vec<String>,
    /// Tags to take off.
    pub remove_tags: Vec<String>,
    /// Custom fields to set by key; `null` empties one.
    pub custom: Map<String, Value>,
}

impl BulkInput {
    /// Checks and tidies it.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(mut self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        match (&mut self.ids, &self.condition) {
            (Some(ids), None) => {
                if ids.is_empty() || ids.len() > MAX_IDS {
                    check.refuse("/ids", "length", format!("must have 1 to {MAX_IDS} ids"));
                }
                // In the order in which they are locked and counted.
                ids.sort_unstable();
                ids.dedup();
            }
            (None, Some(condition)) => {
                if condition.0.to_string().len() > MAX_CONDITION {
                    check.refuse("/where", "length", "must have at most 64 KiB as JSON");
                }
            }
            (None, None) => check.refuse("/ids", "required", "give either ids or where"),
            (Some(_), Some(_)) => check.refuse("/where", "unknown", "give either ids or where, not both"),
        }
        let tags = TagChange {
            add: std::mem::take(&mut self.change.add_tags),
            remove: std::mem::take(&mut self.change.remove_tags),
        };
        match tags.checked() {
            Ok(TagChange { add, remove }) => (self.change.add_tags, self.change.remove_tags) = (add, remove),
            Err(problem) => {
                for error in problem.errors {
                    let pointer = error
                        .pointer
                        .replace("/add", "/change/addTags")
                        .replace("/remove", "/change/removeTags");
                    check.refuse(&pointer, &error.rule, error.detail);
                }
            }
        }
        if self.change == BulkChange::default() {
            check.refuse("/change", "required", "name at least one thing to change");
        }
        if serde_json::to_string(&self.change).map_or(0, |json| json.len()) > MAX_CHANGE {
            check.refuse("/change", "length", "must have at most 48 KiB as JSON");
        }
        check.finish(self)
    }
}

impl BulkChange {
    /// The customer after the change, and the events that tell of it; none when nothing differs.
    ///
    /// # Errors
    /// What refuses it.
    pub(crate) fn of(
        &self,
        before: &Customer,
        fields: &[Field],
        origin: &Origin,
        clock: &Clock,
    ) -> Result<(Customer, Vec<Told>), Vec<Fault>> {
        let tags = TagChange {
            add: self.add_tags.clone(),
            remove: self.remove_tags.clone(),
        };
        let mut given = before.custom.clone();
        given.extend(self.custom.clone());
        let mut after = Customer {
            owner_id: self.owner_id.unwrap_or(before.owner_id),
            branch_id: self.branch_id.unwrap_or(before.branch_id),
            tags: tags.of(&before.tags).map_err(faults)?,
            custom: checked_custom(fields, &given, &before.custom).map_err(faults)?,
            ..before.clone()
        };
        let mut told = Vec::new();
        let changed = before.changed_fields(&after);
        if !changed.is_empty() {
            after.record = before.record.changed(origin, clock);
            told.push(Told::Updated(after.updated(changed)));
        }
        if let Some(status) = self.status.filter(|status| *status != before.status) {
            let next = next_statuses(before.status);
            if !next.contains(&status) {
                return Err(faults(error::no_such_move(before.status, next)));
            }
            after.status = status;
            after.record = after.record.changed(origin, clock);
            told.push(Told::StatusChanged(after.status_changed(before.status)));
        }
        Ok((after, told))
    }
}

/// A request's problem as the faults of one customer.
pub(crate) fn faults(problem: Problem) -> Vec<Fault> {
    if problem.errors.is_empty() {
        let rule = problem.code.rsplit('.').next().unwrap_or("refused").to_owned();
        return vec![Fault::of_row(&rule, problem.detail)];
    }
    let fault = |error: stoa_kernel::FieldError| {
        let field = error.pointer.trim_start_matches('/').replace('/', ".");
        Fault::of_column(&field, &error.rule, error.detail)
    };
    problem.errors.into_iter().map(fault).collect()
}
