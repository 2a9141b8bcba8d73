//! The SQL of authorization codes, token families and refresh tokens.

use crate::model::{CODE_LIFETIME, Grant};
use jiff::Timestamp;
use stoa_kernel::db::Row;
use stoa_kernel::{Database, DbError, Scope, params};
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

const INSERT_CODE: &str = "insert into identity.authorization_code
  (tenant_id, code_hash, family_id, user_id, client_id, session_id, redirect_uri, code_challenge, nonce, scope,
   auth_time, created_at, expires_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const FIND_CODE: &str =
    "select c.tenant_id, c.user_id, c.client_id, c.session_id, c.family_id, c.scope, c.auth_time,
    c.nonce, c.redirect_uri, c.code_challenge, c.expires_at, c.used_at
  from identity.authorization_code c where c.code_hash = $1";

/// Spends the code and opens its family with the first refresh token, or does nothing at all. The session's row is
/// locked, so that a sign-out at the same time happens before (nothing is issued) or after (the family is revoked).
const REDEEM_CODE: &str = "with live as (
    select s.tenant_id, s.id
    from identity.authorization_code c
    join identity.session s on s.tenant_id = c.tenant_id and s.id = c.session_id
    join identity.account a on a.tenant_id = s.tenant_id and a.id = s.user_id
    where c.code_hash = $1 and s.ended_at is null and a.status = 'active' and a.archived_at is null
    for share of s
  ), spent as (
    update identity.authorization_code c set used_at = $2 from live
    where c.code_hash = $1 and c.used_at is null and c.expires_at > $2
      and live.tenant_id = c.tenant_id and live.id = c.session_id
    returning c.tenant_id, c.family_id, c.user_id, c.client_id, c.session_id, c.scope, c.auth_time
  ), family as (
    insert into identity.token_family
      (tenant_id, id, user_id, client_id, session_id, scope, auth_time, created_at)
    select tenant_id, family_id, user_id, client_id, session_id, scope, auth_time, $2 from spent
    returning tenant_id, id
  )
  insert into identity.refresh_token (tenant_id, token_hash, family_id, created_at, expires_at)
  select tenant_id, $3, id, $2, $4 from family returning true";

const FIND_REFRESH: &str =
    "select f.tenant_id, f.user_id, f.client_id, f.session_id, f.id, f.scope, f.auth_time,
    r.expires_at, r.used_at, f.revoked_at is not null,
    a.status = 'active' and a.archived_at is null
  from identity.refresh_token r
  join identity.token_family f on f.tenant_id = r.tenant_id and f.id = r.family_id
  join identity.account a on a.tenant_id = f.tenant_id and a.id = f.user_id
  where r.token_hash = $1";

/// Spends the token and adds its successor, or does nothing at all. `$3` is the earliest first use that still lies
/// within the grace.
const ROTATE: &str = "with spent as (
    update identity.refresh_token r set used_at = coalesce(r.used_at, $2)
    from identity.token_family f
    where r.token_hash = $1 and f.tenant_id = r.tenant_id and f.id = r.family_id
      and f.revoked_at is null and r.expires_at > $2 and (r.used_at is null or r.used_at > $3)
    returning r.tenant_id, r.family_id
  )
  insert into identity.refresh_token (tenant_id, token_hash, family_id, created_at, expires_at)
  select tenant_id, $4, family_id, $2, $5 from spent returning true";

const REVOKE_FAMILY: &str = "update identity.token_family set revoked_at = $3, revoked_reason = $4
  where tenant_id = $1 and id = $2 and revoked_at is null";

const IS_FAMILY_LIVE: &str = "select from identity.token_family f
  join identity.account a on a.tenant_id = f.tenant_id and a.id = f.user_id
  where f.tenant_id = $1 and f.id = $2 and f.revoked_at is null and a.status = 'active' and a.archived_at is null";

/// A new authorization code.
pub(crate) struct NewCode<'a> {
    pub(crate) hash: Vec<u8>,
    pub(crate) grant: &'a Grant,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code_challenge: &'a str,
    pub(crate) now: Timestamp,
}

pub(crate) async fn insert_code(db: &Database, scope: &mut Scope, new: NewCode<'_>) -> Result<(), DbError> {
    let grant = new.grant.clone();
    let expires_at = new.now.saturating_add(CODE_LIFETIME).unwrap_or(new.now);
    let mut tx = db.begin_system(scope);
    tx.defer(
        INSERT_CODE,
        params![
            grant.tenant.uuid(),
            new.hash,
            grant.family,
            grant.user.uuid(),
            grant.client_id,
            grant.session,
            new.redirect_uri.to_owned(),
            new.code_challenge.to_owned(),
            grant.nonce,
            grant.scope,
            grant.auth_time,
            new.now,
            expires_at
        ],
    );
    tx.commit().await.map(|_| ())
}

