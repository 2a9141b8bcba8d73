//! The SQL of signing in, its throttling, clients and sessions.

use crate::client::Client;
use crate::model::{FAILURE_WINDOW, Session};
use jiff::{SignedDuration, Timestamp};
use stoa_kernel::db::Row;
use stoa_kernel::{Database, DbError, Scope, params};
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

const FIND_CLIENT: &str = "select client_id, name, redirect_uris, post_logout_redirect_uris from identity.client where client_id = $1";

/// One row, whether the e-mail is known or not.
const SIGN_IN_CANDIDATE: &str = "select t.blocked_until, a.tenant_id, a.id, a.password_hash
  from (select $1::text as email, $2::bytea as email_hash) typed
  left join identity.sign_in_throttle t on t.email_hash = typed.email_hash
  left join identity.account a on a.email = typed.email and a.archived_at is null and a.status = 'active'";

const BLOCKED_UNTIL: &str = "select blocked_until from identity.sign_in_throttle where email_hash = $1";

const COUNT_FAILURE: &str =
    "insert into identity.sign_in_throttle as t (email_hash, failures, last_failed_at)
  values ($1, 1, $2)
  on conflict (email_hash) do update set last_failed_at = excluded.last_failed_at,
    failures = case when greatest(t.last_failed_at, t.blocked_until) < $3 then 1 else t.failures + 1 end
  returning failures";

const BLOCK: &str = "update identity.sign_in_throttle set blocked_until = $2 where email_hash = $1";

const FORGIVE: &str = "delete from identity.sign_in_throttle where email_hash = $1";

/// For whom the password that was checked is still the right one. Held until the commit: whoever replaces it meanwhile
/// waits, and then ends this session with the others.
macro_rules! still_owner {
    () => {
        "with owner as (
           select a.tenant_id, a.id from identity.account a
           where a.tenant_id = $1 and a.id = $3 and a.password_hash = $7 and a.status = 'active' and a.archived_at is null
           for share
         ) "
    };
}

/// One row, or none when the password was replaced.
const INSERT_SESSION: &str = concat!(
    still_owner!(),
    "insert into identity.session (tenant_id, id, user_id, token_hash, auth_time, created_at, expires_at)
     select owner.tenant_id, $2, owner.id, $4, $5, $5, $6 from owner returning id"
);

/// A session whose user has signed in again: the same session under a new cookie. One row, or none when the password was
/// replaced or the session has ended.
const RENEW_SESSION: &str = concat!(
    still_owner!(),
    "update identity.session s set token_hash = $4, auth_time = $5, expires_at = $6 from owner
     where s.tenant_id = owner.tenant_id and s.id = $2 and s.user_id = owner.id and s.ended_at is null returning s.id"
);

const FIND_SESSION: &str = "select s.tenant_id, s.id, s.user_id, s.auth_time
  from identity.session s
  join identity.account a on a.tenant_id = s.tenant_id and a.id = s.user_id
  where s.token_hash = $1 and s.ended_at is null and s.expires_at > $2
    and a.status = 'active' and a.archived_at is null";

const END_SESSION: &str =
    "update identity.session set ended_at = $3 where tenant_id = $1 and id = $2 and ended_at is null";

const REVOKE_OF_SESSION: &str = "update identity.token_family set revoked_at = $3, revoked_reason = 'logout'
  where tenant_id = $1 and session_id = $2 and revoked_at is null";

const FIND_SESSION_BY_ID: &str = "select s.tenant_id, s.id, s.user_id, s.auth_time from identity.session s where s.tenant_id = $1 and s.id = $2";

const FIND_PROFILE: &str = "select email, name from identity.account where tenant_id = $1 and id = $2 and archived_at is null and status = 'active'";

