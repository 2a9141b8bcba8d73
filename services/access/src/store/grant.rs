//! Grants.

use super::{Statement, json, list, snapshot, word};
use crate::administration::COVERING;
use crate::model::Grant;
use jiff::Timestamp;
use stoa_kernel::db::Row;
use stoa_kernel::http::{ListPlan, SortKey};
use stoa_kernel::{DbError, TenantTx, params};
use stoa_policy::Effect;
use stoa_types::{GrantId, RoleId, UserId};
use uuid::Uuid;

/// What a role's grants can be sorted by.
pub(crate) const SORT: &[SortKey] = &[SortKey {
    field: "permission",
    column: "permission",
    sql_type: "text",
}];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, role_id, permission, effect, scope, condition, created_at, created_by
             from access.role_grant ",
            $rest
        )
    };
}

pub(crate) fn read(row: &Row) -> Result<Grant, DbError> {
    let condition: Option<serde_json::Value> = row.try_get(5)?;
    Ok(Grant {
        id: GrantId(row.try_get(0)?),
        role_id: RoleId(row.try_get(1)?),
        permission: row.try_get(2)?,
        effect: word(row.try_get(3)?)?,
        scope: word(row.try_get(4)?)?,
        condition: condition.map(json).transpose()?,
        created_at: row.try_get(6)?,
        created_by: row.try_get(7)?,
    })
}

/// The grants that give or take administration.
pub(crate) fn of_administration() -> Statement {
    let covering: Vec<String> = COVERING.iter().map(|form| (*form).to_owned()).collect();
    (select!("where permission = any($1)"), params![covering])
}

pub(crate) fn by_id(role: RoleId, id: GrantId) -> Statement {
    (
        select!("where id = $1 and role_id = $2"),
        params![id.uuid(), role.uuid()],
    )
}

pub(crate) async fn get(tx: TenantTx<'_>, role: RoleId, id: GrantId) -> Result<Option<Grant>, DbError> {
    let sql = select!("where id = $1 and role_id = $2");
    let rows = tx.read(sql, &[&id.uuid(), &role.uuid()]).await?;
    rows.first().map(read).transpose()
}

/// All grants of a role, for the audit trail of its deletion.
pub(crate) fn of_role(role: RoleId) -> Statement {
    (select!("where role_id = $1"), params![role.uuid()])
}

/// The grants of a role and of those it inherits from.
pub(crate) fn of_role_and_above(role: RoleId) -> Statement {
    (
        concat!(
            "with recursive above (role_id) as (
               select $1::uuid
               union
               select p.parent_id from access.role_parent p join above a on p.role_id = a.role_id
             ) ",
            select!("where role_id in (select a.role_id from above a)")
        ),
        params![role.uuid()],
    )
}

/// The grants of every role that a user is assigned now or later, inherited ones included, archived or not.
pub(crate) fn of_account(user: UserId, now: Timestamp) -> Statement {
    (
        concat!(
            "with recursive held (role_id) as (
               select a.role_id from access.assignment a
               where a.user_id = $1 and (a.valid_until is null or a.valid_until > $2)
               union
               select p.parent_id from access.role_parent p join held h on p.role_id = h.role_id
             ) ",
            select!("where role_id in (select h.role_id from held h)")
        ),
        params![user.uuid(), now],
    )
}

/// The grants that a user who is not archived holds now, inherited ones included: of the allowing ones those that the user keeps at least
/// until `until` (`None` is for ever).
pub(crate) fn held_by(user: UserId, now: Timestamp, until: Option<Timestamp>) -> Statement {
    (
        concat!(
            "with recursive held (role_id, lasting) as (
               select a.role_id, a.valid_until is null or coalesce(a.valid_until >= $3, false)
               from access.assignment a
               where a.user_id = $1 and (a.valid_from is null or a.valid_from <= $2)
                 and (a.valid_until is null or a.valid_until > $2)
                 and not exists (select from access.subject s
                                 where s.tenant_id = a.tenant_id and s.user_id = a.user_id and s.archived_at is not null)
               union
               select p.parent_id, h.lasting from access.role_parent p join held h on p.role_id = h.role_id
             ) ",
            select!("where role_id in (select h.role_id from held h where h.lasting or effect = 'deny')")
        ),
        params![user.uuid(), now, until],
    )
}

pub(crate) fn count() -> Statement {
    ("select count(*) from access.role_grant", params![])
}

pub(crate) async fn page(tx: TenantTx<'_>, plan: &ListPlan, role: RoleId) -> Result<Vec<Grant>, DbError> {
    let of_role = vec!["role_id = $1".to_owned()];
    list(tx, plan, select!(""), of_role, params![role.uuid()], read).await
}

/// The permissions without wildcards that the tenant's grants name, for those that no service declares.
pub(crate) async fn named_permissions(tx: TenantTx<'_>) -> Result<Vec<String>, DbError> {
    let sql = "select distinct permission from access.role_grant where strpos(permission, '*') = 0";
    let rows = tx.read(sql, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(crate) fn insert(tenant: Uuid, grant: &Grant) -> Statement {
    (
        "insert into access.role_grant
           (tenant_id, id, role_id, permission, effect, scope, condition, created_at, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            tenant,
            grant.id.uuid(),
            grant.role_id.uuid(),
            grant.permission.clone(),
            effect_text(grant.effect),
            grant.scope.as_str(),
            grant.condition.as_ref().and_then(snapshot),
            grant.created_at,
            grant.created_by.clone(),
        ],
    )
}

pub(crate) fn delete(id: GrantId) -> Statement {
    ("delete from access.role_grant where id = $1", params![id.uuid()])
}

pub(crate) fn effect_text(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}
