//! `GET /api/customers/segments`

use crate::model::Segment;
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::Page;

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerSegments")
        .tag(super::TAG)
        .summary("List the tenant's segments")
        .description("Sorted by `name`.")
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Segment>>, Problem> {
    let plan = query.plan(store::SEGMENT_SORT)?;
    let mut select = Select::new(store::SEGMENTS);
    plan.finish(&mut select);
    let rows = select.read(app.db.begin(&mut allowed.scope)).await?;
    Ok(Json(plan.page(store::segments(&rows)?, |segment| {
        (store::segment_sort_value(segment), segment.id.uuid())
    })))
}
