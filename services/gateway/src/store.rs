//! The SQL of routes.

use crate::model::{Origin, Predicates, Route, RouteSpec, Target};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use stoa_kernel::db::Row;
use stoa_kernel::http::{ListPlan, SortKey};
use stoa_kernel::{Database, DbError, Scope, TenantTx, params};
use stoa_types::TenantId;
use uuid::Uuid;

/// Every change of routes is notified here. Routes change rarely, so the global lock that a notification takes at commit
/// does not matter.
pub(crate) const CHANNEL: &str = "stoa_routes";

/// The fields that a list can be sorted by.
pub(crate) const SORT_KEYS: &[SortKey] = &[
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

const COLUMNS: &str = "id, name, priority, predicates, target, strip_prefix, rewrite, enabled, created_at, created_by, \
                       updated_at, updated_by, version";

const FINGERPRINT: &str = "select
    (select coalesce(sum(revision), 0)::bigint from gateway.route_revision),
    (select coalesce(string_agg(id::text || ' ' || version || ' ' || updated_at, ',' order by id), '')
       from gateway.platform_route)";

const REVISIONS: &str = "select tenant_id, revision from gateway.route_revision";

const PLATFORM: &str =
    "select id, name, priority, predicates, target, strip_prefix, rewrite, enabled, created_at,
    'platform' as created_by, updated_at, 'platform' as updated_by, version
  from gateway.platform_route order by priority desc, name";

const SEED: &str = "insert into gateway.platform_route as r (id, name, predicates, target) values ($1, $2, $3, $4)
  on conflict (id) do update
    set name = excluded.name, predicates = excluded.predicates, target = excluded.target,
        version = r.version + 1, updated_at = now()
    where r.origin = 'seed'
      and (r.name, r.predicates, r.target) is distinct from (excluded.name, excluded.predicates, excluded.target)";

const UNSEED: &str = "delete from gateway.platform_route where origin = 'seed' and not (id = any($1))";

const BUMP: &str = "insert into gateway.route_revision as r (tenant_id, revision) values ($1, 1)
  on conflict (tenant_id) do update set revision = r.revision + 1 returning revision";

const COUNT: &str = "select count(*) from gateway.route";

const INSERT: &str = "insert into gateway.route
    (tenant_id, id, name, priority, predicates, target, strip_prefix, rewrite, enabled, created_at, created_by,
     updated_at, updated_by, version)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  on conflict (tenant_id, id) do update
    set name = excluded.name, priority = excluded.priority, predicates = excluded.predicates,
        target = excluded.target, strip_prefix = excluded.strip_prefix, rewrite = excluded.rewrite,
        enabled = excluded.enabled, updated_at = excluded.updated_at, updated_by = excluded.updated_by,
        version = excluded.version";

const DELETE: &str = "delete from gateway.route where id = $1";

const RECORD: &str =
    "insert into gateway.route_change (tenant_id, revision, route_id, before, after, at, actor)
  values ($1, $2, $3, $4, $5, $6, $7)";

const NOTIFY: &str = "select pg_notify('stoa_routes', '')";

/// For each route that changed after a revision: what it was then, what it is now, and its highest version ever since.
const UNDO: &str = "select route_id, (array_agg(before order by revision))[1],
    (array_agg(after order by revision desc))[1],
    max(greatest((before ->> 'version')::bigint, (after ->> 'version')::bigint))
  from gateway.route_change where revision > $1 group by route_id";

/// What tells that some route changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// The sum of all tenants' revisions, each of which only rises.
    pub(crate) tenants: i64,
    /// Ids and versions of the platform's routes.
    pub(crate) platform: String,
}

/// The seed of one platform route.
pub(crate) fn seed(
    id: Uuid,
    name: String,
    predicates: &Predicates,
    target: &Target,
) -> stoa_kernel::migrate::SeedStatement {
    stoa_kernel::migrate::SeedStatement {
        sql: SEED,
        params: params![id, name, json(predicates), json(target)],
    }
}

/// Removes seeded routes that no service asks for any more.
pub(crate) fn unseed(keep: Vec<Uuid>) -> stoa_kernel::migrate::SeedStatement {
    stoa_kernel::migrate::SeedStatement {
        sql: UNSEED,
        params: params![keep],
    }
}

