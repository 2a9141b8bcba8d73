//! Endpoint rules: the tenant's own, and the platform's to show beside them.

use super::{Statement, json, list, snapshot};
use crate::model::{CataloguedPermission, Rule};
use stoa_kernel::db::Row;
use stoa_kernel::http::{ListPlan, SortKey};
use stoa_kernel::{DbError, SystemTx, TenantTx, params};
use stoa_policy::EndpointRule;
use stoa_types::RuleId;
use uuid::Uuid;

/// What rules can be sorted by.
pub(crate) const SORT: &[SortKey] = &[
    SortKey {
        field: "pattern",
        column: "pattern",
        sql_type: "text",
    },
    SortKey {
        field: "createdAt",
        column: "created_at",
        sql_type: "timestamptz",
    },
];

/// What permissions can be sorted by.
pub(crate) const PERMISSION_SORT: &[SortKey] = &[SortKey {
    field: "name",
    column: "name",
    sql_type: "text",
}];

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, pattern, methods, requirement, version, created_at, created_by, updated_at, updated_by
             from access.endpoint_rule ",
            $rest
        )
    };
}

pub(crate) fn read(row: &Row) -> Result<Rule, DbError> {
    Ok(Rule {
        id: RuleId(row.try_get(0)?),
        pattern: row.try_get(1)?,
        methods: row.try_get(2)?,
        requirement: json(row.try_get(3)?)?,
        version: row.try_get(4)?,
        created_at: row.try_get(5)?,
        created_by: row.try_get(6)?,
        updated_at: row.try_get(7)?,
        updated_by: row.try_get(8)?,
    })
}

/// All rules of the tenant: they are checked together.
pub(crate) fn all() -> Statement {
    (select!(""), params![])
}

pub(crate) fn by_id(id: RuleId) -> Statement {
    (select!("where id = $1"), params![id.uuid()])
}

pub(crate) async fn get(tx: TenantTx<'_>, id: RuleId) -> Result<Option<Rule>, DbError> {
    let rows = tx.read(select!("where id = $1"), &[&id.uuid()]).await?;
    rows.first().map(read).transpose()
}

pub(crate) async fn get_all(tx: TenantTx<'_>) -> Result<Vec<Rule>, DbError> {
    tx.read(select!(""), &[]).await?.iter().map(read).collect()
}

pub(crate) async fn page(tx: TenantTx<'_>, plan: &ListPlan) -> Result<Vec<Rule>, DbError> {
    list(tx, plan, select!(""), Vec::new(), params![], read).await
}

pub(crate) fn insert(tenant: Uuid, rule: &Rule) -> Statement {
    (
        "insert into access.endpoint_rule
           (tenant_id, id, pattern, methods, requirement, version, created_at, created_by, updated_at, updated_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            tenant,
            rule.id.uuid(),
            rule.pattern.clone(),
            rule.methods.clone(),
            snapshot(&rule.requirement),
            rule.version,
            rule.created_at,
            rule.created_by.clone(),
            rule.updated_at,
            rule.updated_by.clone(),
        ],
    )
}

pub(crate) fn update(rule: &Rule) -> Statement {
    (
        "update access.endpoint_rule
         set pattern = $2, methods = $3, requirement = $4, version = $5, updated_at = $6, updated_by = $7
         where id = $1",
        params![
            rule.id.uuid(),
            rule.pattern.clone(),
            rule.methods.clone(),
            snapshot(&rule.requirement),
            rule.version,
            rule.updated_at,
            rule.updated_by.clone(),
        ],
    )
}

pub(crate) fn delete(id: RuleId) -> Statement {
    (
        "delete from access.endpoint_rule where id = $1",
        params![id.uuid()],
    )
}

/// The platform's rules and their revision, in one snapshot.
pub(crate) async fn platform(tx: SystemTx<'_>) -> Result<(i64, Vec<EndpointRule>), DbError> {
    let sql = "select coalesce((select max(c.revision) from access.platform_change c), 0),
                 r.id, r.pattern, r.method, r.requirement
               from (select 1) one left join access.platform_rule r on r.enabled";
    let rows = tx.read(sql, &[]).await?;
    let revision = match rows.first() {
        Some(row) => row.try_get(0)?,
        None => 0,
    };
    let mut rules = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(id) = row.try_get(1)? else { continue };
        let method: String = row.try_get(3)?;
        rules.push(EndpointRule {
            id,
            pattern: row.try_get(2)?,
            methods: if method.is_empty() {
                Vec::new()
            } else {
                vec![method]
            },
            requirement: json(row.try_get(4)?)?,
        });
    }
    Ok((revision, rules))
}

/// A page of the catalogue of permissions.
pub(crate) async fn permissions(
    tx: SystemTx<'_>,
    plan: &ListPlan,
) -> Result<Vec<CataloguedPermission>, DbError> {
    let select = "select id, name, service, description from access.permission";
    list(tx, plan, select, Vec::new(), params![], |row| {
        Ok(CataloguedPermission {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            service: row.try_get(2)?,
            description: row.try_get(3)?,
        })
    })
    .await
}
