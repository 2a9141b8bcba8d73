//! `PUT /api/customers/{id}`

use crate::model::{Customer, CustomerInput, Field, checked_custom};
use crate::{App, ReadCustomers, SERVICE, UpdateCustomers, branches, changes, error, owners, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use std::ops::ControlFlow;
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem, Rights};
use stoa_types::{BranchId, CustomerId};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("updateCustomer")
        .tag(super::TAG)
        .summary("Replace a customer's fields")
        .description(
            "A field that is left out is emptied; branch, owner, status, tags, custom fields and the external key \
             stay. The result must lie within the caller's data scope for `customers:update` (403). What says the \
             same again changes nothing, and the version stays.",
        )
        .response::<200, Versioned<Customer>>()
}

pub(super) async fn handle(
    allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(input): Json<CustomerInput>,
) -> Result<Response, Problem> {
    let input = input.checked()?;
    let update = Update {
        id,
        expected,
        key,
        operation: "customers:update",
        branch: input.branch_id,
    };
    update.run(allowed, &app, &input, |_| Ok(input.clone())).await
}

/// An update, by `PUT` or `PATCH`.
pub(super) struct Update {
    pub(super) id: CustomerId,
    pub(super) expected: IfMatch,
    pub(super) key: IdempotencyKey,
    pub(super) operation: &'static str,
    /// The branch that the request names.
    pub(super) branch: Option<BranchId>,
}

impl Update {
    /// Locks the customer, gives it what `input` makes of it, and commits. `body` is what the request said.
    pub(super) async fn run<B: Serialize>(
        self,
        mut allowed: Allowed<UpdateCustomers>,
        app: &App,
        body: &B,
        input: impl Fn(&Customer) -> Result<CustomerInput, Problem>,
    ) -> Result<Response, Problem> {
        let Self {
            id,
            expected,
            key,
            operation,
            branch,
        } = self;
        let command = Command::new(SERVICE, operation, key, &(id, body), &allowed.scope, &app.clock)?;
        let mut known_owner = allowed.scope.user();
        let (mut tx, before, after, fields) = loop {
            let (begun, rows) = command
                .begin_with(&app.db, &mut allowed.scope, |tx| {
                    store::lock(tx, id);
                    store::find_branch(tx, branch);
                    store::all_fields(tx);
                })
                .await?;
            let [found, known, fields, ..] = rows.as_slice() else {
                return Err(store::missing_result().into());
            };
            let verdict = allowed
                .rights
                .find::<ReadCustomers, _>(store::customer(found)?, super::WHAT);
            let (tx, before) = match begun.judged(verdict).await? {
                ControlFlow::Continue(fresh) => fresh,
                ControlFlow::Break(answer) => return Ok(answer),
            };
            let (known, fields) = (store::branch_archived(known)?, store::fields(fields)?);
            let after = input(&before)
                .and_then(|input| changed(&allowed.rights, &before, expected, input, known, &fields));
            match after {
                Ok(Changed::To(after))
                    if after.owner_id != before.owner_id && known_owner != Some(after.owner_id) =>
                {
                    tx.rollback().await;
                    owners::check(app, &mut allowed.scope, after.owner_id, "/ownerId").await?;
                    known_owner = Some(after.owner_id);
                }
                Ok(Changed::To(after)) => break (tx, before, *after, fields),
                Ok(Changed::ToUnknownBranch(branch)) => {
                    tx.rollback().await;
                    branches::learn(app, &mut allowed.scope, branch).await?;
                }
                Err(problem) => return tx.refuse(problem).await,
            }
        };
        let customer = if before.changed_fields(&after).is_empty() {
            before
        } else {
            changes::write(&mut tx, app, &before, after, &fields)?
        };
        let answer = Answer::ok(customer.record.version, customer);
        command.commit(tx, answer).await.map_err(error::of_constraint)
    }
}

enum Changed {
    To(Box<Customer>),
    ToUnknownBranch(BranchId),
}

/// `known` says of the branch that the request names whether it is archived, if it is known here.
fn changed(
    rights: &Rights<UpdateCustomers>,
    before: &Customer,
    expected: IfMatch,
    input: CustomerInput,
    known: Option<bool>,
    fields: &[Field],
) -> Result<Changed, Problem> {
    if before.record.is_archived() {
        return Err(error::archived());
    }
    expected.check(before.record.version)?;
    if input.status.is_some_and(|status| status != before.status) {
        let detail = "is changed by POST /api/customers/{id}/status";
        return Err(Problem::invalid(vec![FieldError::new(
            "/status",
            "read_only",
            detail,
        )]));
    }
    let after = before.with(input);
    let custom = checked_custom(fields, &after.custom, &before.custom)?;
    let after = Customer { custom, ..after };
    rights.to_become(&after)?;
    if after.branch_id != before.branch_id {
        match known {
            Some(archived) => branches::check_live(archived)?,
            None => return Ok(Changed::ToUnknownBranch(after.branch_id)),
        }
    }
    Ok(Changed::To(Box::new(after)))
}