pub(crate) async fn fingerprint(db: &Database, scope: &mut Scope) -> Result<Fingerprint, DbError> {
    let rows = db.begin_system(scope).read(FINGERPRINT, &[]).await?;
    let row = rows
        .first()
        .ok_or_else(|| DbError::Unexpected("no fingerprint".into()))?;
    Ok(Fingerprint {
        tenants: row.try_get(0)?,
        platform: row.try_get(1)?,
    })
}

pub(crate) async fn revisions(db: &Database, scope: &mut Scope) -> Result<HashMap<TenantId, i64>, DbError> {
    let rows = db.begin_system(scope).read(REVISIONS, &[]).await?;
    rows.iter()
        .map(|row| Ok((TenantId(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

pub(crate) async fn platform_routes(db: &Database, scope: &mut Scope) -> Result<Vec<Route>, DbError> {
    let rows = db.begin_system(scope).read(PLATFORM, &[]).await?;
    rows.iter().map(|row| read(row, Origin::Seed)).collect()
}

/// All routes of these tenants; a tenant without any is in the answer too.
pub(crate) async fn tenant_routes(
    db: &Database,
    scope: &mut Scope,
    tenants: Vec<TenantId>,
) -> Result<Vec<(TenantId, Vec<(Uuid, RouteSpec)>)>, DbError> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = tenants.iter().map(|tenant| tenant.uuid()).collect();
    let sql = format!("select {COLUMNS}, tenant_id from gateway.route where tenant_id = any($1)");
    let rows = db.begin_system(scope).read(&sql, &[&ids]).await?;
    let mut owners: HashMap<TenantId, Vec<(Uuid, RouteSpec)>> =
        tenants.into_iter().map(|tenant| (tenant, Vec::new())).collect();
    for row in &rows {
        let tenant = TenantId(row.try_get("tenant_id")?);
        match read(row, Origin::Custom) {
            Ok(route) => owners.entry(tenant).or_default().push((route.id, route.spec)),
            // One unreadable row must not hold back everybody's changes.
            Err(error) => tracing::error!(%tenant, %error, "a route cannot be read; it is left out"),
        }
    }
    Ok(owners.into_iter().collect())
}

pub(crate) async fn list(db: &Database, scope: &mut Scope, plan: &ListPlan) -> Result<Vec<Route>, DbError> {
    let order = plan.order_by();
    let rows = match plan.after_sql(2) {
        Some((after, value, id)) => {
            let sql = format!("select {COLUMNS} from gateway.route where {after} {order} limit $1");
            db.begin(scope).read(&sql, &[&plan.fetch, &value, &id]).await?
        }
        None => {
            let sql = format!("select {COLUMNS} from gateway.route {order} limit $1");
            db.begin(scope).read(&sql, &[&plan.fetch]).await?
        }
    };
    rows.iter().map(|row| read(row, Origin::Custom)).collect()
}

pub(crate) async fn get(db: &Database, scope: &mut Scope, id: Uuid) -> Result<Option<Route>, DbError> {
    let sql = format!("select {COLUMNS} from gateway.route where id = $1");
    let rows = db.begin(scope).read(&sql, &[&id]).await?;
    rows.first().map(|row| read(row, Origin::Custom)).transpose()
}

/// Takes the next revision, whose row's lock puts the tenant's writers in order, and counts the routes; one flush.
pub(crate) async fn open(tx: &mut TenantTx<'_>) -> Result<(i64, i64), DbError> {
    tx.defer(BUMP, params![tx.tenant()]);
    tx.defer(COUNT, params![]);
    let results = tx.flush().await?;
    Ok((scalar(results.first())?, scalar(results.get(1))?))
}

/// Takes the next revision and reads one route; one flush.
pub(crate) async fn open_route(tx: &mut TenantTx<'_>, id: Uuid) -> Result<(i64, Option<Route>), DbError> {
    tx.defer(BUMP, params![tx.tenant()]);
    tx.defer(
        format!("select {COLUMNS} from gateway.route where id = $1"),
        params![id],
    );
    let results = tx.flush().await?;
    let route = results.get(1).and_then(|rows| rows.first());
    let route = route.map(|row| read(row, Origin::Custom)).transpose()?;
    Ok((scalar(results.first())?, route))
}

/// A route to restore.
pub(crate) struct Undo {
    pub(crate) id: Uuid,
    /// What it was; `None`: it did not exist.
    pub(crate) then: Option<Route>,
    /// What it is; `None`: it does not exist.
    pub(crate) now: Option<Route>,
    /// The highest version that it has had.
    pub(crate) version: i64,
}

/// What to restore to be back at `revision`.
pub(crate) async fn undo(tx: &mut TenantTx<'_>, revision: i64) -> Result<Vec<Undo>, DbError> {
    let route = |value: Option<serde_json::Value>| value.map(|v| from_json("change", v)).transpose();
    let rows = tx.query(UNDO, &[&revision]).await?;
    rows.iter()
        .map(|row| {
            Ok(Undo {
                id: row.try_get(0)?,
                then: route(row.try_get(1)?)?,
                now: route(row.try_get(2)?)?,
                version: row.try_get(3)?,
            })
        })
        .collect()
}

/// Writes a route with the next flush, new or not.
pub(crate) fn put(tx: &mut TenantTx<'_>, route: &Route) {
    let spec = &route.spec;
    tx.defer(
        INSERT,
        params![
            tx.tenant(),
            route.id,
            spec.name.clone(),
            spec.priority,
            json(&spec.predicates),
            json(&spec.target),
            i32::from(spec.strip_prefix),
            spec.rewrite.clone(),
            spec.enabled,
            route.created_at,
            route.created_by.clone(),
            route.updated_at,
            route.updated_by.clone(),
            route.version,
        ],
    );
}

/// Deletes a route with the next flush.
pub(crate) fn delete(tx: &mut TenantTx<'_>, id: Uuid) {
    tx.defer(DELETE, params![id]);
}

/// One change of a revision.
pub(crate) struct Change<'a> {
    pub(crate) revision: i64,
    pub(crate) route: Uuid,
    pub(crate) before: Option<&'a Route>,
    pub(crate) after: Option<&'a Route>,
    pub(crate) at: jiff::Timestamp,
    pub(crate) actor: &'a str,
}

/// Records a change with the next flush.
pub(crate) fn record(tx: &mut TenantTx<'_>, change: &Change<'_>) {
    tx.defer(
        RECORD,
        params![
            tx.tenant(),
            change.revision,
            change.route,
            change.before.map(json),
            change.after.map(json),
            change.at,
            change.actor.to_owned(),
        ],
    );
}

/// Wakes every gateway at commit.
pub(crate) fn notify(tx: &mut TenantTx<'_>) {
    tx.defer(NOTIFY, params![]);
}

fn read(row: &Row, origin: Origin) -> Result<Route, DbError> {
    let strip_prefix: i32 = row.try_get("strip_prefix")?;
    Ok(Route {
        id: row.try_get("id")?,
        spec: RouteSpec {
            name: row.try_get("name")?,
            priority: row.try_get("priority")?,
            predicates: from_json("predicates", row.try_get("predicates")?)?,
            target: from_json("target", row.try_get("target")?)?,
            strip_prefix: u8::try_from(strip_prefix).unwrap_or_default(),
            rewrite: row.try_get("rewrite")?,
            enabled: row.try_get("enabled")?,
        },
        origin,
        created_at: row.try_get("created_at")?,
        created_by: row.try_get("created_by")?,
        updated_at: row.try_get("updated_at")?,
        updated_by: row.try_get("updated_by")?,
        version: row.try_get("version")?,
    })
}

fn scalar(rows: Option<&Vec<Row>>) -> Result<i64, DbError> {
    let row = rows
        .and_then(|rows| rows.first())
        .ok_or_else(|| DbError::Unexpected("no row where one was expected".into()))?;
    Ok(row.try_get(0)?)
}

fn json<T: serde::Serialize>(value: T) -> serde_json::Value {
    // Plain structs of text and numbers always serialise.
    serde_json::to_value(value).unwrap_or_default()
}

fn from_json<T: DeserializeOwned>(column: &str, value: serde_json::Value) -> Result<T, DbError> {
    serde_json::from_value(value).map_err(|e| DbError::Unexpected(format!("{column} of a route: {e}")))
}
