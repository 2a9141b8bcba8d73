//! The audit trail.

use super::list;
use crate::model::ChangeEntry;
use stoa_kernel::db::Row;
use stoa_kernel::http::{ListPlan, SortKey};
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::UserId;
use uuid::Uuid;

/// What changes can be sorted by.
pub(crate) const SORT: &[SortKey] = &[SortKey {
    field: "seq",
    column: "seq",
    sql_type: "int8",
}];

const SELECT: &str =
    "select id, seq, revision, kind, entity_id, user_id, actor, correlation, before, after, at
                      from access.change";

/// The filters of the list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) user: Option<UserId>,
    pub(crate) kind: Option<String>,
}

pub(crate) async fn page(
    tx: TenantTx<'_>,
    plan: &ListPlan,
    filter: Filter,
) -> Result<Vec<ChangeEntry>, DbError> {
    let mut conditions = Vec::new();
    let mut params = params![];
    if let Some(user) = filter.user {
        params.push(Box::new(user.uuid()));
        conditions.push(format!("user_id = ${}", params.len()));
    }
    if let Some(kind) = filter.kind {
        params.push(Box::new(kind));
        conditions.push(format!("kind = ${}", params.len()));
    }
    list(tx, plan, SELECT, conditions, params, read).await
}

fn read(row: &Row) -> Result<ChangeEntry, DbError> {
    let user: Option<Uuid> = row.try_get(5)?;
    Ok(ChangeEntry {
        id: row.try_get(0)?,
        seq: row.try_get(1)?,
        revision: row.try_get(2)?,
        kind: row.try_get(3)?,
        entity_id: row.try_get(4)?,
        user_id: user.map(UserId),
        actor: row.try_get(6)?,
        correlation_id: row.try_get(7)?,
        before: row.try_get(8)?,
        after: row.try_get(9)?,
        at: row.try_get(10)?,
    })
}
