//! The SQL of mails and of the tokens in their links.

use super::{Kind, Purpose};
use jiff::Timestamp;
use stoa_kernel::{Database, DbError, Scope, SystemTx, TenantTx, params};
use stoa_types::{TenantId, UserId};
use uuid::Uuid;

const RECIPIENT: &str = "select email, name, locale, pending_email, former_email, password_hash is not null
  from identity.account where tenant_id = $1 and id = $2 and archived_at is null and status <> 'disabled'";

/// A new mail's link replaces those of earlier ones; another attempt at the same mail adds to them.
const DROP_OLDER: &str = "delete from identity.mail_token
  where tenant_id = $1 and user_id = $2 and purpose = $3 and mail_id <> $4";

const KEEP_TOKEN: &str = "insert into identity.mail_token
  (tenant_id, token_hash, user_id, purpose, mail_id, email, created_at, expires_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8)";

const FORGET_FORMER: &str = "update identity.account set former_email = null
  where tenant_id = $1 and id = $2 and former_email = $3";

/// At most one by the address that they sign in with, and those whose next address it would be.
const WHO_FORGOT: &str = "select tenant_id, id, false from identity.account
  where email = $1 and archived_at is null and status in ('active', 'invited')
  union all
  select tenant_id, id, true from identity.account
  where pending_email = $1 and archived_at is null and status = 'active' limit 10";

const FIND_TOKEN: &str = "select t.email, a.name
  from identity.mail_token t
  join identity.account a on a.tenant_id = t.tenant_id and a.id = t.user_id
  where t.token_hash = $1 and t.purpose = $2 and t.expires_at > $3
    and a.archived_at is null and a.status <> 'disabled'";

/// Spends a link and sets the password, or does nothing at all. Of two at the same time the second finds the tokens gone.
const CHOOSE_PASSWORD: &str = "with spent as (
    delete from identity.mail_token t
    where t.purpose in ('invitation', 'reset') and (t.tenant_id, t.user_id) in (
      select s.tenant_id, s.user_id from identity.mail_token s
      where s.token_hash = $1 and s.purpose = $2 and s.expires_at > $3)
    returning t.tenant_id, t.user_id, t.token_hash, t.email
  )
  update identity.account a set password_hash = $4, status = 'active', email_verified_at = coalesce(a.email_verified_at, $3),
    updated_at = $3, updated_by = a.id::text, version = a.version + 1
  from spent
  where spent.token_hash = $1 and a.tenant_id = spent.tenant_id and a.id = spent.user_id and a.email = spent.email
    and a.archived_at is null and a.status <> 'disabled'
  returning a.tenant_id, a.id, a.email";

const FORGIVE: &str = "delete from identity.sign_in_throttle where email_hash = any ($1)";

const END_SESSIONS: &str =
    "update identity.session set ended_at = $3 where tenant_id = $1 and user_id = $2 and ended_at is null";

const REVOKE_FAMILIES: &str = "update identity.token_family set revoked_at = $3, revoked_reason = 'reset'
  where tenant_id = $1 and user_id = $2 and revoked_at is null";

/// Spends a link and makes the address that it was sent to the sign-in name, or does nothing at all. Links that were
/// sent to the address before are not good any more.
const VERIFY: &str = "with spent as (
    delete from identity.mail_token t
    where (t.tenant_id, t.user_id) in (
      select s.tenant_id, s.user_id from identity.mail_token s
      where s.token_hash = $1 and s.purpose = 'verification' and s.expires_at > $2)
    returning t.tenant_id, t.user_id, t.token_hash, t.email
  )
  update identity.account a set email = spent.email, pending_email = null, email_verified_at = $2, updated_at = $2,
    updated_by = a.id::text, version = a.version + 1
  from spent
  where spent.token_hash = $1 and a.tenant_id = spent.tenant_id and a.id = spent.user_id
    and a.pending_email = spent.email and a.archived_at is null and a.status <> 'disabled'
  returning true";

/// Whom a mail is to.
pub(crate) struct Recipient {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) locale: String,
    pub(crate) pending_email: Option<String>,
    pub(crate) former_email: Option<String>,
    pub(crate) has_password: bool,
}

pub(crate) async fn recipient(
    db: &Database,
    scope: &mut Scope,
    user: UserId,
) -> Result<Option<Recipient>, DbError> {
    let tenant = scope.tenant().uuid();
    let rows = db.begin(scope).read(RECIPIENT, &[&tenant, &user.uuid()]).await?;
    rows.first()
        .map(|row| {
            Ok(Recipient {
                email: row.try_get(0)?,
                name: row.try_get(1)?,
                locale: row.try_get(2)?,
                pending_email: row.try_get(3)?,
                former_email: row.try_get(4)?,
                has_password: row.try_get(5)?,
            })
        })
        .transpose()
}

