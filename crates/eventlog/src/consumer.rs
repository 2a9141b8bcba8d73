//! A consumer: handlers by event type, and the task that feeds them.

use crate::deliver::Delivery;
use crate::stored::{Delivered, Stored};
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::db::Pools;
use stoa_kernel::service::Task;
use stoa_kernel::{Clock, DbError, Event, ServiceContext, TenantTx};

/// Attempts before an event becomes a dead letter: about ten minutes in all.
pub const MAX_ATTEMPTS: i32 = 8;

/// Why a handler could not handle an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// Try again, with backoff; what failed may pass.
    #[error("{0}")]
    Retry(String),
    /// It never will succeed: a dead letter at once.
    #[error("{0}")]
    Reject(String),
}

impl From<DbError> for HandlerError {
    fn from(error: DbError) -> Self {
        Self::Retry(chain(&error))
    }
}

/// An error with its causes, for `last_error` and dead letters.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// A handler whose event type is forgotten.
pub(crate) type Handler = Box<
    dyn for<'a> Fn(&'a mut TenantTx<'_>, &'a Stored, i32) -> BoxFuture<'a, Result<(), HandlerError>>
        + Send
        + Sync,
>;

/// Handles events of the log, each once in its effects and in order within its aggregate.
///
/// Instances in several processes share the work by taking turns; there is no order between different aggregates.
pub struct Consumer {
    pub(crate) name: &'static str,
    pub(crate) pools: Pools,
    pub(crate) clock: Clock,
    pub(crate) handlers: HashMap<&'static str, Handler>,
    pub(crate) replayable: bool,
    pub(crate) batch: usize,
    pub(crate) poll: Duration,
}

impl Consumer {
    /// A consumer of the service. `name` is `<service>.<what>`: the part before the dot must be the service's name,
    /// since the log shows a service its own consumers only.
    #[must_use]
    pub fn new(context: &ServiceContext, name: &'static str) -> Self {
        Self::with(context.db.clone(), context.clock.clone(), name)
    }

    /// A consumer on given pools, for what is not started as a service.
    #[must_use]
    pub fn with(pools: Pools, clock: Clock, name: &'static str) -> Self {
        Self {
            name,
            pools,
            clock,
            handlers: HashMap::new(),
            replayable: false,
            batch: 500,
            poll: Duration::from_millis(250),
        }
    }

    /// Handles events of the type `E::TYPE`. Types without a handler are skipped; a new version of a type is a type
    /// of its own, so an older one is handled beside it by a handler that reads the old shape.
    ///
    /// `handler(tx, event)` works only through `tx`, which is in the event's tenant: what it defers or runs commits
    /// together with the note that the event was handled, and with the other events of the batch.
    #[must_use]
    pub fn on<E: Event, F>(mut self, handler: F) -> Self
    where
        F: for<'a> Fn(&'a mut TenantTx<'_>, &'a Delivered<E>) -> BoxFuture<'a, Result<(), HandlerError>>
            + Send
            + Sync
            + 'static,
    {
        let handler = Arc::new(handler);
        self.handlers.insert(
            E::TYPE,
            Box::new(move |tx, stored, generation| {
                let handler = handler.clone();
                Box::pin(async move {
                    let event = stored.deliver::<E>(generation).map_err(|e| {
                        HandlerError::Reject(format!("the data is not what {} holds: {e}", E::TYPE))
                    })?;
                    handler(tx, &event).await
                })
            }),
        );
        self
    }

    /// Allows replays. Only for handlers whose effects may happen again: those that only rebuild rows.
    #[must_use]
    pub fn replayable(mut self) -> Self {
        self.replayable = true;
        self
    }

    /// The most events in one transaction; 500 unless set.
    #[must_use]
    pub fn batch(mut self, events: usize) -> Self {
        self.batch = events.max(1);
        self
    }

    /// The task that runs it; give it to `Running::with_task`.
    #[must_use]
    pub fn task(self) -> Task {
        let name = self.name;
        let consumer = Arc::new(self);
        Task::new(name, move |stop| Delivery::new(consumer.clone()).run(stop))
    }
}
