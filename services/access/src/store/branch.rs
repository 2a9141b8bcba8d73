//! The projection of the organization's branches, for "this branch and every branch below it".

use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::UserId;
use uuid::Uuid;

/// Keeps an older event, which a replay may deliver, from undoing a newer one.
const UPSERT: &str = "
  insert into access.branch (tenant_id, id, version) values ($1, $2, $3)
  on conflict (tenant_id, id) do update set version = excluded.version where branch.version < excluded.version
  returning id";

/// Who works at a branch above, before the change or after it, and so sees one branch less or more.
const CONCERNED: &str = "
  select s.user_id from access.subject s
  where s.branch_id = any($2)
     or s.branch_id in (select c.ancestor_id from access.branch_closure c where c.branch_id = $1)
  limit $3";

/// Puts a branch below `path` (root first, its own id last). Returns up to `limit` users concerned, or `None` when the
/// projection knew as much or more.
pub(crate) async fn place(
    tx: &mut TenantTx<'_>,
    branch: Uuid,
    path: &[Uuid],
    version: i64,
    limit: i64,
) -> Result<Option<Vec<UserId>>, DbError> {
    tx.flush().await?;
    let tenant = tx.tenant();
    if tx.query(UPSERT, &[&tenant, &branch, &version]).await?.is_empty() {
        return Ok(None);
    }
    let rows = tx.query(CONCERNED, &[&branch, &path, &limit]).await?;
    let users = rows
        .iter()
        .map(|row| Ok(UserId(row.try_get(0)?)))
        .collect::<Result<_, DbError>>()?;
    tx.defer(
        "delete from access.branch_closure where branch_id = $1 and ancestor_id <> all($2)",
        params![branch, path.to_vec()],
    );
    tx.defer(
        "insert into access.branch_closure (tenant_id, ancestor_id, branch_id)
         select $1, unnest($3::uuid[]), $2 on conflict do nothing",
        params![tenant, branch, path.to_vec()],
    );
    Ok(Some(users))
}

/// Whether the projection knows a branch.
pub(crate) async fn exists(tx: TenantTx<'_>, branch: Uuid) -> Result<bool, DbError> {
    let sql = "select exists (select from access.branch where id = $1)";
    let rows = tx.read(sql, &[&branch]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}
