//! `GET /api/customers/stats`

use crate::conditions::Conditions;
use crate::model::{CustomerStats, SCHEMA};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_kernel::db::Select;
use stoa_kernel::http::{DataScopeParam, Json, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::SegmentId;

/// What to count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Parameters {
    /// Narrows what the caller may see; it never widens it.
    data_scope: Option<DataScopeParam>,
    /// As in the list of customers.
    filter: Option<String>,
    /// Only customers of this segment.
    segment: Option<SegmentId>,
}

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("countCustomers")
        .tag(super::TAG)
        .summary("Count the customers that the caller may see, by status")
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<CustomerStats>, Problem> {
    let mut select = Select::new(store::COUNTS);
    let conditions = Conditions {
        filter: parameters.filter,
        segment: parameters.segment,
        ..Conditions::default()
    };
    conditions.add_to(&mut select, &app, &mut allowed.scope).await?;
    select.and_rows(&allowed.rows(parameters.data_scope.map(Into::into)), &SCHEMA);
    select.push("group by status");
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    Ok(Json(store::stats(&rows)?))
}
