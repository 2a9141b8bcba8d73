//! The timelines.

use crate::model::Activity;
use jiff::Timestamp;
use stoa_kernel::db::{Row, Select};
use stoa_kernel::http::SortKey;
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{ActivityId, CustomerId};
use uuid::Uuid;

/// Rows for [`activities`].
pub(crate) const ACTIVITIES: &str = "select id, at, kind, actor, details from customer.activity where true";

/// What timelines can be sorted by.
pub(crate) const ACTIVITY_SORT: &[SortKey] = &[SortKey {
    field: "at",
    column: "at",
    sql_type: "timestamptz",
}];

/// Adds an entry to the timeline of a customer or of a branch's customers.
pub(crate) fn add_activity(tx: &mut TenantTx<'_>, about: Uuid, activity: &Activity) {
    const SQL: &str = "insert into customer.activity (tenant_id, id, about, at, kind, actor, details)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, id) do nothing";
    let values = params![
        tx.tenant(),
        activity.id.uuid(),
        about,
        activity.at,
        activity.kind.clone(),
        activity.actor.clone(),
        activity.details.clone(),
    ];
    tx.defer(SQL, values);
}

/// Keeps the entries about a customer and about those that were merged into it, and the entries about its branch since
/// the customer is there.
pub(crate) fn and_timeline(select: &mut Select, id: CustomerId) {
    let id = select.param(id.uuid());
    select.and(&format!(
        "about = any(array(
           with recursive merged(id) as (
             select {id}::uuid
             union select c.id from customer.customer c join merged m on c.merged_into = m.id)
           select id from merged
         ) || (select branch_id from customer.customer where id = {id}::uuid))
         and (at >= (select created_at from customer.customer where id = {id}::uuid)
              or about <> (select branch_id from customer.customer where id = {id}::uuid))"
    ));
}

/// The timeline in a statement's rows.
pub(crate) fn activities(rows: &[Row]) -> Result<Vec<Activity>, DbError> {
    rows.iter().map(read_activity).collect()
}

fn read_activity(row: &Row) -> Result<Activity, DbError> {
    Ok(Activity {
        id: ActivityId(row.try_get(0)?),
        at: row.try_get::<_, Timestamp>(1)?,
        kind: row.try_get(2)?,
        actor: row.try_get(3)?,
        details: row.try_get(4)?,
    })
}
