//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a command that is sent twice happens once.
//!
//! The row lives in the service's schema and is written in the effect's transaction, so there is no moment in which
//! the effect exists without its row. "Running" is an advisory lock that ends with the transaction, so a crash
//! leaves nothing behind. Answers of 5xx are not stored. A replay has passed authorisation again, because it reaches
//! the handler like any request.

mod store;

use crate::clock::Clock;
use crate::commit_token::COMMIT_HEADER;
use crate::db::{Database, DbError, Row, TenantTx};
use crate::openapi::problem_response;
use crate::problem::Problem;
use crate::scope::Scope;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ApiResponse};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;

/// How long a key is remembered.
pub const RETENTION_HOURS: i64 = 24;

/// The client's key, if it sent one.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = value.to_str().unwrap_or_default().trim().trim_matches('"');
        if key.is_empty() || key.len() > 255 {
            return Err(Problem::bad_request(
                "idempotency.key_format",
                "Idempotency-Key must be 1 to 255 visible ASCII characters, such as a UUID",
            ));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

impl aide::OperationInput for IdempotencyKey {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        crate::http::idempotency_parameter(ctx, operation);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        vec![(
            Some(409),
            problem_response(ctx, "A request with this Idempotency-Key is still running"),
        )]
    }
}

/// A command with its key, ready to begin.
pub struct Command<'a> {
    /// The service's schema, in which the row is kept.
    schema: &'static str,
    /// `resource:verb`; part of the row's key, with tenant and subject.
    operation: &'static str,
    key: Option<String>,
    hash: Vec<u8>,
    subject: String,
    clock: &'a Clock,
}

/// How a command begins.
#[allow(
    clippy::large_enum_variant,
    reason = "it lives for a moment, and a box would be paid by every command"
)]
pub enum Begun<'s> {
    /// Do it, in this transaction.
    Fresh(TenantTx<'s>),
    /// It was done before: answer the same.
    Replay(Response),
}

impl<'s> Begun<'s> {
    /// Goes on when the caller is allowed to: with the open transaction and the verdict's row, or with the answer of
    /// the first time. A refusal ends the transaction.
    ///
    /// # Errors
    /// The verdict's refusal.
    pub async fn judged<T>(
        self,
        verdict: Result<T, Problem>,
    ) -> Result<ControlFlow<Response, (TenantTx<'s>, T)>, Problem> {
        match (self, verdict) {
            (Self::Fresh(tx), Ok(row)) => Ok(ControlFlow::Continue((tx, row))),
            (Self::Fresh(tx), Err(problem)) => tx.refuse(problem).await,
            (Self::Replay(answer), Ok(_)) => Ok(ControlFlow::Break(answer)),
            (Self::Replay(_), Err(problem)) => Err(problem),
        }
    }
}

impl<'a> Command<'a> {
    /// Binds `operation` to the request's key and body.
    ///
    /// # Errors
    /// When the body cannot be serialised, which is a defect.
    pub fn new<B: Serialize>(
        schema: &'static str,
        operation: &'static str,
        key: IdempotencyKey,
        body: &B,
        scope: &Scope,
        clock: &'a Clock,
    ) -> Result<Self, Problem> {
        let hash = match key.0 {
            Some(_) => Sha256::digest(serde_json::to_vec(body).map_err(|e| Problem::internal(&e))?).to_vec(),
            None => Vec::new(),
        };
        let subject = scope
            .user()
            .map_or_else(|| "system".to_owned(), |user| user.to_string());
        Ok(Self {
            schema,
            operation,
            key: key.0,
            hash,
            subject,
            clock,
        })
    }

