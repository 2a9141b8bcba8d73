//! The SQL of accounts as the user service and the platform change them.

use super::{Followed, Known};
use jiff::Timestamp;
use stoa_kernel::{Database, DbError, Scope, TenantTx, params};
use stoa_types::UserId;

const LOCK: &str = "select email, password_hash is not null, user_version, invite, pending_email,
    archived_at is not null
  from identity.account where tenant_id = $1 and id = $2 for update";

const INSERT: &str = "insert into identity.account
  (tenant_id, id, email, name, locale, user_version, invite, status, created_at, created_by, updated_at, updated_by,
   archived_at)
  values ($1, $2, $3, $4, $5, $6, $7, 'invited', $8, $9, $8, $9, case when $10 then $8::timestamptz end)";

const UPDATE: &str =
    "update identity.account set email = $3, name = $4, locale = $5, user_version = $6, invite = $7,
    pending_email = $8, former_email = coalesce($9, former_email), updated_at = $10, updated_by = $11,
    version = version + 1, archived_at = case when $12 then coalesce(archived_at, $10) end
  where tenant_id = $1 and id = $2";

const INSERT_WITH_PASSWORD: &str = "insert into identity.account
  (tenant_id, id, email, name, password_hash, status, created_at, created_by, updated_at, updated_by)
  values ($1, $2, $3, $4, $5, 'active', $6, $7, $6, $7)";

const GIVE_PASSWORD: &str =
    "update identity.account set password_hash = $3, status = 'active', updated_at = $4,
    updated_by = $5, version = version + 1
  where tenant_id = $1 and id = $2 and password_hash is null";

const HAS_PASSWORD: &str =
    "select password_hash is not null from identity.account where tenant_id = $1 and id = $2";

const EMAIL_TAKEN: &str = "select from identity.account
  where email = $1 and archived_at is null and (tenant_id, id) <> ($2, $3)";

/// At once, without asking the user service: it may be away, and who is archived must not work on.
const ARCHIVE: &str =
    "update identity.account set archived_at = coalesce(archived_at, $3), user_version = $5,
    pending_email = null, updated_at = $3, updated_by = $4, version = version + 1
  where tenant_id = $1 and id = $2 and user_version < $5";

const END_SESSIONS: &str = "update identity.session s set ended_at = $3
  where s.tenant_id = $1 and s.user_id = $2 and s.ended_at is null and exists (
    select from identity.account a where a.tenant_id = $1 and a.id = $2 and a.archived_at is not null)";

const REVOKE_FAMILIES: &str =
    "update identity.token_family f set revoked_at = $3, revoked_reason = 'archived'
  where f.tenant_id = $1 and f.user_id = $2 and f.revoked_at is null and exists (
    select from identity.account a where a.tenant_id = $1 and a.id = $2 and a.archived_at is not null)";

const DROP_TOKENS: &str = "delete from identity.mail_token t
  where t.tenant_id = $1 and t.user_id = $2 and exists (
    select from identity.account a where a.tenant_id = $1 and a.id = $2 and a.archived_at is not null)";

/// Sent to an address that is not the one in question any more.
const DROP_VERIFICATIONS: &str = "delete from identity.mail_token t
  where t.tenant_id = $1 and t.user_id = $2 and t.purpose = 'verification' and t.email <> coalesce($3, '')";

pub(crate) async fn lock(tx: &mut TenantTx<'_>, id: UserId) -> Result<Option<Known>, DbError> {
    let tenant = tx.tenant();
    let row = tx.query_opt(LOCK, &[&tenant, &id.uuid()]).await?;
    row.map(|row| {
        Ok(Known {
            email: row.try_get(0)?,
            has_password: row.try_get(1)?,
            user_version: row.try_get(2)?,
            invite: row.try_get(3)?,
            pending_email: row.try_get(4)?,
            is_archived: row.try_get(5)?,
        })
    })
    .transpose()
}

