//! One step of a bulk update: some customers, locked, decided, written and counted in one transaction.

use super::change::{BulkInput, faults};
use crate::conditions::Conditions;
use crate::import::Fault;
use crate::model::{Customer, Field, SCHEMA};
use crate::store::bulk::Changes;
use crate::store::operation::{self, Failure};
use crate::store::{self, bulk};
use crate::{App, ReadCustomers, UpdateCustomers};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use stoa_eventlog::jobs::{JobKind, Next, Step, StepError};
use stoa_kernel::db::{Origin, Select};
use stoa_kernel::{Clock, Problem, Rights};
use stoa_types::CustomerId;

/// The customers of a step.
const CUSTOMERS: usize = 500;

/// The job.
pub(crate) enum Bulk {}

impl JobKind for Bulk {
    const NAME: &'static str = "customer.bulk";
    type Input = Asked;
    type State = State;
}

/// What was asked for, and when: customers that were created later are not meant by a condition.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    pub(crate) input: BulkInput,
    pub(crate) at: Timestamp,
}

/// Where a bulk update stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    done: i64,
    /// The last customer that was judged.
    after: Option<CustomerId>,
    /// Bytes of the errors that are kept.
    kept: i64,
    #[serde(flatten)]
    result: BulkResult,
}

/// What a bulk update did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BulkResult {
    updated: i64,
    unchanged: i64,
    failed: i64,
    dry_run: bool,
}

/// The customers of a step: those that were named, whether there or not, and those that were found.
struct Turn {
    ids: Vec<CustomerId>,
    found: HashMap<CustomerId, Customer>,
    fields: Vec<Field>,
    last: bool,
}

/// Runs a step.
pub(crate) async fn run(app: App, mut step: Step<Bulk>) -> Result<Next, StepError> {
    let rights = Rights::<UpdateCustomers>::of(&app.decisions, &step.scope).await?;
    let Asked { input, at } = &step.input;
    let mut state = step.state;
    let mut select = Select::new(store::LIVE);
    let named = named(input, state.after);
    if named.is_none() {
        let conditions = Conditions {
            condition: input.condition.clone(),
            ..Conditions::default()
        };
        conditions.add_to(&mut select, &app, &mut step.scope).await?;
        select.and_rows(&rights.rows_of::<ReadCustomers>(), &SCHEMA);
        bulk::and_after(&mut select, state.after, *at);
        bulk::lock_some(&mut select, CUSTOMERS);
    }
    let origin = step.scope.origin();
    let mut tx = app.db.begin(&mut step.scope);
    match &named {
        Some(ids) => {
            bulk::by_index(&mut tx);
            bulk::lock_by_id(&mut tx, ids);
        }
        None => select.defer(&mut tx),
    }
    store::all_fields(&mut tx);
    let rows = tx.flush().await?;
    let [.., customers, fields] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let turn = turn(named, store::customers(customers)?, store::fields(fields)?);
    let around = Around {
        input,
        rights: &rights,
        origin: &origin,
        clock: &app.clock,
    };
    let (changes, failures) = around.decide(&turn, &mut state);
    if !input.dry_run {
        bulk::write(&mut tx, &app.clock, &changes, &turn.fields)?;
    }
    let kept = operation::to_keep(&failures, state.result.failed, &mut state.kept);
    operation::add_errors(&mut tx, step.id, kept, app.clock.now())?;
    state.result.failed += failures.len() as i64;
    state.result.dry_run = input.dry_run;
    state.after = turn.ids.last().copied().or(state.after);
    let total = if turn.last { Some(state.done) } else { step.total };
    step.ticket.save(&mut tx, &state, state.done, total)?;
    if turn.last {
        step.ticket.finish(&mut tx, &state.result)?;
    }
    tx.commit().await?;
    Ok(if turn.last { Next::Finished } else { Next::Again })
}

/// The next of the customers that were named; `None` when a condition says which.
fn named(input: &BulkInput, after: Option<CustomerId>) -> Option<Vec<CustomerId>> {
    let ids = input.ids.as_ref()?;
    let rest = ids.iter().filter(|id| after.is_none_or(|after| **id > after));
    Some(rest.take(CUSTOMERS).copied().collect())
}

fn turn(named: Option<Vec<CustomerId>>, customers: Vec<Customer>, fields: Vec<Field>) -> Turn {
    let ids = named.unwrap_or_else(|| customers.iter().map(|customer| customer.id).collect());
    Turn {
        last: ids.len() < CUSTOMERS,
        found: customers
            .into_iter()
            .map(|customer| (customer.id, customer))
            .collect(),
        ids,
        fields,
    }
}

struct Around<'a> {
    input: &'a BulkInput,
    rights: &'a Rights<UpdateCustomers>,
    origin: &'a Origin,
    clock: &'a Clock,
}

impl Around<'_> {
    fn decide(&self, turn: &Turn, state: &mut State) -> (Changes, Vec<Failure>) {
        let (mut changes, mut failures) = (Changes::default(), Vec::new());
        for id in &turn.ids {
            state.done += 1;
            match self.change(turn.found.get(id), &turn.fields, &mut changes) {
                Ok(true) => state.result.updated += 1,
                Ok(false) => state.result.unchanged += 1,
                Err(faults) => failures.push(Failure {
                    position: state.done,
                    customer_id: Some(*id),
                    faults,
                    cells: None,
                }),
            }
        }
        (changes, failures)
    }

    /// Whether the customer differs afterwards.
    fn change(
        &self,
        found: Option<&Customer>,
        fields: &[Field],
        changes: &mut Changes,
    ) -> Result<bool, Vec<Fault>> {
        let before = found.ok_or_else(|| faults(Problem::not_found("customer")))?;
        self.rights
            .on::<ReadCustomers>(before, "customer")
            .map_err(faults)?;
        let (after, told) = self.input.change.of(before, fields, self.origin, self.clock)?;
        if told.is_empty() {
            return Ok(false);
        }
        self.rights.to_become(&after).map_err(faults)?;
        changes.told.extend(told);
        changes.changed.push((before.clone(), after));
        Ok(true)
    }
}