/// What is over, each with the time before which it may go: a part at a time, so that no statement runs long. A family
/// without tokens is over, a session when nothing of what was issued in it is left.
const FORGET: [&str; 6] = [
    "delete from identity.mail_token where ctid = any (array(
       select ctid from identity.mail_token where expires_at < $1 limit 5000)) returning true",
    "delete from identity.authorization_code where ctid = any (array(
       select ctid from identity.authorization_code where expires_at < $1 limit 5000)) returning true",
    "delete from identity.refresh_token where ctid = any (array(
       select ctid from identity.refresh_token where expires_at < $1 limit 5000)) returning true",
    "delete from identity.token_family where ctid = any (array(
       select f.ctid from identity.token_family f where f.created_at < $1 and not exists (
         select from identity.refresh_token r where r.tenant_id = f.tenant_id and r.family_id = f.id)
       limit 5000)) returning true",
    "delete from identity.session where ctid = any (array(
       select s.ctid from identity.session s where s.expires_at < $1 and not exists (
         select from identity.token_family f where f.tenant_id = s.tenant_id and f.session_id = s.id)
       limit 5000)) returning true",
    "delete from identity.sign_in_throttle where ctid = any (array(
       select ctid from identity.sign_in_throttle where greatest(last_failed_at, blocked_until) < $1
       limit 5000)) returning true",
];

/// The clients that come with Stoa. An operator's changes stay.
pub(crate) const SEED_CLIENTS: &str = "insert into identity.client
  (client_id, name, redirect_uris, post_logout_redirect_uris, created_at)
  values ('stoa-cli', 'Stoa CLI', $1, $1, now()) on conflict (client_id) do nothing";

pub(crate) async fn find_client(
    db: &Database,
    scope: &mut Scope,
    id: &str,
) -> Result<Option<Client>, DbError> {
    let rows = db.begin_system(scope).read(FIND_CLIENT, &[&id]).await?;
    rows.first()
        .map(|row| {
            Ok(Client {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                redirect_uris: row.try_get(2)?,
                post_logout_redirect_uris: row.try_get(3)?,
            })
        })
        .transpose()
}

/// Who may be signing in with a typed e-mail.
pub(crate) struct Candidate {
    pub(crate) blocked_until: Option<Timestamp>,
    pub(crate) account: Option<CandidateAccount>,
}

pub(crate) struct CandidateAccount {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) password_hash: String,
}

pub(crate) async fn sign_in_candidate(
    db: &Database,
    scope: &mut Scope,
    email: &str,
    email_hash: &[u8],
) -> Result<Candidate, DbError> {
    let rows = db
        .begin_system(scope)
        .read(SIGN_IN_CANDIDATE, &[&email, &email_hash])
        .await?;
    let row = rows
        .first()
        .ok_or_else(|| DbError::Unexpected("no row for a sign-in".into()))?;
    let tenant: Option<Uuid> = row.try_get(1)?;
    let account = match tenant {
        Some(tenant) => Some(CandidateAccount {
            tenant: TenantId(tenant),
            user: UserId(row.try_get(2)?),
            password_hash: row.try_get(3)?,
        }),
        None => None,
    };
    Ok(Candidate {
        blocked_until: row.try_get(0)?,
        account,
    })
}

/// Until when tries with an e-mail are refused.
pub(crate) async fn blocked_until(
    db: &Database,
    scope: &mut Scope,
    email_hash: &[u8],
) -> Result<Option<Timestamp>, DbError> {
    let rows = db.begin_system(scope).read(BLOCKED_UNTIL, &[&email_hash]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.flatten())
}

/// Counts a failure (or another try) and blocks further ones when `backoff` says so.
pub(crate) async fn record_try(
    db: &Database,
    scope: &mut Scope,
    email_hash: &[u8],
    now: Timestamp,
    backoff: fn(i32) -> Option<SignedDuration>,
) -> Result<(), DbError> {
    let window_start = now.saturating_sub(FAILURE_WINDOW).unwrap_or(now);
    let mut tx = db.begin_system(scope);
    let rows = tx
        .query(COUNT_FAILURE, &[&email_hash, &now, &window_start])
        .await?;
    let failures: i32 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    if let Some(wait) = backoff(failures) {
        let until = now.saturating_add(wait).unwrap_or(now);
        tx.defer(BLOCK, params![email_hash.to_vec(), until]);
    }
    tx.commit().await.map(|_| ())
}

/// A sign-in that succeeded, as it is kept.
pub(crate) struct NewSession<'a> {
    pub(crate) session: Session,
    pub(crate) token_hash: Vec<u8>,
    pub(crate) expires_at: Timestamp,
    /// The browser's session so far: renewed for the same user, ended for another.
    pub(crate) replaces: Option<Session>,
    /// The throttle's row to forgive.
    pub(crate) email_hash: &'a [u8],
    /// The hash of the password that was checked.
    pub(crate) password_hash: String,
}

