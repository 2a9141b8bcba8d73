//! `POST /api/customers`

use super::duplicates;
use crate::model::{
    CreatedCustomer, Customer, CustomerInput, Duplicate, Field, Probe, checked_custom, duplicate_refusal,
    value,
};
use crate::{App, CreateCustomers, ReadCustomers, SERVICE, branches, error, owners, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Map;
use std::ops::ControlFlow;
use stoa_kernel::http::{Created, Json, Query};
use stoa_kernel::idempotency::{Answer, Command, IdempotencyKey};
use stoa_kernel::{Allowed, FieldError, Problem, Record};
use stoa_types::{BranchId, CustomerId};

/// How to create a customer.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// What to do when the customer may be there already; `warn` unless given.
    on_duplicate: OnDuplicate,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum OnDuplicate {
    /// Create it, and tell of the others.
    #[default]
    Warn,
    /// Do not create it: 409.
    Refuse,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("createCustomer")
        .tag(super::TAG)
        .summary("Create a customer")
        .description(
            "Branch and owner default to the caller's; the result must lie within the caller's data scope for \
             `customers:create` (403). 409 `customers.email_taken` or `customers.external_key_taken` when a live \
             customer has the e-mail address or the external key. Customers that the caller sees and that may be the \
             same are told in `duplicates`; with `onDuplicate=refuse` they are a 409 `customers.possible_duplicate`.",
        )
        .response::<201, Created<CreatedCustomer>>()
}

pub(super) async fn handle(
    mut allowed: Allowed<CreateCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
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
    let visible = allowed.rights.rows_of::<ReadCustomers>();
    let probe = Probe::of(&customer);
    // A first answer is given again whatever has become of the owner since, so that it is asked about only then.
    let mut known_owner = allowed.scope.user();
    let (mut tx, customer, fields, duplicates) = loop {
        let (begun, rows) = command
            .begin_with(&app.db, &mut allowed.scope, |tx| {
                store::find_branch(tx, Some(customer.branch_id));
                store::all_fields(tx);
                duplicates::alike(&probe, &visible).defer(tx);
            })
            .await?;
        let (tx, ()) = match begun.judged(Ok(())).await? {
            ControlFlow::Continue(fresh) => fresh,
            ControlFlow::Break(answer) => return Ok(answer),
        };
        if known_owner != Some(customer.owner_id) {
            tx.rollback().await;
            owners::check(&app, &mut allowed.scope, customer.owner_id, "/ownerId").await?;
            known_owner = Some(customer.owner_id);
            continue;
        }
        let [branch, fields, alike, ..] = rows.as_slice() else {
            return Err(store::missing_result().into());
        };
        let Some(archived) = store::branch_archived(branch)? else {
            tx.rollback().await;
            branches::learn(&app, &mut allowed.scope, customer.branch_id).await?;
            continue;
        };
        let fields = store::fields(fields)?;
        let duplicates = store::duplicates(alike, &probe)?;
        match settled(&customer, archived, &fields, &duplicates, parameters) {
            Ok(customer) => break (tx, customer, fields, duplicates),
            Err(problem) => return tx.refuse(problem).await,
        }
    };
    store::insert(&mut tx, &customer);
    if !customer.custom.is_empty() {
        store::index_custom(&mut tx, customer.id, &value::entries(&fields, &customer.custom));
    }
    stoa_eventlog::append(&mut tx, &app.clock, &customer.created())?;
    let location = format!("/api/customers/{}", customer.id);
    let created = CreatedCustomer { customer, duplicates };
    let answer = Answer::created(location, created.customer.record.version, created);
    command.commit(tx, answer).await.map_err(error::of_constraint)
}

/// The customer with its custom values as they are kept, when nothing speaks against it.
fn settled(
    customer: &Customer,
    branch_archived: bool,
    fields: &[Field],
    duplicates: &[Duplicate],
    parameters: Parameters,
) -> Result<Customer, Problem> {
    branches::check_live(branch_archived)?;
    let custom = checked_custom(fields, &customer.custom, &Map::new())?;
    if parameters.on_duplicate == OnDuplicate::Refuse && !duplicates.is_empty() {
        return Err(duplicate_refusal(duplicates));
    }
    Ok(Customer {
        custom,
        ..customer.clone()
    })
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
