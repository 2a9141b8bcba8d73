//! Pipelined transactions.
//!
//! The trap that shapes this file: a future that is dropped between a pipelined `BEGIN` and its `COMMIT` leaves a
//! transaction that the *next borrower* of the connection would commit. So a transaction owns its connection, is
//! dirty before `BEGIN` is sent, and when dropped unfinished closes the connection instead of returning it.

use super::Origin;
use super::deferred::{Deferred, take_token};
use super::pipeline::{Flush, all_or_cause, begin, client, prepare, run, simple, tenant_text, within};
use super::pool::{Database, Lease};
use super::{DbError, Row, ToSql};
use crate::commit_token::CommitToken;
use crate::scope::{Actor, Scope};
use deadpool_postgres::Object;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use stoa_telemetry::step;
use stoa_types::TenantId;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

/// Owned parameters of a deferred statement; see [`params!`](crate::params).
pub type Params = Vec<Box<dyn ToSql + Sync + Send>>;

/// Marks a transaction that carries a tenant.
pub enum Tenant {}
/// Marks a transaction on the tables that no tenant owns.
pub enum System {}

/// A transaction in one tenant: row-level security shows and accepts only that tenant's rows.
pub type TenantTx<'s> = Tx<'s, Tenant>;
/// A transaction without a tenant, as the service's `…_system` role.
pub type SystemTx<'s> = Tx<'s, System>;

/// Wraps the setting so that row-level security reads it once per statement; `true` makes it local.
const SET_TENANT: &str = "select set_config('stoa.tenant', $1, true)";

/// A transaction. Lazy: `BEGIN` travels with the first statement, `COMMIT` with the last.
pub struct Tx<'s, Kind> {
    db: Database,
    tenant: Option<TenantId>,
    deadline: Instant,
    lease: Option<Lease>,
    state: State,
    deferred: Vec<Deferred>,
    origin: Origin,
    after_commit: Vec<fn()>,
    token: Option<CommitToken>,
    scope: PhantomData<&'s mut Scope>,
    kind: PhantomData<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// `BEGIN` was not sent.
    Lazy,
    /// In a transaction; dropping now closes the connection.
    Dirty,
    /// `COMMIT` or `ROLLBACK` was answered.
    Clean,
}

/// Whether a statement stays prepared on its connection.
#[derive(Clone, Copy)]
enum Keep {
    Prepared,
    Nothing,
}

impl<'s, Kind> Tx<'s, Kind> {
    pub(super) fn lazy(
        db: Database,
        tenant: Option<TenantId>,
        deadline: Instant,
        scope: &'s mut Scope,
    ) -> Self {
        Self {
            origin: scope.origin(),
            after_commit: Vec::new(),
            token: None,
            db,
            tenant,
            deadline,
            lease: None,
            state: State::Lazy,
            deferred: Vec::new(),
            scope: PhantomData,
            kind: PhantomData,
        }
    }

    /// Runs a statement and returns its rows; the first one carries `BEGIN` and the tenant in the same flush. What was
    /// deferred before runs before it, a change of tenant included.
    ///
    /// # Errors
    /// Any [`DbError`]; the transaction is then broken, and dropping it closes its connection.
    pub async fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DbError> {
        if !self.deferred.is_empty() {
            self.send_deferred(false).await?;
        }
        self.connect().await?;
        let deadline = self.deadline;
        let opening = self.state == State::Lazy;
        let tenant = self.tenant.map(tenant_text);
        let client = client(&self.lease)?;
        let work = async {
            let statement = prepare(client, sql).await?;
            let set = match &tenant {
                Some(_) if opening => Some(prepare(client, SET_TENANT).await?),
                _ => None,
            };
            self.state = State::Dirty;
            let mut flush = Flush::default();
            if opening {
                flush.push(begin(client));
            }
            if let (Some(set), Some(tenant)) = (&set, &tenant) {
                flush.push(async move { run(client, set, &[tenant]).await });
            }
            flush.push(run(client, &statement, params));
            flush.send().await.into_iter().collect::<Result<Vec<_>, _>>()
        };
        let span = step!("db.query", db.namespace = self.db.role(), db.query.text = sql);
        let mut results = within(deadline, work.instrument(span)).await??;
        Ok(results.pop().unwrap_or_default())
    }

    /// Like [`Tx::query`], for at most one row.
    ///
    /// # Errors
    /// As [`Tx::query`]; more than one row is [`DbError::Unexpected`].
    pub async fn query_opt(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, DbError> {
        let mut rows = self.query(sql, params).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            n => Err(DbError::Unexpected(format!(
                "{n} rows where at most one was expected"
            ))),
        }
    }

