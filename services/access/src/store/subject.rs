//! Whether users are there: what the user service's events tell, and who is about to be archived.

use super::Statement;
use jiff::Timestamp;
use stoa_kernel::{DbError, TenantTx, params};
use stoa_types::UserId;
use uuid::Uuid;

/// What the audit trail and the feed call a user who holds nothing from now on.
pub(crate) const ARCHIVED: &str = "subject.archived";
/// What they call one who holds again what they are assigned.
pub(crate) const RESTORED: &str = "subject.restored";
/// What they call an administrator whom somebody is archiving.
pub(crate) const LEAVING: &str = "subject.leaving";

/// Keeps an older event, which a replay may deliver, from undoing a newer one.
const KEEP: &str = "
  insert into access.subject (tenant_id, user_id, archived_at, user_version, updated_at, updated_by)
  values ($1, $2, case when $3 then $5::timestamptz end, $4, $5, $6)
  on conflict (tenant_id, user_id) do update
    set archived_at = excluded.archived_at, user_version = excluded.user_version, leaving_until = null,
      updated_at = excluded.updated_at, updated_by = excluded.updated_by
    where subject.user_version < excluded.user_version
  returning user_id";

/// Keeps whether a user is archived, under the lock of policy writes; false when a later version was known.
pub(crate) async fn keep(
    tx: &mut TenantTx<'_>,
    user: UserId,
    is_archived: bool,
    version: i64,
    now: Timestamp,
) -> Result<bool, DbError> {
    super::lock_changes(tx).await?;
    let (tenant, actor) = (tx.tenant(), super::actor_text(&tx.origin().actor));
    let kept = tx
        .query(
            KEEP,
            &[&tenant, &user.uuid(), &is_archived, &version, &now, &actor],
        )
        .await?;
    Ok(!kept.is_empty())
}

/// Has a user no longer count as an administrator until `until`, or until the user's next event.
pub(crate) fn leave(tenant: Uuid, user: UserId, until: Timestamp, now: Timestamp, actor: &str) -> Statement {
    (
        "insert into access.subject (tenant_id, user_id, leaving_until, updated_at, updated_by)
         values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, user_id) do update
           set leaving_until = excluded.leaving_until, updated_at = excluded.updated_at,
             updated_by = excluded.updated_by",
        params![tenant, user.uuid(), until, now, actor.to_owned()],
    )
}
