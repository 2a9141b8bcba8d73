//! `PATCH /api/customers/{id}`

use super::update::Update;
use crate::model::{Customer, CustomerInput};
use crate::{App, UpdateCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};
use stoa_kernel::http::{IfMatch, Json, Path, Versioned};
use stoa_kernel::idempotency::IdempotencyKey;
use stoa_kernel::{Allowed, Problem};
use stoa_types::CustomerId;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("patchCustomer")
        .tag(super::TAG)
        .summary("Change some of a customer's fields")
        .description(
            "A JSON merge patch (RFC 7396) over the fields of `PUT`: what is left out stays, `null` empties a field. \
             `application/merge-patch+json` and `application/json` are both accepted.",
        )
        .response::<200, Versioned<Customer>>()
}

pub(super) async fn handle(
    allowed: Allowed<UpdateCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    expected: IfMatch,
    key: IdempotencyKey,
    Json(patch): Json<Map<String, Value>>,
) -> Result<Response, Problem> {
    // What is no id is refused with the rest of the fields.
    let branch = patch
        .get("branchId")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok());
    let update = Update {
        id,
        expected,
        key,
        operation: "customers:patch",
        branch,
    };
    update
        .run(allowed, &app, &patch, |before| merged(before, &patch))
        .await
}

/// A customer's fields after a merge patch. None of them is an object, so one level suffices.
fn merged(before: &Customer, patch: &Map<String, Value>) -> Result<CustomerInput, Problem> {
    let mut fields = serde_json::to_value(CustomerInput::from(before)).map_err(|e| Problem::internal(&e))?;
    if let Some(object) = fields.as_object_mut() {
        for (name, value) in patch {
            if value.is_null() {
                object.remove(name);
            } else {
                object.insert(name.clone(), value.clone());
            }
        }
    }
    let Json(input) = Json::<CustomerInput>::from_value(&fields)?;
    input.checked()
}
