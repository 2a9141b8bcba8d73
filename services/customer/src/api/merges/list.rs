//! `GET /api/customers/{id}/merges`

use crate::model::{Merge, SCHEMA};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Path, Query};
use stoa_kernel::{Allowed, Problem};
use stoa_types::{CustomerId, Page};

pub(crate) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerMerges")
        .tag(crate::api::TAG)
        .summary("List what was merged into a customer")
        .description(
            "Sorted by `-mergedAt` (default, newest first) or `mergedAt`; undone merges are told as such.",
        )
}

pub(crate) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    Path(id): Path<CustomerId>,
    Query(mut query): Query<ListQuery>,
) -> Result<Json<Page<Merge>>, Problem> {
    query.sort.get_or_insert_with(|| "-mergedAt".to_owned());
    let plan = query.plan(store::MERGE_SORT)?;
    let mut visible = Select::new(store::LIVE);
    let param = visible.param(id.uuid());
    visible.and(&format!("id = {param}"));
    visible.and_rows(&allowed.rows(None), &SCHEMA);
    let mut merges = Select::new(store::MERGES);
    let param = merges.param(id.uuid());
    merges.and(&format!("into_id = {param}"));
    plan.finish(&mut merges);

    // Both in one flush; what is read of an invisible customer goes no further.
    let mut tx = app.db.begin(&mut allowed.scope);
    visible.defer(&mut tx);
    merges.defer(&mut tx);
    let rows = tx.commit().await?;
    let [customer, merges, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    if customer.is_empty() {
        return Err(Problem::not_found(crate::api::WHAT));
    }
    let merges = store::merges(merges)?.into_iter().map(|merged| merged.merge);
    Ok(Json(plan.page(merges.collect(), |merge| {
        (merge.merged_at.to_string(), merge.id.uuid())
    })))
}