/// Starts or renews a session; false, and nothing happens, when the password was replaced since it was checked.
pub(crate) async fn start_session(
    db: &Database,
    scope: &mut Scope,
    new: NewSession<'_>,
) -> Result<bool, DbError> {
    let Session {
        tenant,
        id,
        user,
        auth_time,
    } = new.session;
    let mut tx = db.begin_system(scope);
    let replaced = new.replaces.filter(|old| old.id != id);
    let renews = new.replaces.is_some() && replaced.is_none();
    let values = params![
        tenant.uuid(),
        id,
        user.uuid(),
        new.token_hash,
        auth_time,
        new.expires_at,
        new.password_hash
    ];
    // The account's row first, as whoever replaces the password.
    tx.defer(if renews { RENEW_SESSION } else { INSERT_SESSION }, values);
    let started = tx.flush().await?.first().is_some_and(|rows| !rows.is_empty());
    if !started {
        tx.rollback().await;
        return Ok(false);
    }
    if let Some(old) = replaced {
        tx.defer(END_SESSION, params![old.tenant.uuid(), old.id, auth_time]);
        tx.defer(REVOKE_OF_SESSION, params![old.tenant.uuid(), old.id, auth_time]);
    }
    tx.defer(FORGIVE, params![new.email_hash.to_vec()]);
    tx.commit().await.map(|_| true)
}

pub(crate) async fn find_session(
    db: &Database,
    scope: &mut Scope,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<Session>, DbError> {
    let rows = db
        .begin_system(scope)
        .read(FIND_SESSION, &[&token_hash, &now])
        .await?;
    rows.first().map(read_session).transpose()
}

/// The session of an ID token that a client shows again.
pub(crate) async fn find_session_by_id(
    db: &Database,
    scope: &mut Scope,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<Session>, DbError> {
    let rows = db
        .begin_system(scope)
        .read(FIND_SESSION_BY_ID, &[&tenant.uuid(), &id])
        .await?;
    rows.first().map(read_session).transpose()
}

/// Ends a session and revokes what was issued in it. In this order: a redemption that runs at the same time holds the
/// session's row, and its tokens are then seen by the second statement.
pub(crate) async fn end_session(
    db: &Database,
    scope: &mut Scope,
    session: &Session,
    now: Timestamp,
) -> Result<(), DbError> {
    let mut tx = db.begin_system(scope);
    tx.defer(END_SESSION, params![session.tenant.uuid(), session.id, now]);
    tx.defer(REVOKE_OF_SESSION, params![session.tenant.uuid(), session.id, now]);
    tx.commit().await.map(|_| ())
}

fn read_session(row: &Row) -> Result<Session, DbError> {
    Ok(Session {
        tenant: TenantId(row.try_get(0)?),
        id: row.try_get(1)?,
        user: UserId(row.try_get(2)?),
        auth_time: row.try_get(3)?,
    })
}

/// What a user may know of the own account.
pub(crate) struct Profile {
    pub(crate) email: String,
    pub(crate) name: String,
}

pub(crate) async fn find_profile(
    db: &Database,
    scope: &mut Scope,
    user: UserId,
) -> Result<Option<Profile>, DbError> {
    let tenant = scope.tenant().uuid();
    let rows = db
        .begin(scope)
        .read(FIND_PROFILE, &[&tenant, &user.uuid()])
        .await?;
    rows.first()
        .map(|row| {
            Ok(Profile {
                email: row.try_get(0)?,
                name: row.try_get(1)?,
            })
        })
        .transpose()
}

/// Deletes what has been over since `before`, a part of each table; says whether something is left to delete.
pub(crate) async fn forget_some(
    db: &Database,
    scope: &mut Scope,
    before: Timestamp,
) -> Result<bool, DbError> {
    let mut tx = db.begin_system(scope);
    for sql in FORGET {
        tx.defer(sql, params![before]);
    }
    let deleted = tx.commit().await?;
    Ok(deleted.iter().any(|rows| !rows.is_empty()))
}