    /// A read in a single flush: `BEGIN`, tenant, statement, `COMMIT`. Ends the transaction.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn read(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DbError> {
        self.read_as(sql, params, Keep::Prepared).await
    }

    /// Like [`Tx::read`], for statements that users compose: it costs a round trip more, because the statement is not
    /// kept prepared, so that the number of shapes cannot fill the server's memory.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn read_once(self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, DbError> {
        self.read_as(sql, params, Keep::Nothing).await
    }

    async fn read_as(
        mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        keep: Keep,
    ) -> Result<Vec<Row>, DbError> {
        self.connect().await?;
        let deadline = self.deadline;
        let tenant = self.tenant.map(tenant_text);
        let opening = self.state == State::Lazy;
        let client = client(&self.lease)?;
        let work = async {
            let statement = match keep {
                Keep::Prepared => prepare(client, sql).await?,
                Keep::Nothing => client
                    .prepare(sql)
                    .await
                    .map_err(|e| DbError::from_driver("preparing a statement", e))?,
            };
            let set = match &tenant {
                Some(_) if opening => Some(prepare(client, SET_TENANT).await?),
                _ => None,
            };
            self.state = State::Dirty;
            // Written out, not as a `Flush`: this is the hottest path, and `join!` polls in this order unboxed.
            let begin = async {
                if opening {
                    simple(client, "begin").await
                } else {
                    Ok(())
                }
            };
            let set = async {
                match (&set, &tenant) {
                    (Some(set), Some(tenant)) => run(client, set, &[tenant]).await.map(|_| ()),
                    _ => Ok(()),
                }
            };
            let (begun, set, rows, committed) = futures::join!(
                begin,
                set,
                run(client, &statement, params),
                simple(client, "commit")
            );
            if committed.is_ok() {
                self.state = State::Clean;
            }
            begun.and(set)?;
            let rows = rows?;
            committed.map(|()| rows)
        };
        let span = step!("db.read", db.namespace = self.db.role(), db.query.text = sql);
        within(deadline, work.instrument(span)).await?
    }

    /// Adds a statement to the next flush: it runs with [`Tx::commit`] (or [`Tx::flush`]), in the order of the calls.
    pub fn defer(&mut self, sql: impl Into<String>, params: Params) {
        self.deferred.push(Deferred::new(sql.into(), params));
    }

    /// As [`Tx::defer`], for a statement that returns what its commit's [`CommitToken`] holds: cell, epoch, and the
    /// transaction's id as text. That row goes to [`Tx::commit_with_token`]; the statement's place among the rows of the
    /// flush stays, and is empty.
    pub fn defer_with_token(&mut self, sql: &'static str, params: Params) {
        self.deferred.push(Deferred::telling(sql, params));
    }

    /// Sends the deferred statements now, keeping the transaction open; returns each one's rows.
    ///
    /// # Errors
    /// The first statement's that failed.
    pub async fn flush(&mut self) -> Result<Vec<Vec<Row>>, DbError> {
        if self.deferred.is_empty() {
            return Ok(Vec::new());
        }
        self.send_deferred(false).await
    }

    /// Sends the deferred statements and `COMMIT` in one flush; returns each deferred statement's rows.
    ///
    /// # Errors
    /// The first statement's that failed: then nothing was committed. An error of the `COMMIT` itself (a broken
    /// connection) leaves the outcome unknown, as with every database.
    pub async fn commit(self) -> Result<Vec<Vec<Row>>, DbError> {
        self.commit_with_token().await.map(|(rows, _)| rows)
    }

    /// As [`Tx::commit`], and says by which token a reader knows this commit; `None` when nothing deferred told.
    ///
    /// # Errors
    /// As [`Tx::commit`].
    pub async fn commit_with_token(mut self) -> Result<(Vec<Vec<Row>>, Option<CommitToken>), DbError> {
        if self.state == State::Lazy && self.deferred.is_empty() {
            return Ok((Vec::new(), None));
        }
        let rows = self.send_deferred(true).await?;
        for hook in &self.after_commit {
            hook();
        }
        Ok((rows, self.token))
    }

    /// Runs `hook` when the commit has been confirmed, such as to wake who waits for new events; each hook once.
    pub fn after_commit(&mut self, hook: fn()) {
        if !self.after_commit.contains(&hook) {
            self.after_commit.push(hook);
        }
    }

    /// On whose behalf this transaction works.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// When the transaction must be done.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Ends the transaction without its changes and keeps the connection. For refusals that are expected.
    pub async fn rollback(mut self) {
        self.deferred.clear();
        if self.state != State::Dirty {
            self.state = State::Clean;
            return;
        }
        let deadline = self.deadline.max(Instant::now() + Duration::from_millis(200));
        if let Ok(client) = client(&self.lease)
            && matches!(within(deadline, simple(client, "rollback")).await, Ok(Ok(())))
        {
            self.state = State::Clean;
        }
    }

    /// [`Tx::rollback`], then `problem` as the answer: `return tx.refuse(problem).await`.
    ///
    /// # Errors
    /// Always `problem`.
    pub async fn refuse<T, E>(self, problem: E) -> Result<T, E> {
        self.rollback().await;
        Err(problem)
    }

    async fn send_deferred(&mut self, commit: bool) -> Result<Vec<Vec<Row>>, DbError> {
        self.connect().await?;
        let deferred = std::mem::take(&mut self.deferred);
        let deadline = self.deadline;
        let opening = self.state == State::Lazy;
        let tenant = self.tenant.map(tenant_text).filter(|_| opening);
        let client = client(&self.lease)?;
        let state = &mut self.state;
        let work = async {
            let mut statements = Vec::with_capacity(deferred.len());
            for wanted in &deferred {
                statements.push(prepare(client, &wanted.sql).await?);
            }
            let set = match &tenant {
                Some(_) => Some(prepare(client, SET_TENANT).await?),
                None => None,
            };
            *state = State::Dirty;
            let mut flush = Flush::default();
            let mut preamble = 0;
            if opening {
                flush.push(begin(client));
                preamble += 1;
            }
            if let (Some(set), Some(tenant)) = (&set, &tenant) {
                flush.push(async move { run(client, set, &[tenant]).await });
                preamble += 1;
            }
            for (statement, wanted) in statements.iter().zip(&deferred) {
                flush.push(wanted.run(client, statement));
            }
            if commit {
                flush.push(async move { simple(client, "commit").await.map(|()| Vec::new()) });
            }
            let results = flush.send().await;
            if commit && matches!(results.last(), Some(Ok(_))) {
                // Answered, be it as ROLLBACK after a failed statement: the session is idle again.
                *state = State::Clean;
            }
            let mut rows = all_or_cause(results)?;
            if commit {
                rows.pop();
            }
            Ok::<_, DbError>(rows.split_off(preamble.min(rows.len())))
        };
        let span = if commit {
            step!(
                "db.commit",
                db.namespace = self.db.role(),
                statements = deferred.len()
            )
        } else {
            step!(
                "db.flush",
                db.namespace = self.db.role(),
                statements = deferred.len()
            )
        };
        let mut rows = within(deadline, work.instrument(span)).await??;
        self.token = take_token(&deferred, &mut rows)?.or(self.token);
        Ok(rows)
    }

    async fn connect(&mut self) -> Result<(), DbError> {
        if self.lease.is_none() {
            let lease = self.db.lease(self.tenant, self.deadline);
            let span = step!("db.connect", db.namespace = self.db.role());
            self.lease = Some(lease.instrument(span).await?);
        }
        Ok(())
    }
}

