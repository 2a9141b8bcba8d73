//! `GET /api/customers/duplicates`

use crate::model::{Duplicate, Probe, SCHEMA};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, Query};
use stoa_kernel::{Allowed, Problem, Validation};
use stoa_policy::RowFilter;

/// What is known of a customer that may be there already.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Parameters {
    /// Its name.
    name: Option<String>,
    /// Its e-mail address.
    email: Option<String>,
    /// Its phone number.
    phone: Option<String>,
}

/// The customers that may be the same.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerDuplicates")]
pub(super) struct Duplicates {
    /// At most 5, those with most reasons first.
    items: Vec<Duplicate>,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("findDuplicateCustomers")
        .tag(super::TAG)
        .summary("Find live customers that may be the same")
        .description(
            "By the same name (without regard to case, accents and spaces), phone number or e-mail address, or a name \
             with the same first word together with the same domain of the e-mail address. Only customers that the \
             caller may see are told; to nothing nothing is alike.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Duplicates>, Problem> {
    let mut check = Validation::new();
    let name = check.optional_text("name", parameters.name.as_deref(), 1..=200);
    let email = check.email("email", parameters.email.as_deref());
    let phone = check.phone("phone", parameters.phone.as_deref());
    check.finish(())?;
    let probe = Probe::new(name.as_deref(), phone.as_deref(), email.as_deref());
    let select = alike(&probe, &allowed.rows(None));
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    let items = store::duplicates(&rows, &probe)?;
    Ok(Json(Duplicates { items }))
}

/// Finds those of the `visible` customers that may be like `probe`.
pub(super) fn alike(probe: &Probe, visible: &RowFilter) -> Select {
    let mut select = store::like(probe);
    select.and_rows(visible, &SCHEMA);
    select.push("limit 20");
    select
}
