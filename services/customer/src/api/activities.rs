//! `GET /api/customers/{id}/activities`

use crate::consumers::ACTIVITIES;
use crate::model::{Activity, SCHEMA};
use crate::{App, ReadCustomers, store};
use aide::transform::TransformOperation;
use axum::extract::State;
use stoa_eventlog::caught_up;
use stoa_kernel::db::Select;
use stoa_kernel::http::{Json, ListQuery, Path, Query};
use stoa_kernel::{After, Allowed, Problem};
use stoa_types::{CustomerId, Page};

pub(super) fn docs(op: TransformOperation<'_>) -> TransformOperation<'_> {
    op.id("listCustomerActivities")
        .tag(super::TAG)
        .summary("Read a customer's timeline")
        .description(
            "Sorted by `-at` (default, newest first) or `at`. Entries follow the change they tell of by some \
             milliseconds; to see one's own change at once, send the `Stoa-Commit` of its answer as `Stoa-After`.",
        )
}

pub(super) async fn handle(
    mut allowed: Allowed<ReadCustomers>,
    State(app): State<App>,
    after: After,
    Path(id): Path<CustomerId>,
    Query(mut query): Query<ListQuery>,
) -> Result<Json<Page<Activity>>, Problem> {
    caught_up(&app.system, ACTIVITIES, &after, allowed.scope.deadline()).await?;
    query.sort.get_or_insert_with(|| "-at".to_owned());
    let plan = query.plan(store::ACTIVITY_SORT)?;
    let mut visible = Select::new(store::LIVE);
    let param = visible.param(id.uuid());
    visible.and(&format!("id = {param}"));
    visible.and_rows(&allowed.rows(None), &SCHEMA);
    let mut timeline = Select::new(store::ACTIVITIES);
    store::and_timeline(&mut timeline, id);
    plan.finish(&mut timeline);

    // Both in one flush; what is read of an invisible customer goes no further.
    let mut tx = app.db.begin(&mut allowed.scope);
    visible.defer(&mut tx);
    timeline.defer(&mut tx);
    let rows = tx.commit().await?;
    let [customer, activities, ..] = rows.as_slice() else {
        return Err(store::missing_result().into());
    };
    if customer.is_empty() {
        return Err(Problem::not_found(super::WHAT));
    }
    Ok(Json(plan.page(store::activities(activities)?, |activity| {
        (activity.at.to_string(), activity.id.uuid())
    })))
}
