//! Files that were sent to be imported.

use crate::import::{FileFacts, StoredUpload};
use jiff::Timestamp;
use serde_json::Value;
use stoa_kernel::db::Row;
use stoa_kernel::{DbError, SystemTx, TenantTx, params};
use stoa_types::{OperationId, UploadId};
use uuid::Uuid;

/// A file that begins to arrive.
pub(crate) fn insert_upload(tx: &mut TenantTx<'_>, id: UploadId, at: Timestamp, by: String) {
    tx.defer(
        "insert into customer.upload (tenant_id, id, created_at, created_by) values ($1, $2, $3, $4)",
        params![tx.tenant(), id.uuid(), at, by],
    );
}

/// How many files the tenant keeps, and how many bytes of text: one row for [`kept`].
pub(crate) fn count_uploads(tx: &mut TenantTx<'_>) {
    tx.defer(
        "select count(*), coalesce(sum((about ->> 'bytes')::bigint), 0)::bigint from customer.upload",
        params![],
    );
}

/// The number of files and of bytes in a statement's rows.
pub(crate) fn kept(rows: &[Row]) -> Result<(i64, i64), DbError> {
    let row = rows.first().ok_or_else(super::missing_result)?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// A piece of it.
pub(crate) fn insert_chunk(tx: &mut TenantTx<'_>, upload: UploadId, n: i32, bytes: Vec<u8>) {
    tx.defer(
        "insert into customer.upload_chunk (tenant_id, upload, n, bytes) values ($1, $2, $3, $4)",
        params![tx.tenant(), upload.uuid(), n, bytes],
    );
}

/// All of it has arrived, and this is what it is.
///
/// # Errors
/// When the facts cannot be serialised, which is a defect.
pub(crate) fn complete_upload(tx: &mut TenantTx<'_>, id: UploadId, facts: &FileFacts) -> Result<(), DbError> {
    let facts = serde_json::to_value(facts).map_err(|e| DbError::Unexpected(e.to_string()))?;
    tx.defer(
        "update customer.upload set about = $2 where id = $1",
        params![id.uuid(), facts],
    );
    Ok(())
}

/// Forgets a file and its pieces.
pub(crate) fn delete_upload(tx: &mut TenantTx<'_>, id: UploadId) {
    tx.defer(
        "delete from customer.upload_chunk where upload = $1",
        params![id.uuid()],
    );
    tx.defer("delete from customer.upload where id = $1", params![id.uuid()]);
}

/// Reads a file that has arrived whole and is its sender's, or anybody's with `all`: one row or none.
pub(crate) fn find_upload(tx: &mut TenantTx<'_>, id: UploadId, sender: String, all: bool) {
    tx.defer(
        "select id, created_at, created_by, about, operation from customer.upload
         where id = $1 and about is not null and (created_by = $2 or $3)",
        params![id.uuid(), sender, all],
    );
}

/// Remembers which operation was started with a file.
pub(crate) fn note_operation(tx: &mut TenantTx<'_>, id: UploadId, operation: OperationId) {
    tx.defer(
        "update customer.upload set operation = $2 where id = $1",
        params![id.uuid(), operation.uuid()],
    );
}

/// The file in a statement's rows.
pub(crate) fn upload(rows: &[Row]) -> Result<Option<StoredUpload>, DbError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let facts: Value = row.try_get(3)?;
    let facts: FileFacts =
        serde_json::from_value(facts).map_err(|e| DbError::Unexpected(format!("an upload's facts: {e}")))?;
    Ok(Some(StoredUpload {
        id: UploadId(row.try_get(0)?),
        created_at: row.try_get(1)?,
        created_by: row.try_get(2)?,
        facts,
        operation_id: row.try_get::<_, Option<Uuid>>(4)?.map(OperationId),
    }))
}

/// Reads pieces from one on, in order.
pub(crate) fn find_chunks(tx: &mut TenantTx<'_>, upload: UploadId, from: i32, count: i64) {
    tx.defer(
        "select bytes from customer.upload_chunk where upload = $1 and n >= $2 order by n limit $3",
        params![upload.uuid(), from, count],
    );
}

/// The piece in a row of [`find_chunks`].
pub(crate) fn chunk(row: &Row) -> Result<&[u8], DbError> {
    Ok(row.try_get(0)?)
}

/// What is old.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Old {
    /// A file that began to arrive before, and has not arrived whole.
    pub(crate) broken_off: Timestamp,
    /// A file or an error from before.
    pub(crate) expired: Timestamp,
}

/// Forgets some of one kind of what is old, whatever the tenant: one row for [`swept`].
pub(crate) type Sweep = fn(&mut SystemTx<'_>, Old);

/// The kinds, and what each is called. A statement has seconds, so each deletes no more than it can in that time.
pub(crate) const SWEEPS: [(&str, Sweep); 3] = [
    ("pieces of files", sweep_chunks),
    ("files", sweep_uploads),
    ("errors", sweep_errors),
];

macro_rules! old_uploads {
    () => {
        "with old as materialized (select tenant_id, id from customer.upload
           where created_at < $1 and (about is null or created_at < $2) order by created_at limit 20)"
    };
}

/// A piece has 128 KiB.
fn sweep_chunks(tx: &mut SystemTx<'_>, old: Old) {
    tx.defer(
        concat!(
            old_uploads!(),
            ", pieces as materialized (select c.tenant_id, c.upload, c.n from old cross join lateral (
                 select tenant_id, upload, n from customer.upload_chunk
                 where tenant_id = old.tenant_id and upload = old.id order by n limit 500) c
               limit 500),
             gone as (delete from customer.upload_chunk c using pieces
               where c.tenant_id = pieces.tenant_id and c.upload = pieces.upload and c.n = pieces.n returning 1)
             select count(*) from gone"
        ),
        params![old.broken_off, old.expired],
    );
}

/// Files whose pieces are gone.
fn sweep_uploads(tx: &mut SystemTx<'_>, old: Old) {
    tx.defer(
        concat!(
            old_uploads!(),
            ", gone as (delete from customer.upload u using old
               where u.tenant_id = old.tenant_id and u.id = old.id and not exists (
                 select from customer.upload_chunk c where c.tenant_id = u.tenant_id and c.upload = u.id)
               returning 1)
             select count(*) from gone"
        ),
        params![old.broken_off, old.expired],
    );
}

fn sweep_errors(tx: &mut SystemTx<'_>, old: Old) {
    tx.defer(
        "with old as (select tenant_id, operation, position from customer.operation_error
             where created_at < $1 order by created_at limit 1000),
           gone as (delete from customer.operation_error e using old
             where e.tenant_id = old.tenant_id and e.operation = old.operation and e.position = old.position
             returning 1)
         select count(*) from gone",
        params![old.expired],
    );
}

/// How many went.
pub(crate) fn swept(rows: &[Vec<Row>]) -> Result<i64, DbError> {
    let row = rows.first().and_then(|rows| rows.first());
    Ok(row.ok_or_else(super::missing_result)?.try_get(0)?)
}
