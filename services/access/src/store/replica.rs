//! What every process loads: a policy, a subject, and the feed of changes. Each is one statement, so one snapshot: a
//! revision never labels another revision's content.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use stoa_contracts::access::SubjectDescription;
use stoa_kernel::db::Row;
use stoa_kernel::decisions::Change;
use stoa_kernel::{DbError, SystemTx, TenantTx, params};
use stoa_policy::{
    BRANCH_ATTRIBUTE, DataScope, OWNER_ATTRIBUTE, Schema, Schemas, SubjectGrants, TenantPolicy,
};
use stoa_types::{BranchId, TenantId, UserId};
use uuid::Uuid;

const POLICY: &str = "
  select revision.revision,
    (select coalesce(json_agg(json_build_object('id', r.id, 'name', r.name, 'parents',
         array(select p.parent_id from access.role_parent p
               where p.tenant_id = r.tenant_id and p.role_id = r.id))), '[]')::text
     from access.role r),
    (select coalesce(json_agg(json_build_object('id', g.id, 'role', g.role_id, 'permission', g.permission,
         'effect', g.effect, 'scope', g.scope, 'condition', g.condition)), '[]')::text
     from access.role_grant g),
    (select coalesce(json_agg(json_build_object('id', e.id, 'pattern', e.pattern, 'methods', e.methods,
         'requirement', e.requirement)), '[]')::text
     from access.endpoint_rule e)
  from access.revision";

const SUBJECT: &str = "
  select coalesce((select revision from access.revision), 0),
    (select branch_id from access.subject where user_id = $1),
    array(select c.branch_id from access.subject s
          join access.branch_closure c on c.tenant_id = s.tenant_id and c.ancestor_id = s.branch_id
          where s.user_id = $1),
    array(select distinct other.user_id from access.team_member own
          join access.team_member other on other.tenant_id = own.tenant_id and other.team_id = own.team_id
          where own.user_id = $1),
    array(select b.id from access.subject s
          join access.branch home on home.tenant_id = s.tenant_id and home.id = s.branch_id
          join access.branch b on b.tenant_id = home.tenant_id and b.organization_id = home.organization_id
          where s.user_id = $1),
    (select coalesce(json_agg(json_build_object('role', a.role_id,
         'validFrom', floor(extract(epoch from a.valid_from) * 1000)::bigint,
         'validUntil', floor(extract(epoch from a.valid_until) * 1000)::bigint)), '[]')::text
     from access.assignment a where a.user_id = $1
       and not exists (select from access.subject s
                       where s.tenant_id = a.tenant_id and s.user_id = a.user_id and s.archived_at is not null))";

const DESCRIPTION: &str = "
  with recursive direct as (
    select a.role_id from access.assignment a
    where a.user_id = $1 and (a.valid_from is null or a.valid_from <= $2)
      and (a.valid_until is null or a.valid_until > $2)
      and not exists (select from access.subject s
                      where s.tenant_id = a.tenant_id and s.user_id = a.user_id and s.archived_at is not null)
  ), held as (
    select role_id from direct
    union
    select p.parent_id from access.role_parent p join held h on p.role_id = h.role_id
  )
  select array(select r.name from access.role r join direct d on r.id = d.role_id order by r.name),
    (select max(array_position($4::text[], g.scope))
     from access.role_grant g join held h on g.role_id = h.role_id
     where g.effect = 'allow' and split_part(g.permission, ':', 1) = any($3)),
    (select branch_id from access.subject where user_id = $1)";

const HEAD: &str = "select greatest((select max(seq) from access.change),
                                    (select max(seq) from access.platform_change), 0)";

const FEED: &str = "
  select seq, tenant_id, user_id, revision, kind from (
    (select seq, tenant_id, user_id, revision, kind from access.change where seq > $1 order by seq limit $2)
    union all
    (select seq, null, null, revision, kind from access.platform_change where seq > $1 order by seq limit $2)
  ) changes order by seq limit $2";

