//! `POST /api/customers`

use crate::model::{Customer, CustomerInput};
use crate::{App, CreateCustomers, SERVICE, branches, error, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use std::ops::ControlFlow;
use stoa_kernel::http::{Created, Json};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem, Record};
use stoa_types::{BranchId, CustomerId};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createCustomer")
        .tag(super::TAG)
        .summary("Create a customer")
        .description(
            "Branch and owner default to the caller's; the result must lie within the caller's data scope for \
             `customers:create` (403). 409 `customers.email_taken` when a live customer has the e-mail address.",
        )
        .response::<201, Created<Customer>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateCustomers>,
    State(app): State<App>,
    key: IdempotencyKey,
    Json(input): Json<CustomerInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let command = Command::new(
        SERVICE,
        "customers:create",
        key,
        &input,
        &allowed.scope,
        &app.clock,
    )?;
    let customer = proposed(&allowed, input, &app)?;
    allowed.rights.to_become(&customer)?;
    let mut tx = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| {
                store::find_branch(tx, Some(customer.branch_id))
            })
            .await?;
        let (tx, ()) = match begun.judged(Ok(())).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        match store::branch_archived(rows.first().map_or(&[], |r| r))?.map(branches::check_live) {
            Some(Ok(())) => break tx,
            Some(Err(problem)) => return tx.refuse(problem).await,
            None => {
                tx.rollback().await;
                branches::learn(&app, &mut allowed.scope, customer.branch_id).await?;
            }
        }
    };
    store::insert(&mut tx, &customer);
    stoa_eventlog::append(&mut tx, &app.clock, &customer.created())?;
    let location = format!("/api/customers/{}", customer.id);
    let answer = Answer::created(location, customer.record.version, customer);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

/// The customer as it will be, with the caller's branch and the caller where the input names none.
fn proposed(
    allowed: &Allowed<CreateCustomers>,
    input: CustomerInput,
    app: &App,
) -> Result<Customer, Problem> {
    let branch = input.branch_id.or(allowed.caller().grants().branch.map(BranchId));
    let owner = input.owner_id.or(allowed.scope.user());
    let (Some(branch), Some(owner)) = (branch, owner) else {
        let (pointer, whose) = if branch.is_none() {
            ("/branchId", "branch")
        } else {
            ("/ownerId", "user")
        };
        let detail = format!("is required, because the caller has no {whose} to take instead");
        return Err(Problem::invalid(vec![FieldError::new(
            pointer, "required", detail,
        )]));
    };
    let record = Record::new(&allowed.scope.origin(), &app.clock);
    Ok(Customer::new(CustomerId::new(), input, branch, owner, record))
}
