//! Delivery: looks where the consumer stands, reads what became visible since, and has it handled.
//!
//! What is read without a lock is trusted because of the cursor's version: every commit of a consumer raises it under
//! the row's lock, and a batch claims the row only at the version that was read first.

mod batch;
mod parked;
mod position;

use crate::consumer::{Consumer, HandlerError, chain};
use crate::{store, wake};
use futures::FutureExt;
use position::{Batch, Look, Position};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::{DbError, SystemScope, TenantTx};
use stoa_telemetry::TraceContext;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

/// Reads the log and its cursors, whose rows span tenants.
const SCOPE: SystemScope = SystemScope::named("log.consumer");
const READ_BUDGET: Duration = Duration::from_secs(10);
/// Bounds one batch's transaction; a batch that cannot make it is cut in halves.
const BATCH_BUDGET: Duration = Duration::from_secs(30);
const BATCH_BYTES: i64 = 8 << 20;
/// How often an idle consumer writes down that it has looked further.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How soon to look again when another instance has the batch.
const TURN: Duration = Duration::from_millis(50);

/// The state of one run of a consumer.
pub(crate) struct Delivery {
    consumer: Arc<Consumer>,
    types: Vec<&'static str>,
    /// The generation, and the tick up to which nothing was found for it; not saved yet.
    looked: Option<(i32, i64)>,
    saved: Instant,
    told_detached: bool,
    /// Tells whoever waits for this consumer that it has moved.
    moved: watch::Sender<u64>,
}

enum Step {
    /// Look again at once.
    More,
    /// Nothing to do before the next tick.
    Idle,
    /// Another instance is at it.
    Busy,
}

/// How an attempt to commit ended.
enum Attempt {
    Committed,
    /// The cursor has moved, or another instance holds it.
    Taken,
    /// Rolled back. `at` is the event whose handler failed, when that is known.
    Failed {
        at: Option<usize>,
        error: HandlerError,
    },
}

impl Delivery {
    pub(crate) fn new(consumer: Arc<Consumer>) -> Self {
        let mut types: Vec<_> = consumer.handlers.keys().copied().collect();
        types.sort_unstable();
        Self {
            moved: wake::mover(consumer.name),
            consumer,
            types,
            looked: None,
            saved: Instant::now(),
            told_detached: false,
        }
    }