/// A link's token, as it is kept.
pub(crate) struct NewToken {
    pub(crate) hash: Vec<u8>,
    pub(crate) user: UserId,
    pub(crate) purpose: Purpose,
    /// The mail that it goes with.
    pub(crate) mail: Uuid,
    /// The address that it goes to.
    pub(crate) email: String,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

pub(crate) fn keep_token(tx: &mut TenantTx<'_>, new: NewToken) {
    let tenant = tx.tenant();
    let (user, purpose) = (new.user.uuid(), new.purpose.word());
    tx.defer(DROP_OLDER, params![tenant, user, purpose, new.mail]);
    tx.defer(
        KEEP_TOKEN,
        params![
            tenant,
            new.hash,
            user,
            purpose,
            new.mail,
            new.email,
            new.now,
            new.expires_at
        ],
    );
}

/// The notice went there, so the address is not needed any more.
pub(crate) fn forget_former(tx: &mut TenantTx<'_>, user: UserId, email: String) {
    let tenant = tx.tenant();
    tx.defer(FORGET_FORMER, params![tenant, user.uuid(), email]);
}

/// Who is written to when somebody asks for a new password with an address, and what.
pub(crate) async fn who_forgot(
    db: &Database,
    scope: &mut Scope,
    email: &str,
) -> Result<Vec<(TenantId, UserId, Kind)>, DbError> {
    let rows = db.begin_system(scope).read(WHO_FORGOT, &[&email]).await?;
    rows.iter()
        .map(|row| {
            let kind = match row.try_get(2)? {
                true => Kind::Verification,
                false => Kind::Reset,
            };
            Ok((TenantId(row.try_get(0)?), UserId(row.try_get(1)?), kind))
        })
        .collect()
}

/// Whose link it is.
pub(crate) struct LinkOwner {
    /// The address that the link was sent to.
    pub(crate) email: String,
    pub(crate) name: String,
}

/// Looks at a link without using it: mail scanners follow links, too.
pub(crate) async fn find_token(
    db: &Database,
    scope: &mut Scope,
    hash: &[u8],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<LinkOwner>, DbError> {
    let rows = db
        .begin_system(scope)
        .read(FIND_TOKEN, &[&hash, &purpose.word(), &now])
        .await?;
    rows.first()
        .map(|row| {
            Ok(LinkOwner {
                email: row.try_get(0)?,
                name: row.try_get(1)?,
            })
        })
        .transpose()
}

/// A password that somebody chose by a link.
pub(crate) struct ChosenPassword {
    pub(crate) token_hash: Vec<u8>,
    pub(crate) purpose: Purpose,
    pub(crate) password_hash: String,
    /// The throttle's rows to forgive.
    pub(crate) forgive: Vec<Vec<u8>>,
    pub(crate) now: Timestamp,
}

/// Sets a password and ends everything that its user was signed in with. False when the link is not good any more.
pub(crate) async fn choose_password(
    db: &Database,
    scope: &mut Scope,
    chosen: ChosenPassword,
) -> Result<bool, DbError> {
    let mut tx: SystemTx<'_> = db.begin_system(scope);
    let row = tx
        .query_opt(
            CHOOSE_PASSWORD,
            &[
                &chosen.token_hash,
                &chosen.purpose.word(),
                &chosen.now,
                &chosen.password_hash,
            ],
        )
        .await?;
    let Some(row) = row else {
        tx.rollback().await;
        return Ok(false);
    };
    let (tenant, user): (Uuid, Uuid) = (row.try_get(0)?, row.try_get(1)?);
    // In this order: a redemption that runs at the same time holds the session's row, and its tokens are then seen by
    // the second statement.
    tx.defer(END_SESSIONS, params![tenant, user, chosen.now]);
    tx.defer(REVOKE_FAMILIES, params![tenant, user, chosen.now]);
    tx.defer(FORGIVE, params![chosen.forgive]);
    tx.commit().await?;
    Ok(true)
}

/// Makes a verified address the sign-in name. False when the link is not good any more.
///
/// # Errors
/// With the constraint `account_email_live` when somebody else signs in with the address.
pub(crate) async fn verify(
    db: &Database,
    scope: &mut Scope,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<bool, DbError> {
    let rows = db.begin_system(scope).read(VERIFY, &[&token_hash, &now]).await?;
    Ok(!rows.is_empty())
}