/// A code as it is kept, used or not.
pub(super) struct StoredCode {
    pub(super) grant: Grant,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    pub(super) expires_at: Timestamp,
    pub(super) used_at: Option<Timestamp>,
}

pub(super) async fn find_code(
    db: &Database,
    scope: &mut Scope,
    hash: &[u8],
) -> Result<Option<StoredCode>, DbError> {
    let rows = db.begin_system(scope).read(FIND_CODE, &[&hash]).await?;
    rows.first()
        .map(|row| {
            Ok(StoredCode {
                grant: read_grant(row, row.try_get(7)?)?,
                redirect_uri: row.try_get(8)?,
                code_challenge: row.try_get(9)?,
                expires_at: row.try_get(10)?,
                used_at: row.try_get(11)?,
            })
        })
        .transpose()
}

/// A refresh token to keep.
pub(super) struct NewRefresh {
    pub(super) hash: Vec<u8>,
    pub(super) expires_at: Timestamp,
}

/// False when the code was spent, is too old, or its session was ended meanwhile.
pub(super) async fn redeem_code(
    db: &Database,
    scope: &mut Scope,
    code_hash: &[u8],
    refresh: NewRefresh,
    now: Timestamp,
) -> Result<bool, DbError> {
    let rows = db
        .begin_system(scope)
        .read(
            REDEEM_CODE,
            &[&code_hash, &now, &refresh.hash, &refresh.expires_at],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// A refresh token as it is kept, with its family.
pub(super) struct StoredRefresh {
    pub(super) grant: Grant,
    pub(super) expires_at: Timestamp,
    pub(super) used_at: Option<Timestamp>,
    pub(super) is_revoked: bool,
    pub(super) is_account_active: bool,
}

pub(super) async fn find_refresh(
    db: &Database,
    scope: &mut Scope,
    hash: &[u8],
) -> Result<Option<StoredRefresh>, DbError> {
    let rows = db.begin_system(scope).read(FIND_REFRESH, &[&hash]).await?;
    rows.first()
        .map(|row| {
            Ok(StoredRefresh {
                grant: read_grant(row, None)?,
                expires_at: row.try_get(7)?,
                used_at: row.try_get(8)?,
                is_revoked: row.try_get(9)?,
                is_account_active: row.try_get(10)?,
            })
        })
        .transpose()
}

/// False when the token was used before `grace_start`, is too old, or its family was revoked meanwhile.
pub(super) async fn rotate(
    db: &Database,
    scope: &mut Scope,
    hash: &[u8],
    successor: NewRefresh,
    now: Timestamp,
    grace_start: Timestamp,
) -> Result<bool, DbError> {
    let rows = db
        .begin_system(scope)
        .read(
            ROTATE,
            &[&hash, &now, &grace_start, &successor.hash, &successor.expires_at],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Why a family is revoked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Revocation {
    /// Its code came twice.
    CodeReplay,
    /// A spent refresh token came again after the grace.
    RefreshReuse,
    /// The client asked for it (RFC 7009).
    Client,
}

impl Revocation {
    /// The reason as it is kept.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::CodeReplay => "code_replay",
            Self::RefreshReuse => "refresh_reuse",
            Self::Client => "client",
        }
    }
}

pub(crate) async fn revoke_family(
    db: &Database,
    scope: &mut Scope,
    tenant: TenantId,
    family: Uuid,
    now: Timestamp,
    why: Revocation,
) -> Result<(), DbError> {
    let mut tx = db.begin_system(scope);
    tx.defer(REVOKE_FAMILY, params![tenant.uuid(), family, now, why.word()]);
    tx.commit().await.map(|_| ())
}

/// Whether a family was not revoked and its account may still sign in.
pub(crate) async fn is_family_live(
    db: &Database,
    scope: &mut Scope,
    tenant: TenantId,
    family: Uuid,
) -> Result<bool, DbError> {
    let rows = db
        .begin_system(scope)
        .read(IS_FAMILY_LIVE, &[&tenant.uuid(), &family])
        .await?;
    Ok(!rows.is_empty())
}

fn read_grant(row: &Row, nonce: Option<String>) -> Result<Grant, DbError> {
    Ok(Grant {
        tenant: TenantId(row.try_get(0)?),
        user: UserId(row.try_get(1)?),
        client_id: row.try_get(2)?,
        session: row.try_get(3)?,
        family: row.try_get(4)?,
        scope: row.try_get(5)?,
        auth_time: row.try_get(6)?,
        nonce,
    })
}
