//! Assignments of roles, and users' home branches.

use super::{Statement, list};
use crate::model::Assignment;
use jiff::Timestamp;
use stoa_kernel::db::Row;
use stoa_kernel::http::{ListPlan, SortKey};
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{AssignmentId, BranchId, RoleId, UserId};
use uuid::Uuid;

/// What assignments can be sorted by.
pub(crate) const SORT: &[SortKey] = &[SortKey {
    field: "createdAt",
    column: "created_at",
    sql_type: "timestamptz",
}];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, user_id, role_id, valid_from, valid_until, created_at, created_by,
               (select r.name from access.role r
                where r.tenant_id = assignment.tenant_id and r.id = assignment.role_id),
               (select s.branch_id from access.subject s
                where s.tenant_id = assignment.tenant_id and s.user_id = assignment.user_id)
             from access.assignment ",
            $rest
        )
    };
}

pub(crate) fn read(row: &Row) -> Result<Assignment, DbError> {
    let branch: Option<Uuid> = row.try_get(8)?;
    Ok(Assignment {
        id: AssignmentId(row.try_get(0)?),
        user_id: UserId(row.try_get(1)?),
        role_id: RoleId(row.try_get(2)?),
        valid_from: row.try_get(3)?,
        valid_until: row.try_get(4)?,
        created_at: row.try_get(5)?,
        created_by: row.try_get(6)?,
        role: row.try_get(7)?,
        branch_id: branch.map(BranchId),
    })
}

pub(crate) fn by_id(id: AssignmentId) -> Statement {
    (select!("where id = $1"), params![id.uuid()])
}

pub(crate) async fn get(tx: TenantTx<'_>, id: AssignmentId) -> Result<Option<Assignment>, DbError> {
    let rows = tx.read(select!("where id = $1"), &[&id.uuid()]).await?;
    rows.first().map(read).transpose()
}

pub(crate) fn of_user_and_role(user: UserId, role: RoleId) -> Statement {
    (
        select!("where user_id = $1 and role_id = $2"),
        params![user.uuid(), role.uuid()],
    )
}

/// Every assignment of a user, for a write.
pub(crate) fn all_of_user(user: UserId) -> Statement {
    (select!("where user_id = $1"), params![user.uuid()])
}

/// Every assignment of a user.
pub(crate) async fn of_user(tx: TenantTx<'_>, user: UserId) -> Result<Vec<Assignment>, DbError> {
    let rows = tx.read(select!("where user_id = $1"), &[&user.uuid()]).await?;
    rows.iter().map(read).collect()
}

/// Whether anybody holds the role or inherits from it.
pub(crate) fn role_is_used(role: RoleId) -> Statement {
    (
        "select exists (select from access.assignment where role_id = $1)
             or exists (select from access.role_parent where parent_id = $1)",
        params![role.uuid()],
    )
}

/// The filters of the list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) user: Option<UserId>,
    pub(crate) role: Option<RoleId>,
}

pub(crate) async fn page(
    tx: TenantTx<'_>,
    plan: &ListPlan,
    filter: &Filter,
) -> Result<Vec<Assignment>, DbError> {
    let mut conditions = Vec::new();
    let mut params = params![];
    let wanted = [
        ("user_id", filter.user.map(UserId::uuid)),
        ("role_id", filter.role.map(RoleId::uuid)),
    ];
    for (column, id) in wanted {
        if let Some(id) = id {
            params.push(Box::new(id));
            conditions.push(format!("{column} = ${}", params.len()));
        }
    }
    list(tx, plan, select!(""), conditions, params, read).await
}

pub(crate) fn insert(tenant: Uuid, assignment: &Assignment) -> Statement {
    (
        "insert into access.assignment
           (tenant_id, id, user_id, role_id, valid_from, valid_until, created_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            tenant,
            assignment.id.uuid(),
            assignment.user_id.uuid(),
            assignment.role_id.uuid(),
            assignment.valid_from,
            assignment.valid_until,
            assignment.created_at,
            assignment.created_by.clone(),
        ],
    )
}

pub(crate) fn delete(id: AssignmentId) -> Statement {
    ("delete from access.assignment where id = $1", params![id.uuid()])
}

/// The user's home branch, when there is a row.
pub(crate) fn home(user: UserId) -> Statement {
    (
        "select branch_id from access.subject where user_id = $1",
        params![user.uuid()],
    )
}

pub(crate) fn read_home(row: &Row) -> Result<Option<BranchId>, DbError> {
    Ok(row.try_get::<_, Option<Uuid>>(0)?.map(BranchId))
}

pub(crate) fn set_home(
    tenant: Uuid,
    user: UserId,
    branch: Option<BranchId>,
    now: Timestamp,
    actor: &str,
) -> Statement {
    (
        "insert into access.subject (tenant_id, user_id, branch_id, updated_at, updated_by)
         values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, user_id) do update
           set branch_id = excluded.branch_id, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        params![
            tenant,
            user.uuid(),
            branch.map(BranchId::uuid),
            now,
            actor.to_owned()
        ],
    )
}
