//! Roles and what they inherit from.

use super::{Statement, list};
use crate::model::Role;
use stoa_kernel::db::Row;
use stoa_kernel::http::{ListPlan, SortKey};
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::RoleId;
use uuid::Uuid;

/// What roles can be sorted by.
pub(crate) const SORT: &[SortKey] = &[
    SortKey {
        field: "name",
        column: "name",
        sql_type: "text",
    },
    SortKey {
        field: "createdAt",
        column: "created_at",
        sql_type: "timestamptz",
    },
];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, name, description, version, created_at, created_by, updated_at, updated_by,
               array(select p.parent_id from access.role_parent p
                     where p.tenant_id = role.tenant_id and p.role_id = role.id order by p.parent_id)
             from access.role ",
            $rest
        )
    };
}

pub(crate) fn read(row: &Row) -> Result<Role, DbError> {
    let parents: Vec<Uuid> = row.try_get(8)?;
    Ok(Role {
        id: RoleId(row.try_get(0)?),
        name: row.try_get(1)?,
        description: row.try_get(2)?,
        version: row.try_get(3)?,
        created_at: row.try_get(4)?,
        created_by: row.try_get(5)?,
        updated_at: row.try_get(6)?,
        updated_by: row.try_get(7)?,
        parents: parents.into_iter().map(RoleId).collect(),
    })
}

/// All roles, for a check that concerns inheritance.
pub(crate) fn all() -> Statement {
    (select!(""), params![])
}

/// One role, locked by the tenant's revision row.
pub(crate) fn by_id(id: RoleId) -> Statement {
    (select!("where id = $1"), params![id.uuid()])
}

pub(crate) fn by_name(name: &str) -> Statement {
    (select!("where name = $1"), params![name.to_owned()])
}

pub(crate) async fn get(tx: TenantTx<'_>, id: RoleId) -> Result<Option<Role>, DbError> {
    let rows = tx.read(select!("where id = $1"), &[&id.uuid()]).await?;
    rows.first().map(read).transpose()
}

pub(crate) async fn page(tx: TenantTx<'_>, plan: &ListPlan) -> Result<Vec<Role>, DbError> {
    list(tx, plan, select!(""), Vec::new(), params![], read).await
}

pub(crate) fn insert(tenant: Uuid, role: &Role) -> Statement {
    (
        "insert into access.role
           (tenant_id, id, name, description, version, created_at, created_by, updated_at, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            tenant,
            role.id.uuid(),
            role.name.clone(),
            role.description.clone(),
            role.version,
            role.created_at,
            role.created_by.clone(),
            role.updated_at,
            role.updated_by.clone(),
        ],
    )
}

pub(crate) fn update(role: &Role) -> Statement {
    (
        "update access.role set name = $2, description = $3, version = $4, updated_at = $5, updated_by = $6
         where id = $1",
        params![
            role.id.uuid(),
            role.name.clone(),
            role.description.clone(),
            role.version,
            role.updated_at,
            role.updated_by.clone(),
        ],
    )
}

/// Drops the parents that are not in the role, then [`add_parents`] adds those that are missing.
pub(crate) fn drop_parents(role: &Role) -> Statement {
    (
        "delete from access.role_parent where role_id = $1 and parent_id <> all($2)",
        params![role.id.uuid(), parents(role)],
    )
}

pub(crate) fn add_parents(tenant: Uuid, role: &Role) -> Statement {
    (
        "insert into access.role_parent (tenant_id, role_id, parent_id) select $1, $2, unnest($3::uuid[])
         on conflict do nothing",
        params![tenant, role.id.uuid(), parents(role)],
    )
}

pub(crate) fn delete(id: RoleId) -> Statement {
    ("delete from access.role where id = $1", params![id.uuid()])
}

fn parents(role: &Role) -> Vec<Uuid> {
    role.parents.iter().map(|parent| parent.uuid()).collect()
}
