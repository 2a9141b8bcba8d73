//! Statements that travel together.

use super::pool::Lease;
use super::{DbError, Row, ToSql};
use deadpool_postgres::Object;
use futures::FutureExt;
use futures::future::{BoxFuture, MaybeDone, maybe_done};
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use stoa_types::TenantId;
use tokio::time::Instant;

type Part<'f> = BoxFuture<'f, Result<Vec<Row>, DbError>>;

/// Statements that are sent together: each future's first poll queues its messages, in the order of the pushes.
#[derive(Default)]
pub(super) struct Flush<'f> {
    parts: Vec<MaybeDone<Part<'f>>>,
}

impl<'f> Flush<'f> {
    pub(super) fn push(&mut self, part: impl Future<Output = Result<Vec<Row>, DbError>> + Send + 'f) {
        self.parts.push(maybe_done(part.boxed()));
    }

    pub(super) async fn send(mut self) -> Vec<Result<Vec<Row>, DbError>> {
        std::future::poll_fn(move |context| {
            let mut waiting = false;
            for part in &mut self.parts {
                waiting |= Pin::new(part).poll(context).is_pending();
            }
            if waiting {
                return Poll::Pending;
            }
            Poll::Ready(
                self.parts
                    .iter_mut()
                    .filter_map(|part| Pin::new(part).take_output())
                    .collect(),
            )
        })
        .await
    }
}

pub(super) fn all_or_cause(results: Vec<Result<Vec<Row>, DbError>>) -> Result<Vec<Vec<Row>>, DbError> {
    let mut rows = Vec::with_capacity(results.len());
    let mut cause: Option<DbError> = None;
    for result in results {
        match result {
            Ok(r) => rows.push(r),
            Err(e) if cause.as_ref().is_none_or(DbError::is_consequence) => cause = Some(e),
            Err(_) => {}
        }
    }
    cause.map_or(Ok(rows), Err)
}

pub(super) fn client(lease: &Option<Lease>) -> Result<&Object, DbError> {
    lease
        .as_ref()
        .map(|l| &l.object)
        .ok_or_else(|| DbError::Unexpected("a transaction without connection".into()))
}

pub(super) fn tenant_text(tenant: TenantId) -> String {
    tenant.to_string()
}

pub(super) async fn begin(client: &Object) -> Result<Vec<Row>, DbError> {
    simple(client, "begin").await.map(|()| Vec::new())
}

pub(super) async fn simple(client: &Object, sql: &'static str) -> Result<(), DbError> {
    client
        .batch_execute(sql)
        .await
        .map_err(|e| DbError::from_driver(sql, e))
}

pub(super) async fn prepare(client: &Object, sql: &str) -> Result<tokio_postgres::Statement, DbError> {
    client
        .prepare_cached(sql)
        .await
        .map_err(|e| DbError::from_driver("preparing a statement", e))
}

pub(super) async fn run(
    client: &Object,
    statement: &tokio_postgres::Statement,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, DbError> {
    client
        .query(statement, params)
        .await
        .map_err(|e| DbError::from_driver("running a statement", e))
}

pub(super) async fn within<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, DbError> {
    let start = Instant::now();
    tokio::time::timeout_at(deadline, work)
        .await
        .map_err(|_| DbError::Timeout(start.elapsed()))
}
