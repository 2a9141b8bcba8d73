//! The statements of idempotency. Each service's schema has the table; `stoa.idempotency_table` creates it.

use crate::db::{DbError, Row};
use axum::response::Response;
use http::{HeaderValue, StatusCode};

pub(super) const LOCK: &str = "select pg_try_advisory_xact_lock($1)";

/// The schema is a service's name, never input.
pub(super) fn find(schema: &str) -> String {
    format!(
        "select request_hash, status, location, version, body from \"{schema}\".idempotency
         where subject = $1 and operation = $2 and key = $3 and created_at > $4::timestamptz - interval '24 hours'"
    )
}

pub(super) fn insert(schema: &str) -> String {
    format!(
        "insert into \"{schema}\".idempotency
           (tenant_id, subject, operation, key, request_hash, status, location, version, body, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (tenant_id, subject, operation, key) do update
           set request_hash = excluded.request_hash, status = excluded.status, location = excluded.location,
               version = excluded.version, body = excluded.body, created_at = excluded.created_at"
    )
}

pub(super) struct Stored {
    pub(super) hash: Vec<u8>,
    status: i16,
    location: Option<String>,
    version: Option<i64>,
    body: serde_json::Value,
}

impl Stored {
    pub(super) fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            hash: row.try_get(0)?,
            status: row.try_get(1)?,
            location: row.try_get(2)?,
            version: row.try_get(3)?,
            body: row.try_get(4)?,
        })
    }

    pub(super) fn response(self) -> Response {
        let status = u16::try_from(self.status)
            .ok()
            .and_then(|s| StatusCode::from_u16(s).ok());
        let mut response = super::respond(
            status.unwrap_or(StatusCode::OK),
            self.location.as_deref(),
            self.version,
            &self.body,
        );
        response
            .headers_mut()
            .insert("idempotency-replayed", HeaderValue::from_static("true"));
        response
    }
}
