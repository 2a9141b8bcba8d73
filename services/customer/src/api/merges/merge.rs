//! `POST /api/customers/{id}/merge`

use super::{archivable, changeable};
use crate::model::{self, Customer, Merge, MergeInput, MergeResult, Merged, Outcome};
use crate::{App, SERVICE, UpdateCustomers, branches, changes, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::customer::CustomerMerged;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem, Rights, TenantTx};
use stoa_types::{CustomerId, MergeId};

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("mergeCustomers")
        .tag(crate::api::TAG)
        .summary("Merge another customer into this one")
        .description(
            "The survivor keeps its id and gets, field by field, its own value or the other's, and the tags of both. \
             The other is archived, its timeline becomes part of the survivor's, and `POST \
             /api/customers/merges/{id}/undo` brings it back. Needs `customers:update` on both and \
             `customers:archive` on the other. `If-Match` is about the survivor, `fromVersion` about the other.",
        )
        .response::<200, Versioned<MergeResult>>()
}

pub(crate) async fn handle(
    mut allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<MergeInput>,
) -> Result<Response, Problem> {
    if input.from == id {
        let detail = "a customer cannot be merged with itself";
        return Err(Problem::invalid(vec![FieldError::new("/from", "self", detail)]));
    }
    let command = Command::new(
        SERVICE,
        "customers:merge",
        key,
        &(id, &input),
        &allowed.scope,
        &app.clock,
    )?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, |tx| {
            store::lock_all(tx, &[id, input.from]);
            store::all_fields(tx);
            store::find_branch_of(tx, input.from);
        })
        .await?;
    let [found, fields, branch, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    let branch = store::branch_archived(branch)?;
    let (found, fields) = (store::customers(found)?, store::fields(fields)?);
    let both = changeable(&found, id, &allowed.rights)
        .and_then(|into| Ok((into, archivable(&found, input.from, &allowed.rights)?)));
    let (mut tx, (into, from)) = match begun.judged(both).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let outcome = match outcome(&allowed.rights, &into, &from, expected, &input)
        .and_then(|o| check_branch(o, &into, branch))
    {
        Ok(outcome) => outcome,
        Err(problem) => return tx.refuse(problem).await,
    };
    // The other first: the survivor may take its e-mail address.
    archive_into(&mut tx, &app, from, id)?;
    let customer = changes::write(&mut tx, &app, &into, outcome.survivor, &fields)?;
    let merged = Merged {
        merge: Merge {
            id: MergeId::new(),
            into: id,
            from: input.from,
            taken: outcome.taken.keys().cloned().collect(),
            tags_added: outcome.tags_added,
            merged_at: app.clock.now(),
            merged_by: tx.origin().actor.to_string(),
            undone_at: None,
            undone_by: None,
        },
        taken: outcome.taken,
    };
    store::insert_merge(&mut tx, &merged)?;
    let event = CustomerMerged {
        customer_id: id,
        from: input.from,
        merge_id: merged.merge.id,
        changed: merged.merge.taken.clone(),
        version: customer.record.version,
    };
    stoa_eventlog::append(&mut tx, &app.clock, &event)?;
    let result = MergeResult {
        merge: merged.merge,
        customer,
    };
    let answer = Answer::ok(result.customer.record.version, result);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

fn outcome(
    rights: &Rights<UpdateCustomers>,
    into: &Customer,
    from: &Customer,
    expected: IfMatch,
    input: &MergeInput,
) -> Result<Outcome, Problem> {
    if into.record.is_archived() || from.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(into.record.version)?;
    if from.record.version != input.from_version {
        return Err(error::stale_other(from.record.version));
    }
    let outcome = model::merge(into, from, &input.fields)?;
    rights.to_become(&outcome.survivor)?;
    Ok(outcome)
}

/// Refuses to move the survivor to an archived branch.
fn check_branch(outcome: Outcome, into: &Customer, archived: Option<bool>) -> Result<Outcome, Problem> {
    if outcome.survivor.branch_id != into.branch_id {
        branches::check_live(archived.unwrap_or(false))?;
    }
    Ok(outcome)
}

fn archive_into(
    tx: &mut TenantTx<'_>,
    app: &App,
    from: Customer,
    survivor: CustomerId,
) -> Result<(), Problem> {
    let record = from.record.archived(tx.origin(), &app.clock);
    let from = Customer {
        record,
        merged_into: Some(survivor),
        ..from
    };
    store::update(tx, &from);
    stoa_eventlog::append(tx, &app.clock, &from.archived())?;
    Ok(())
}
