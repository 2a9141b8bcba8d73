//! The SQL of the signing keys.

use super::{KeyError, SigningPair};
use jiff::Timestamp;
use stoa_kernel::{Database, DbError, Scope, params};
use zeroize::Zeroizing;

/// Taken by whoever makes a key, so that several processes that start at once agree on one.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('stoa identity.signing_key', 0))";

const PUBLISHED: &str = "select private_key, signs_from from identity.signing_key
  where format = 'pkcs8' and (retires_at is null or retires_at > $1) order by signs_from";

const NEWEST: &str = "select max(created_at) from identity.signing_key";

/// The old key is kept until the tokens that it signed up to the change have died.
const RETIRE: &str = "update identity.signing_key set retires_at = $1 where retires_at is null";

const INSERT: &str = "insert into identity.signing_key
  (kid, algorithm, format, private_key, created_at, signs_from, demo) values ($1, 'RS256', 'pkcs8', $2, $3, $4, $5)";

const HAS_DEMO: &str = "select exists (select from identity.signing_key where demo)";

const FORGET: &str = "delete from identity.signing_key where retires_at < $1";

/// A key as it is kept.
pub(super) struct StoredKey {
    pub(super) private_key: Zeroizing<Vec<u8>>,
    pub(super) signs_from: Timestamp,
}

/// A key to keep.
pub(super) struct NewKey<'a> {
    pub(super) pair: &'a SigningPair,
    pub(super) now: Timestamp,
    pub(super) signs_from: Timestamp,
    /// When the keys before it are no longer published.
    pub(super) retires_at: Timestamp,
    /// Whether it belongs to a demo.
    pub(super) demo: bool,
}

pub(super) async fn published(
    db: &Database,
    scope: &mut Scope,
    now: Timestamp,
) -> Result<Vec<StoredKey>, DbError> {
    let rows = db.begin_system(scope).read(PUBLISHED, &[&now]).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredKey {
                private_key: Zeroizing::new(row.try_get(0)?),
                signs_from: row.try_get(1)?,
            })
        })
        .collect()
}

/// When the newest key was made.
pub(super) async fn newest(db: &Database, scope: &mut Scope) -> Result<Option<Timestamp>, DbError> {
    let rows = db.begin_system(scope).read(NEWEST, &[]).await?;
    rows.first().map_or(Ok(None), |row| Ok(row.try_get(0)?))
}

/// Whether a demo has made keys here.
pub(super) async fn has_demo(db: &Database, scope: &mut Scope) -> Result<bool, DbError> {
    let rows = db.begin_system(scope).read(HAS_DEMO, &[]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

/// Adds a key, unless another process did since `newest` was read; says whether it did.
pub(super) async fn insert_successor(
    db: &Database,
    scope: &mut Scope,
    newest: Option<Timestamp>,
    key: NewKey<'_>,
) -> Result<bool, KeyError> {
    let private_key = key.pair.to_pkcs8()?.to_vec();
    let mut tx = db.begin_system(scope);
    tx.query(LOCK, &[]).await?;
    let rows = tx.query(NEWEST, &[]).await?;
    let now_newest: Option<Timestamp> = rows
        .first()
        .map_or(Ok(None), |row| row.try_get(0))
        .map_err(DbError::from)?;
    if now_newest != newest {
        tx.rollback().await;
        return Ok(false);
    }
    tx.defer(FORGET, params![key.now]);
    tx.defer(RETIRE, params![key.retires_at]);
    tx.defer(
        INSERT,
        params![
            key.pair.kid().to_owned(),
            private_key,
            key.now,
            key.signs_from,
            key.demo
        ],
    );
    tx.commit().await?;
    Ok(true)
}
