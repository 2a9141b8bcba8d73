//! The projection of the organization's branches, for the scopes `branchAndBelow` and `organization`.

use stoa_contracts::organization::Branch;
use stoa_kernel::db::ToSql;
use stoa_kernel::{DbError, SystemTx, TenantTx, params};
use stoa_types::{BranchId, TenantId, UserId};
use uuid::Uuid;

/// What the audit trail and the feed call a branch that was placed in the tree.
pub(crate) const PLACED: &str = "branch.placed";

/// What the projection knows of a branch: its version, its organization, and itself with the branches above it. Locked,
/// because an event may come while its organization is asked for.
const KNOWN: &str = "
  select b.version, b.organization_id,
    array(select c.ancestor_id from access.branch_closure c
          where c.tenant_id = b.tenant_id and c.branch_id = b.id)
  from access.branch b where b.id = $1 for update of b";

/// Branches that were known before their organization was kept.
const WITHOUT_ORGANIZATION: &str = "
  select tenant_id, id from access.branch where organization_id is null and (tenant_id, id) > ($1, $2)
  order by tenant_id, id limit $3";

/// Who works at a branch above or in the organization, before the change or after it, and so sees one branch less or
/// more.
const CONCERNED: &str = "
  select s.user_id from access.subject s
  where s.branch_id = any($1)
     or s.branch_id in (select b.id from access.branch b where b.organization_id = any($2))
  limit $3";

/// Keeps a branch of which an event told. Returns up to `limit` users who see other branches than before, or `None`
/// when the projection knew as much or more.
pub(crate) async fn place(
    tx: &mut TenantTx<'_>,
    branch: &Branch,
    limit: i64,
) -> Result<Option<Vec<UserId>>, DbError> {
    tx.flush().await?;
    let tenant = tx.tenant();
    let (id, organization) = (branch.id.uuid(), branch.organization.uuid());
    let path: Vec<Uuid> = branch.path.iter().map(|id| id.uuid()).collect();
    let (version, known_organization, known_path) = known(tx, id).await?;
    // An older event, which a replay may deliver, must not undo a newer one. It may fill in the organization.
    if version > branch.version || (version == branch.version && known_organization.is_some()) {
        return Ok(None);
    }
    let mut concerned = Vec::new();
    if known_organization != Some(organization) || !same(&known_path, &path) {
        let branches: Vec<Uuid> = known_path.iter().chain(&path).copied().collect();
        let organizations: Vec<Uuid> = known_organization.into_iter().chain([organization]).collect();
        for row in tx.query(CONCERNED, &[&branches, &organizations, &limit]).await? {
            concerned.push(UserId(row.try_get(0)?));
        }
    }
    tx.defer(
        "insert into access.branch (tenant_id, id, version, organization_id) values ($1, $2, $3, $4)
         on conflict (tenant_id, id) do update
           set version = excluded.version, organization_id = excluded.organization_id",
        params![tenant, id, branch.version, organization],
    );
    tx.defer(
        "delete from access.branch_closure where branch_id = $1 and ancestor_id <> all($2)",
        params![id, path.clone()],
    );
    tx.defer(
        "insert into access.branch_closure (tenant_id, ancestor_id, branch_id)
         select $1, unnest($3::uuid[]), $2 on conflict do nothing",
        params![tenant, id, path],
    );
    Ok(Some(concerned))
}

/// Version 0 for a branch that is not known.
async fn known(tx: &mut TenantTx<'_>, branch: Uuid) -> Result<(i64, Option<Uuid>, Vec<Uuid>), DbError> {
    match tx.query_opt(KNOWN, &[&branch]).await? {
        Some(row) => Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)),
        None => Ok((0, None, Vec::new())),
    }
}

/// Whether two lists have the same ids; neither has one twice.
fn same(some: &[Uuid], others: &[Uuid]) -> bool {
    some.len() == others.len() && some.iter().all(|id| others.contains(id))
}

/// Up to `limit` branches after `after`, of any tenant, whose organization is not known.
pub(crate) async fn without_organization(
    tx: SystemTx<'_>,
    (tenant, branch): (TenantId, BranchId),
    limit: i64,
) -> Result<Vec<(TenantId, BranchId)>, DbError> {
    let params: [&(dyn ToSql + Sync); 3] = [&tenant.uuid(), &branch.uuid(), &limit];
    let rows = tx.read(WITHOUT_ORGANIZATION, &params).await?;
    rows.iter()
        .map(|row| Ok((TenantId(row.try_get(0)?), BranchId(row.try_get(1)?))))
        .collect()
}

/// Whether the projection knows a branch.
pub(crate) async fn exists(tx: TenantTx<'_>, branch: Uuid) -> Result<bool, DbError> {
    let sql = "select exists (select from access.branch where id = $1)";
    let rows = tx.read(sql, &[&branch]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}
