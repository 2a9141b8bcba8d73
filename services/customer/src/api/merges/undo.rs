//! `POST /api/customers/merges/{id}/undo`

use super::{archivable, changeable};
use crate::model::{self, Customer, Merge, Merged, UndoResult};
use crate::{App, SERVICE, UpdateCustomers, changes, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::CustomerUnmerged;
use stoa_kernel::http::{Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, Problem, Rights, TenantTx};
use stoa_types::MergeId;

/// What a 404 says is missing.
const WHAT: &str = "merge";

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("undoCustomerMerge")
        .tag(crate::api::TAG)
        .summary("Undo a merge of customers")
        .description(
            "The other customer is live again as it was, and the survivor has again what it had before in the fields \
             that it took. Fields that were changed since stay as they are; `kept` names them. 409 \
             `customers.merge_undone` the second time, `customers.merge_order` when the survivor was merged into \
             another since, and `customers.email_taken` or `customers.external_key_taken` when another live customer \
             has by now what the other one had.",
        )
        .response::<200, Versioned<UndoResult>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    Path(id): Path<MergeId>,
    key: IdempotencyKey,
) -> Result<Response, Problem> {
    let command = Command::new(SERVICE, "customers:unmerge", key, &id, &allowed.scope, &app.clock)?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_merged(tx, id);
            store::lock_merge(tx, id);
            store::later_merges(tx, id);
            store::all_fields(tx);
        })
        .await?;
    let [customers, merge, later, fields, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let customers = store::customers(customers)?;
    let merged = store::merges(merge)?.pop();
    let (later, fields) = (store::merges(later)?, store::fields(fields)?);
    let verdict = found(merged, &customers, &allowed.rights);
    let (mut tx, found) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let (after, kept) = match undone(&allowed.rights, &found) {
        Ok(outcome) => outcome,
        Err(problem) => return tx.refuse(problem).await,
    };
    let Found {
        merged,
        survivor,
        other,
    } = found;
    // The survivor first: it gives back the e-mail address.
    let customer = changes::write(&mut tx, &app, &survivor, after, &fields)?;
    let restored = restore(&mut tx, &app, other)?;
    for merged in model::relink(&merged, later) {
        store::change_taken(&mut tx, &merged)?;
    }
    let merge = Merge {
        undone_at: Some(app.clock.now()),
        undone_by: Some(tx.origin().actor.to_string()),
        ..merged.merge
    };
    store::undo_merge(&mut tx, &merge);
    let event = CustomerUnmerged {
        customer_id: merge.into,
        from: merge.from,
        merge_id: id,
        version: customer.record.version,
    };
    stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    let result = UndoResult {
        merge,
        customer,
        restored,
        kept,
    };
    let answer = Answer::ok(result.customer.record.version, result);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

/// A merge with its customers.
struct Found {
    merged: Merged,
    survivor: Customer,
    other: Customer,
}

/// The merge, when the caller may undo it.
fn found(
    merged: Option<Merged>,
    customers: &[Customer],
    rights: &Rights<UpdateCustomers>,
) -> Result<Found, Problem> {
    let merged = merged.ok_or_else(|| Problem::not_found(WHAT))?;
    Ok(Found {
        survivor: changeable(customers, merged.merge.into, rights)?,
        other: archivable(customers, merged.merge.from, rights)?,
        merged,
    })
}

/// The survivor after the undoing, and the fields that stay as they are.
fn undone(rights: &Rights<UpdateCustomers>, found: &Found) -> Result<(Customer, Vec<String>), Problem> {
    if found.merged.merge.undone_at.is_some() {
        return Err(error::merge_undone());
    }
    if let Some(next) = found.survivor.merged_into {
        return Err(error::merge_order(next));
    }
    if found.survivor.record.is_archived() {
        return Err(error::archived());
    }
    let (after, kept) = model::unmerge(&found.survivor, &found.merged)?;
    rights.to_become(&after)?;
    Ok((after, kept))
}

fn restore(tx: &mut TenantTx<'_>, app: &App, other: Customer) -> Result<Customer, Problem> {
    let record = other.record.restored(tx.origin(), &app.clock);
    let other = Customer {
        record,
        merged_into: None,
        ..other
    };
    store::update(tx, &other);
    stoa_eventlog::append(tx, &app.clock, &other.restored())?;
    Ok(other)
}