    /// Opens the transaction. With a key, the first flush also takes the key's lock and looks for its row.
    ///
    /// # Errors
    /// 409 while the same key is running, 422 when it came with another body.
    pub async fn begin<'s>(&self, db: &Database, scope: &'s mut Scope) -> Result<Begun<'s>, Problem> {
        let (begun, _) = self.begin_with(db, scope, |_| {}).await?;
        Ok(begun)
    }

    /// As [`Command::begin`], and runs what `first` defers in the same flush: the statements that lock and read what
    /// the command is about. Returns each one's rows, also with a replay, so that it can be authorised again.
    ///
    /// The locks are taken before the key's row is looked for: who waited for a row sees what its holder did.
    ///
    /// # Errors
    /// As [`Command::begin`].
    pub async fn begin_with<'s>(
        &self,
        db: &Database,
        scope: &'s mut Scope,
        first: impl FnOnce(&mut TenantTx<'s>),
    ) -> Result<(Begun<'s>, Vec<Vec<Row>>), Problem> {
        let mut tx = db.begin(scope);
        first(&mut tx);
        let Some(key) = &self.key else {
            let rows = tx.flush().await?;
            return Ok((Begun::Fresh(tx), rows));
        };
        let lock = self.lock_id(tx.tenant(), key);
        tx.defer(store::LOCK, crate::params![lock]);
        tx.defer(
            store::find(self.schema),
            crate::params![
                self.subject.clone(),
                self.operation,
                key.clone(),
                self.clock.now()
            ],
        );
        let mut rows = tx.flush().await?;
        let found = rows.pop().and_then(|rows| rows.into_iter().next());
        let locked = rows.pop().and_then(|rows| rows.into_iter().next());
        let locked: bool = locked
            .map_or(Ok(false), |row| row.try_get(0))
            .map_err(DbError::from)?;
        if !locked {
            tx.rollback().await;
            return Err(Problem::conflict(
                "idempotency.running",
                "a request with this Idempotency-Key is still running; repeat it in a moment",
            ));
        }
        let Some(found) = found else {
            return Ok((Begun::Fresh(tx), rows));
        };
        tx.rollback().await;
        let stored = store::Stored::read(&found)?;
        if stored.hash != self.hash {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency.other_body",
                "Idempotency-Key was used for another request",
                "the same key came with another body before; use a new key for a new request",
            ));
        }
        Ok((Begun::Replay(stored.response()), rows))
    }

    /// Records the answer and commits, in one flush with everything deferred before. The answer carries the commit's
    /// token if events were appended; its replay does not, since the commit is long past then.
    ///
    /// # Errors
    /// The database's; `map` turns it into the service's own problem where a constraint speaks.
    pub async fn commit<T: Serialize>(
        &self,
        mut tx: TenantTx<'_>,
        answer: Answer<T>,
    ) -> Result<Response, DbError> {
        let body = serde_json::to_value(&answer.body).map_err(|e| DbError::Unexpected(e.to_string()))?;
        if let Some(key) = &self.key {
            tx.defer(
                store::insert(self.schema),
                crate::params![
                    tx.tenant(),
                    self.subject.clone(),
                    self.operation,
                    key.clone(),
                    self.hash.clone(),
                    i16::try_from(answer.status.as_u16()).unwrap_or(200),
                    answer.location.clone(),
                    answer.version,
                    body.clone(),
                    self.clock.now(),
                ],
            );
        }
        let (_, token) = tx.commit_with_token().await?;
        let mut response = respond(answer.status, answer.location.as_deref(), answer.version, &body);
        if let Some(value) = token.and_then(|t| HeaderValue::from_str(&t.encode()).ok()) {
            response.headers_mut().insert(COMMIT_HEADER.clone(), value);
        }
        Ok(response)
    }

    fn lock_id(&self, tenant: uuid::Uuid, key: &str) -> i64 {
        let mut hash = Sha256::new();
        for part in [
            self.schema,
            self.operation,
            &tenant.to_string(),
            &self.subject,
            key,
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        digest
            .iter()
            .take(8)
            .fold(0i64, |id, byte| (id << 8) | i64::from(*byte))
    }
}

/// What a command answers with.
pub struct Answer<T> {
    status: StatusCode,
    location: Option<String>,
    version: Option<i64>,
    body: T,
}

impl<T> Answer<T> {
    /// 201 with Location and ETag.
    pub fn created(location: String, version: i64, body: T) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(location),
            version: Some(version),
            body,
        }
    }

    /// 202 with Location: the work goes on, and the location says how far it is.
    pub fn accepted(location: String, body: T) -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            location: Some(location),
            version: None,
            body,
        }
    }

    /// 200 with an ETag.
    pub fn ok(version: i64, body: T) -> Self {
        Self {
            status: StatusCode::OK,
            location: None,
            version: Some(version),
            body,
        }
    }

    /// Any status, for answers without a version.
    pub fn of(status: StatusCode, body: T) -> Self {
        Self {
            status,
            location: None,
            version: None,
            body,
        }
    }
}

fn respond(
    status: StatusCode,
    location: Option<&str>,
    version: Option<i64>,
    body: &serde_json::Value,
) -> Response {
    let mut response = if status == StatusCode::NO_CONTENT {
        status.into_response()
    } else {
        (status, axum::Json(body)).into_response()
    };
    if let Some(location) = location.and_then(|l| HeaderValue::from_str(l).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if let Some(version) = version {
        response
            .headers_mut()
            .insert(header::ETAG, crate::http::etag(version));
    }
    response
}
