//! The projection of the teams, for the scope `team`.

use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::{TeamId, UserId};
use uuid::Uuid;

/// What the audit trail and the feed call a team whose members are others than before.
pub(crate) const CHANGED: &str = "team.changed";

/// Keeps an older event, which a replay may deliver, from undoing a newer one.
const UPSERT: &str = "
  insert into access.team (tenant_id, id, version) values ($1, $2, $3)
  on conflict (tenant_id, id) do update set version = excluded.version where team.version < excluded.version
  returning id";

/// Keeps the members of a team. Returns those of before and of now when they differ, because each of them shares the
/// team with others now; `None` when the projection knew as much or more.
pub(crate) async fn keep(
    tx: &mut TenantTx<'_>,
    team: TeamId,
    members: &[UserId],
    version: i64,
) -> Result<Option<Vec<UserId>>, DbError> {
    tx.flush().await?;
    let (tenant, team) = (tx.tenant(), team.uuid());
    if tx.query(UPSERT, &[&tenant, &team, &version]).await?.is_empty() {
        return Ok(None);
    }
    let mut now: Vec<Uuid> = members.iter().map(|user| user.uuid()).collect();
    now.sort_unstable();
    now.dedup();
    let sql = "select user_id from access.team_member where team_id = $1 order by user_id";
    let mut before: Vec<Uuid> = Vec::new();
    for row in tx.query(sql, &[&team]).await? {
        before.push(row.try_get(0)?);
    }
    if before == now {
        return Ok(Some(Vec::new()));
    }
    tx.defer(
        "delete from access.team_member where team_id = $1 and user_id <> all($2)",
        params![team, now.clone()],
    );
    tx.defer(
        "insert into access.team_member (tenant_id, team_id, user_id)
         select $1, $2, unnest($3::uuid[]) on conflict do nothing",
        params![tenant, team, now.clone()],
    );
    before.extend(now);
    before.sort_unstable();
    before.dedup();
    Ok(Some(before.into_iter().map(UserId).collect()))
}