pub(crate) fn insert(tx: &mut TenantTx<'_>, id: UserId, account: Followed, now: Timestamp) {
    let by = tx.origin().actor.to_string();
    let values = params![
        tx.tenant(),
        id.uuid(),
        account.email,
        account.name,
        account.locale,
        account.user_version,
        account.invite,
        now,
        by,
        account.is_archived
    ];
    tx.defer(INSERT, values);
}

/// Writes the account, whose row is locked; when it is archived, ends what its user was signed in with.
pub(crate) fn update(tx: &mut TenantTx<'_>, id: UserId, account: Followed, now: Timestamp) {
    let by = tx.origin().actor.to_string();
    let tenant = tx.tenant();
    let (archived, pending) = (account.is_archived, account.pending_email.clone());
    let values = params![
        tenant,
        id.uuid(),
        account.email,
        account.name,
        account.locale,
        account.user_version,
        account.invite,
        account.pending_email,
        account.former_email,
        now,
        by,
        archived
    ];
    tx.defer(UPDATE, values);
    tx.defer(DROP_VERIFICATIONS, params![tenant, id.uuid(), pending]);
    if archived {
        end_everything(tx, id, now);
    }
}

/// Archives the account unless a later version of its user is known, and ends what its user was signed in with.
pub(crate) fn archive(tx: &mut TenantTx<'_>, id: UserId, version: i64, now: Timestamp) {
    let by = tx.origin().actor.to_string();
    let values = params![tx.tenant(), id.uuid(), now, by, version];
    tx.defer(ARCHIVE, values);
    end_everything(tx, id, now);
}

/// In this order: a redemption that runs at the same time holds the session's row, and its tokens are then seen by the
/// second statement.
fn end_everything(tx: &mut TenantTx<'_>, id: UserId, now: Timestamp) {
    let tenant = tx.tenant();
    tx.defer(END_SESSIONS, params![tenant, id.uuid(), now]);
    tx.defer(REVOKE_FAMILIES, params![tenant, id.uuid(), now]);
    tx.defer(DROP_TOKENS, params![tenant, id.uuid()]);
}

/// Whether there is an account, and then whether it has a password.
pub(crate) async fn has_password(tx: &mut TenantTx<'_>, id: UserId) -> Result<Option<bool>, DbError> {
    let tenant = tx.tenant();
    let row = tx.query_opt(HAS_PASSWORD, &[&tenant, &id.uuid()]).await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Whether a live account of any tenant has the e-mail, other than the one of `except` in the scope's tenant.
pub(crate) async fn is_email_taken(
    db: &Database,
    scope: &mut Scope,
    email: &str,
    except: Option<UserId>,
) -> Result<bool, DbError> {
    let tenant = scope.tenant().uuid();
    let except = except.map_or_else(uuid::Uuid::nil, UserId::uuid);
    let rows = db
        .begin_system(scope)
        .read(EMAIL_TAKEN, &[&email, &tenant, &except])
        .await?;
    Ok(!rows.is_empty())
}

/// An account that the platform makes.
#[derive(Clone)]
pub(crate) struct NewAccount {
    pub(crate) id: UserId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) password_hash: String,
    pub(crate) now: Timestamp,
}

pub(crate) fn insert_with_password(tx: &mut TenantTx<'_>, new: NewAccount) {
    let by = tx.origin().actor.to_string();
    let values = params![
        tx.tenant(),
        new.id.uuid(),
        new.email,
        new.name,
        new.password_hash,
        new.now,
        by
    ];
    tx.defer(INSERT_WITH_PASSWORD, values);
}

/// Gives an account its first password.
pub(crate) fn give_password(tx: &mut TenantTx<'_>, new: NewAccount) {
    let by = tx.origin().actor.to_string();
    let values = params![tx.tenant(), new.id.uuid(), new.password_hash, new.now, by];
    tx.defer(GIVE_PASSWORD, values);
}
