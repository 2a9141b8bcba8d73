//! `POST /api/customers/bulk`

use crate::bulk::BulkInput;
use crate::bulk::step::{Asked, Bulk};
use crate::conditions::Conditions;
use crate::model::checked_custom;
use crate::{App, SERVICE, UpdateCustomers, owners, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_contracts::organization::FindBranches;
use stoa_eventlog::jobs::{self, NewJob, Operation};
use stoa_kernel::db::Select;
use stoa_kernel::http::Json;
use stoa_kernel::idempotency::{Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("changeCustomers")
        .tag(super::TAG)
        .summary("Change many customers")
        .description(
            "The operation changes them in batches of 500. Each is decided as a request would be, with what the caller \
             holds at that moment; one that is refused, or not there, is among the operation's errors and does not stop \
             the others.",
        )
        .response::<202, Json<Operation>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<BulkInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(SERVICE, "customers:bulk", key, &input, &allowed.scope, &app.clock)?;
    check_references(&mut allowed, &app, &input).await?;
    // What is no condition is told now, not as the failure of the operation.
    let conditions = Conditions {
        condition: input.condition.clone(),
        ..Conditions::default()
    };
    conditions
        .add_to(&mut Select::new(store::LIVE), &app, &mut allowed.scope)
        .await?;
    let (begun, rows) = command
        .begin_with(&app.db, &mut allowed.scope, store::all_fields)
        .await?;
    let fields = store::fields(rows.first().map_or(&[], |r| r))?;
    let verdict = check_custom(&input, &fields);
    let (mut tx, ()) = match begun.judged(verdict).await? {
        ControlFlow::Continue(fresh) => fresh,
        ControlFlow::Break(answer) => return Ok(answer),
    };
    let total = input.ids.as_ref().and_then(|ids| i64::try_from(ids.len()).ok());
    let asked = Asked {
        input,
        at: app.clock.now(),
    };
    let operation = jobs::enqueue(&mut tx, &app.clock, NewJob::<Bulk>::new(asked).total(total))?;
    let answer = jobs::accepted(&operation, super::operations::location(&operation));
    command.commit(tx, answer).await.map_err(jobs::conflict)
}

/// The new owner and the new branch must exist.
async fn check_references(
    allowed: &mut Allowed<UpdateCustomers>,
    app: &App,
    input: &BulkInput,
) -> Result<(), Problem> {
    if let Some(owner) = input.change.owner_id {
        owners::check(app, &mut allowed.scope, owner, "/change/ownerId").await?;
    }
    if let Some(branch) = input.change.branch_id {
        let keys = vec![branch.to_string()];
        let found = app.mesh.call(&mut allowed.scope, FindBranches { keys }).await?;
        if found.branches.first() != Some(&Some(branch)) {
            let detail = "there is no such live branch";
            return Err(Problem::invalid(vec![FieldError::new(
                "/change/branchId",
                "unknown",
                detail,
            )]));
        }
    }
    Ok(())
}

/// Keys and values that no customer could take.
fn check_custom(input: &BulkInput, fields: &[crate::model::Field]) -> Result<(), Problem> {
    let optional: Vec<_> = fields
        .iter()
        .map(|field| crate::model::Field {
            required: false,
            ..field.clone()
        })
        .collect();
    checked_custom(&optional, &input.change.custom, &serde_json::Map::new())
        .map(|_| ())
        .map_err(|problem| super::pointing(problem, |pointer| format!("/change{pointer}")))
}
