//! `GET /api/customers/operations`

use super::view;
use crate::{App, ReadCustomers};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_eventlog::jobs::Operation;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerOperations")
        .tag(super::TAG)
        .summary("List imports and bulk updates")
        .description(
            "Sorted by `-createdAt` (default, newest first) or `createdAt`. The caller's own; all of the tenant for who \
             holds `customers:import` in the data scope `all`.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(mut query): Query<ListQuery>,
) -> Result<Json<Page<Operation>>, Problem> {
    query.sort.get_or_insert_with(|| "-createdAt".to_owned());
    let view = view(&allowed);
    Ok(Json(view.list(app.db.begin(&mut allowed.scope), &query).await?))
}