impl Tx<'_, Tenant> {
    /// Moves the open transaction to another event's tenant. For the log's consumers, whose batches span tenants;
    /// an architecture test refuses it elsewhere.
    pub fn enter(&mut self, envelope: &crate::scope::Envelope) {
        let before = self.tenant.replace(envelope.tenant);
        self.origin = Origin {
            actor: Actor::System(envelope.handler.to_owned()),
            correlation: envelope.correlation,
            causation: Some(envelope.event),
            traceparent: envelope.traceparent.as_deref().map(Arc::from),
        };
        if before == self.tenant || (self.state == State::Lazy && self.deferred.is_empty()) {
            return;
        }
        if let (State::Lazy, Some(before)) = (self.state, before) {
            // `BEGIN` will bring the new tenant along, but what is deferred already belongs to the old one.
            let params: Params = vec![Box::new(tenant_text(before))];
            let sql = SET_TENANT.to_owned();
            self.deferred.insert(0, Deferred::new(sql, params));
        }
        self.defer(SET_TENANT, vec![Box::new(tenant_text(envelope.tenant))]);
    }

    /// The tenant whose rows this transaction sees.
    #[must_use]
    pub fn tenant(&self) -> Uuid {
        self.tenant.map_or_else(Uuid::nil, TenantId::uuid)
    }
}

impl<Kind> Drop for Tx<'_, Kind> {
    fn drop(&mut self) {
        if self.state == State::Dirty
            && let Some(lease) = self.lease.take()
        {
            metrics::counter!("stoa_db_connections_discarded_total", "role" => self.db.role().to_owned())
                .increment(1);
            // Out of the pool, then closed: the server rolls back.
            drop(Object::take(lease.object));
        }
    }
}
