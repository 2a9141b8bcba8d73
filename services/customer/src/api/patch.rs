//! `PATCH /api/customers/{id}`

use super::update::Update;
use crate::model::{Customer, CustomerInput};
use crate::{App, UpdateCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
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

/// A customer's fields after a merge patch.
fn merged(before: &Customer, patch: &Map<String, Value>) -> Result<CustomerInput, Problem> {
    let mut fields = serde_json::to_value(CustomerInput::from(before)).map_err(|e| Problem::internal(&e))?;
    apply(&mut fields, patch);
    // Nothing would mean that these stay; a patch says so by leaving them out.
    for (name, empty) in [
        ("tags", json!([])),
        ("custom", json!({})),
        ("externalKey", json!("")),
    ] {
        if let Some(object) = fields.as_object_mut()
            && patch.get(name) == Some(&Value::Null)
        {
            object.insert(name.to_owned(), empty);
        }
    }
    let Json(input) = Json::<CustomerInput>::from_value(&fields)?;
    input.checked()
}

/// RFC 7396, section 2. Only `custom` is an object, so it goes one level deep.
fn apply(fields: &mut Value, patch: &Map<String, Value>) {
    let Some(object) = fields.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        match (value, object.get_mut(name)) {
            (Value::Null, _) => {
                object.remove(name);
            }
            (Value::Object(patch), Some(old @ Value::Object(_))) => apply(old, patch),
            (value, _) => {
                object.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AP-03
    #[test]
    fn a_patch_empties_what_is_null_and_leaves_what_is_not_there() {
        let mut fields = json!({ "name": "Acme", "phone": "+12", "custom": { "a": 1, "b": 2 } });
        let patch = json!({ "phone": null, "sector": "retail", "custom": { "b": null, "c": [3] } });
        apply(&mut fields, patch.as_object().unwrap());
        let expected = json!({ "name": "Acme", "sector": "retail", "custom": { "a": 1, "c": [3] } });
        assert_eq!(fields, expected);
    }
}
