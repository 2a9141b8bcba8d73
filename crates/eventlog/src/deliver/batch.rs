//! Handles a batch: all of it in one transaction if that works, else smaller and smaller parts, until a failing event
//! stands alone and parks its key.

use super::position::{Batch, Item, Look, Position, Tick};
use super::{Attempt, BATCH_BUDGET, Called, Delivery, Step, finish, give_up};
use crate::consumer::HandlerError;
use crate::store;
use std::collections::HashSet;
use stoa_kernel::{DbError, Scope, TenantTx};
use uuid::Uuid;

/// Part of a batch, and where the cursor goes with it.
struct Part<'b> {
    items: &'b [Item],
    /// Keys that were parked earlier in this batch.
    blocked: &'b HashSet<Uuid>,
    to: Position,
    version: i64,
}

impl Delivery {
    pub(super) async fn handle(
        &mut self,
        look: &Look,
        target: &Tick,
        batch: &Batch,
    ) -> Result<Step, DbError> {
        let mut blocked = HashSet::new();
        let mut version = look.version;
        let mut rest = batch.events.as_slice();
        let mut size = rest.len();
        while !rest.is_empty() {
            let (items, after) = rest.split_at(size.clamp(1, rest.len()));
            let to = end_of(look, target, items, after.is_empty() && batch.complete);
            let part = Part {
                items,
                blocked: &blocked,
                to,
                version,
            };
            match self.attempt(look, &part).await? {
                Attempt::Committed => {}
                Attempt::Taken => return Ok(self.taken()),
                Attempt::Failed { at, error } => match items {
                    [only] => {
                        if !self.set_aside(look, &part, only, error).await? {
                            return Ok(self.taken());
                        }
                        blocked.insert(only.event.aggregate_id);
                    }
                    _ => {
                        // What stands before the culprit goes through at once; an unknown one is searched by halves.
                        size = at.filter(|at| *at > 0).unwrap_or(match at {
                            Some(_) => 1,
                            None => items.len() / 2,
                        });
                        continue;
                    }
                },
            }
            version += 1;
            rest = after;
            size = (size * 4).max(1);
            self.progressed();
        }
        Ok(Step::More)
    }

    async fn attempt(&self, look: &Look, part: &Part<'_>) -> Result<Attempt, DbError> {
        let Some(first) = part.items.first() else {
            return Ok(Attempt::Committed);
        };
        let name = self.consumer.name;
        let mut scope = Scope::from_envelope(&first.event.envelope(name), BATCH_BUDGET);
        let mut tx = self.consumer.pools.app.begin(&mut scope);
        if !self.claim(&mut tx, look.generation, part.version).await? {
            tx.rollback().await;
            return Ok(Attempt::Taken);
        }
        let (mut ids, mut times) = (Vec::new(), Vec::new());
        let mut parked = 0;
        for (at, Item { event, seen, blocked }) in part.items.iter().enumerate() {
            if *seen {
                continue;
            }
            tx.enter(&event.envelope(name));
            if *blocked || part.blocked.contains(&event.aggregate_id) {
                self.park(&mut tx, look.generation, event, 0, None);
                parked += 1;
                continue;
            }
            match self.call(&mut tx, event, look.generation).await {
                Called::Done => {}
                failed => return Ok(give_up(tx, failed, Some(at)).await),
            }
            ids.push(event.id.uuid());
            times.push(event.recorded_at);
        }
        let handled = ids.len();
        tx.defer(
            store::HANDLED,
            stoa_kernel::params![name, look.generation, ids, times],
        );
        tx.defer(
            store::ADVANCE,
            part.to
                .params(name, look.generation, part.version, self.consumer.clock.now()),
        );
        let attempt = finish(tx).await?;
        if matches!(attempt, Attempt::Committed) {
            self.count("handled", handled);
            self.count("parked_behind", parked);
        }
        Ok(attempt)
    }

    /// Parks a failing event's key, or buries the event when there is no hope. False when the cursor was taken.
    async fn set_aside(
        &self,
        look: &Look,
        part: &Part<'_>,
        item: &Item,
        error: HandlerError,
    ) -> Result<bool, DbError> {
        let name = self.consumer.name;
        let mut scope = Scope::from_envelope(&item.event.envelope(name), BATCH_BUDGET);
        let mut tx = self.consumer.pools.app.begin(&mut scope);
        if !self.claim(&mut tx, look.generation, part.version).await? {
            tx.rollback().await;
            return Ok(false);
        }
        match &error {
            HandlerError::Retry(cause) => {
                self.park(&mut tx, look.generation, &item.event, 1, Some(cause));
            }
            HandlerError::Reject(cause) => self.bury(&mut tx, look.generation, &item.event, 1, cause),
        }
        tx.defer(
            store::ADVANCE,
            part.to
                .params(name, look.generation, part.version, self.consumer.clock.now()),
        );
        tx.commit().await?;
        self.count(
            if matches!(error, HandlerError::Retry(_)) {
                "parked"
            } else {
                "dead"
            },
            1,
        );
        tracing::warn!(consumer = name, event = %item.event.id, kind = %item.event.kind, %error, "an event failed");
        Ok(true)
    }

    pub(super) async fn claim(
        &self,
        tx: &mut TenantTx<'_>,
        generation: i32,
        version: i64,
    ) -> Result<bool, DbError> {
        let rows = tx
            .query(store::CLAIM, &[&self.consumer.name, &generation, &version])
            .await?;
        Ok(!rows.is_empty())
    }
}

/// Where the cursor stands once `items` are done: at the target, or still on the way to it.
fn end_of(look: &Look, target: &Tick, items: &[Item], arrived: bool) -> Position {
    match items.last() {
        Some(last) if !arrived => Position {
            epoch: look.from_epoch,
            tick: look.from,
            target: Some(target.n),
            seq: last.event.seq,
        },
        _ => Position::at(target),
    }
}