    /// Runs until `stop`; a batch under way is finished first.
    ///
    /// # Errors
    /// When the database fails; the task is restarted with backoff, and nothing is lost or repeated.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        self.check_name()?;
        self.register().await?;
        let mut ticks = wake::on_ticked();
        while !stop.is_cancelled() {
            ticks.borrow_and_update();
            let pause = match self.step().await? {
                Step::More => continue,
                Step::Idle => self.consumer.poll,
                Step::Busy => TURN,
            };
            tokio::select! {
                _ = ticks.changed() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// The log's policies compare the part before the dot with the database role.
    fn check_name(&self) -> anyhow::Result<()> {
        let name = self.consumer.name;
        let role = self.consumer.pools.app.role();
        let service = name.split('.').next().unwrap_or_default();
        anyhow::ensure!(
            role == format!("stoa_{service}_app"),
            "the consumer {name} runs as {role}: name it <service>.<what> after the service that runs it"
        );
        Ok(())
    }

    async fn register(&self) -> Result<(), DbError> {
        let mut scope = SCOPE.global(READ_BUDGET);
        let tx = self.consumer.pools.system.begin_system(&mut scope);
        let Consumer { name, replayable, .. } = &*self.consumer;
        tx.read(store::REGISTER, &[name, replayable, &self.types])
            .await
            .map(drop)
    }

    async fn step(&mut self) -> Result<Step, DbError> {
        let Some(look) = self.look().await? else {
            return Ok(Step::More);
        };
        self.measure(&look);
        if look.detached {
            if !std::mem::replace(&mut self.told_detached, true) {
                tracing::error!(
                    consumer = self.consumer.name,
                    "detached: it was stuck beyond the log's lag limit; open a new generation to attach it again"
                );
            }
            return Ok(Step::Idle);
        }
        if look.parked > 0 && self.retry_parked(&look).await? {
            return Ok(Step::More);
        }
        let Some(target) = &look.target else {
            return Ok(Step::Idle);
        };
        if target.epoch != look.from_epoch {
            // The old epoch is done, up to its closing tick; the new one starts at its base, which shows nothing.
            return self.save(&look, look.version, Position::at(target)).await;
        }
        let batch = self.read(&look, target).await?;
        if !batch.events.is_empty() {
            return self.handle(&look, target, &batch).await;
        }
        // Only what is worth a row is written at once: an idle consumer must not write at every tick of the others.
        if look.seq > 0 || self.saved.elapsed() > SAVE_EVERY {
            return self.save(&look, look.version, Position::at(target)).await;
        }
        self.looked = Some((look.generation, target.n));
        Ok(Step::More)
    }

    /// `None` when what this process remembers does not fit any more.
    async fn look(&mut self) -> Result<Option<Look>, DbError> {
        let remembered = self.looked.map_or(0, |(_, n)| n);
        let mut scope = SCOPE.global(READ_BUDGET);
        let tx = self.consumer.pools.system.begin_system(&mut scope);
        let rows = tx.read(store::LOOK, &[&self.consumer.name, &remembered]).await?;
        let look = rows.first().map(Look::read).transpose()?;
        match (&look, self.looked) {
            (None, None) => Err(DbError::Unexpected(format!(
                "the event log has no position of {}; it is registered again",
                self.consumer.name
            ))),
            (None, Some(_)) => {
                self.looked = None;
                Ok(None)
            }
            (Some(found), Some((generation, _))) if found.generation != generation => {
                self.looked = None;
                Ok(None)
            }
            _ => Ok(look),
        }
    }

    async fn read(&self, look: &Look, target: &position::Tick) -> Result<Batch, DbError> {
        let limit = self.consumer.batch;
        let rows_limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut scope = SCOPE.global(READ_BUDGET);
        let tx = self.consumer.pools.system.begin_system(&mut scope);
        let rows = tx
            .read(
                store::READ,
                &[
                    &look.from_epoch,
                    &look.from_snapshot,
                    &target.snapshot,
                    &look.seq,
                    &rows_limit,
                    &self.types,
                    &BATCH_BYTES,
                    &self.consumer.name,
                    &look.generation,
                ],
            )
            .await?;
        Batch::read(&rows, limit, BATCH_BYTES)
    }

    /// Writes a position down without an event's effect.
    async fn save(&mut self, look: &Look, version: i64, to: Position) -> Result<Step, DbError> {
        let mut scope = SCOPE.global(READ_BUDGET);
        let mut tx = self.consumer.pools.system.begin_system(&mut scope);
        let name = self.consumer.name;
        if tx
            .query(store::CLAIM, &[&name, &look.generation, &version])
            .await?
            .is_empty()
        {
            tx.rollback().await;
            return Ok(self.taken());
        }
        tx.defer(
            store::ADVANCE,
            to.params(name, look.generation, version, self.consumer.clock.now()),
        );
        tx.commit().await?;
        self.progressed();
        Ok(Step::More)
    }

    /// After a commit that moved the position: nothing unsaved is left.
    fn progressed(&mut self) {
        self.looked = None;
        self.saved = Instant::now();
        self.moved.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn taken(&mut self) -> Step {
        self.looked = None;
        Step::Busy
    }

    /// Runs the handler of one event; a panic is an error of that event, after which `tx` must be dropped.
    async fn call(&self, tx: &mut TenantTx<'_>, event: &crate::Stored, generation: i32) -> Called {
        let Some(handler) = self.consumer.handlers.get(event.kind.as_str()) else {
            // A redriven event of a type that this release no longer handles.
            return Called::Failed(HandlerError::Reject(format!(
                "{} has no handler for {}",
                self.consumer.name, event.kind
            )));
        };
        let span = self.span(event);
        let work = AssertUnwindSafe(async { handler(tx, event, generation).await });
        match work.catch_unwind().instrument(span).await {
            Ok(Ok(())) => Called::Done,
            Ok(Err(error)) => Called::Failed(error),
            Err(panic) => Called::Panicked(HandlerError::Retry(format!(
                "the handler panicked: {}",
                panic_text(&*panic)
            ))),
        }
    }

    /// The part of the event's trace that happens here.
    fn span(&self, event: &crate::Stored) -> Span {
        let parent = event.traceparent.as_deref();
        let span = tracing::info_span!(
            "consume",
            otel.kind = "consumer",
            consumer = self.consumer.name,
            event = %event.kind,
            id = %event.id,
            // 00-<trace id>-<span id>-<flags>
            trace_id = parent.and_then(|parent| parent.get(3..35)),
            tenant_id = %event.tenant,
            correlation = %event.correlation,
        );
        if let Some(parent) = parent.and_then(TraceContext::parse) {
            stoa_telemetry::attach_remote_parent(&span, &parent);
        }
        span
    }

    fn measure(&self, look: &Look) {
        let name = self.consumer.name;
        let lag = look.target.as_ref().map_or(0, |_| look.head_seq - look.from_seq);
        let seconds = look.behind_since.map_or(0.0, |at| {
            self.consumer.clock.now().duration_since(at).as_secs_f64()
        });
        metrics::gauge!("stoa_consumer_lag_events", "consumer" => name).set(lag.max(0) as f64);
        metrics::gauge!("stoa_consumer_lag_seconds", "consumer" => name).set(seconds.max(0.0));
        metrics::gauge!("stoa_consumer_parked_events", "consumer" => name).set(look.parked as f64);
        metrics::gauge!("stoa_consumer_dead_letters", "consumer" => name).set(look.dead as f64);
        metrics::gauge!("stoa_consumer_detached", "consumer" => name).set(f64::from(u8::from(look.detached)));
    }

    fn count(&self, outcome: &'static str, events: usize) {
        metrics::counter!("stoa_consumer_processed_total", "consumer" => self.consumer.name, "outcome" => outcome)
            .increment(events as u64);
    }
}

enum Called {
    Done,
    Failed(HandlerError),
    /// As failed, and `tx` may be in the middle of something.
    Panicked(HandlerError),
}

/// Ends an attempt whose handler failed.
async fn give_up(tx: TenantTx<'_>, called: Called, at: Option<usize>) -> Attempt {
    let error = match called {
        Called::Failed(error) => {
            tx.rollback().await;
            error
        }
        Called::Panicked(error) => error,
        Called::Done => HandlerError::Retry("the attempt was given up".into()),
    };
    Attempt::Failed { at, error }
}

/// Commits an attempt. That the database is away is nobody's fault and counts as no attempt.
async fn finish(tx: TenantTx<'_>) -> Result<Attempt, DbError> {
    match tx.commit().await {
        Ok(_) => Ok(Attempt::Committed),
        Err(error @ DbError::Unavailable(_)) => Err(error),
        Err(error) => Ok(Attempt::Failed {
            at: None,
            error: HandlerError::Retry(chain(&error)),
        }),
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}