/// A tenant's policy; empty at revision 0 when there is no such tenant.
pub(crate) async fn policy(tx: TenantTx<'_>) -> Result<TenantPolicy, DbError> {
    let tenant = tx.tenant();
    let rows = tx.read(POLICY, &[]).await?;
    let Some(row) = rows.first() else {
        return Ok(TenantPolicy {
            tenant,
            ..TenantPolicy::default()
        });
    };
    Ok(TenantPolicy {
        tenant,
        revision: row.try_get(0)?,
        roles: parse(row.try_get(1)?)?,
        grants: parse(row.try_get(2)?)?,
        endpoint_rules: parse(row.try_get(3)?)?,
    })
}

/// What a user holds; nothing for an unknown one.
pub(crate) async fn subject(tx: TenantTx<'_>, user: UserId) -> Result<SubjectGrants, DbError> {
    let tenant = tx.tenant();
    let rows = tx.read(SUBJECT, &[&user.uuid()]).await?;
    let row = rows
        .first()
        .ok_or_else(|| DbError::Unexpected("no row for a subject".into()))?;
    Ok(SubjectGrants {
        tenant,
        user: user.uuid(),
        revision: row.try_get(0)?,
        branch: row.try_get(1)?,
        branches_below: row.try_get(2)?,
        team_members: row.try_get(3)?,
        organization_branches: row.try_get(4)?,
        assignments: parse(row.try_get(5)?)?,
        ..SubjectGrants::default()
    })
}

/// What the claims of a token say, but for the plan. The data scope is the widest over resources whose rows
/// have an owner and a branch: on the others some scope but `all` is empty, so that everybody has `all`.
pub(crate) async fn describe(
    tx: TenantTx<'_>,
    user: UserId,
    now: Timestamp,
    schemas: &Schemas,
) -> Result<SubjectDescription, DbError> {
    let scoped = |schema: &Schema| {
        let has = |name| schema.resource.contains_key(name);
        has(OWNER_ATTRIBUTE) && has(BRANCH_ATTRIBUTE)
    };
    let scoped = schemas.iter().filter(|(_, schema)| scoped(schema));
    let resources: Vec<&str> = scoped.map(|(name, _)| name.as_str()).chain(["*"]).collect();
    let scopes = DataScope::EVERY.map(DataScope::as_str).to_vec();
    let rows = tx
        .read(DESCRIPTION, &[&user.uuid(), &now, &resources, &scopes])
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| DbError::Unexpected("no row for a subject".into()))?;
    let widest = row.try_get::<_, Option<i32>>(1)?.unwrap_or(1);
    let widest = usize::try_from(widest - 1).unwrap_or(0);
    let scope = DataScope::EVERY.get(widest).unwrap_or(&DataScope::Own);
    let branch: Option<Uuid> = row.try_get(2)?;
    Ok(SubjectDescription {
        roles: row.try_get(0)?,
        data_scope: scope.as_str().to_owned(),
        branch_id: branch.map(BranchId),
        plan: String::new(),
    })
}

/// The position of the last change.
pub(crate) async fn head(tx: SystemTx<'_>) -> Result<i64, DbError> {
    let rows = tx.read(HEAD, &[]).await?;
    rows.first().map_or(Ok(0), |row| Ok(row.try_get(0)?))
}

/// The position of the last change, and up to `limit` changes after `after` with their positions, oldest first.
pub(crate) async fn changes_after(
    mut tx: SystemTx<'_>,
    after: i64,
    limit: i64,
) -> Result<(i64, Vec<(i64, Change)>), DbError> {
    tx.defer(HEAD, params![]);
    tx.defer(FEED, params![after, limit]);
    let mut results = tx.commit().await?.into_iter();
    let head = results.next().unwrap_or_default();
    let head = head.first().map_or(Ok(0), |row| row.try_get(0))?;
    let changes = results.next().unwrap_or_default();
    Ok((head, changes.iter().map(read_change).collect::<Result<_, _>>()?))
}

fn read_change(row: &Row) -> Result<(i64, Change), DbError> {
    let kind: &str = row.try_get(4)?;
    let change = Change {
        subjects: [super::branch::PLACED, super::team::CHANGED].contains(&kind),
        tenant: row.try_get::<_, Option<Uuid>>(1)?.map(TenantId),
        user: row.try_get::<_, Option<Uuid>>(2)?.map(UserId),
        revision: row.try_get(3)?,
    };
    Ok((row.try_get(0)?, change))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::Unexpected(error.to_string()))
}
