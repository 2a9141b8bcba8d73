//! The feed of changes: one task per process watches the database, and every waiting poll is woken by it.

use crate::{App, FOLLOW, store};
use std::sync::Arc;
use std::time::Duration;
use stoa_kernel::decisions::{Changes, WatchChanges};
use stoa_kernel::service::{ServiceContext, Task};
use stoa_kernel::{Problem, Scope};
use tokio::sync::watch;
use tokio::time::Instant;

/// The longest that a change stays unnoticed when its notification is lost.
const POLL: Duration = Duration::from_millis(250);
/// The longest that one look at the database may take.
const LOOK: Duration = Duration::from_secs(3);
/// Most changes of one answer; the next poll gets the rest.
const BATCH: i64 = 1_000;
/// What is left of a call's time for its last look at the database.
const RESERVE: Duration = Duration::from_secs(3);

/// The position of the last change that this process has seen.
#[derive(Clone)]
pub(crate) struct Feed {
    head: Arc<watch::Sender<i64>>,
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            head: Arc::new(watch::Sender::new(0)),
        }
    }

    /// The task that notices changes.
    pub(crate) fn task(&self, context: ServiceContext) -> Task {
        let feed = self.clone();
        Task::new("access.feed", move |stop| {
            let (feed, context) = (feed.clone(), context.clone());
            async move {
                let mut listener = context.db.system.listen("stoa_policy");
                loop {
                    tokio::select! {
                        () = listener.wait(POLL) => {}
                        () = stop.cancelled() => return Ok(()),
                    }
                    let mut scope = FOLLOW.global(LOOK);
                    match store::replica::head(context.db.system.begin_system(&mut scope)).await {
                        Ok(head) => feed.notice(head),
                        Err(error) => tracing::debug!(%error, "cannot look for policy changes; trying again"),
                    }
                }
            }
        })
    }

    /// Wakes who waits, when the position is another.
    fn notice(&self, head: i64) {
        self.head.send_if_modified(|seen| {
            let moved = *seen != head;
            *seen = head;
            moved
        });
    }
}

/// Answers [`WatchChanges`]. An answer without changes is always as fresh as a look at the database after the wait: a
/// reader takes it as proof that it is up to date.
pub(crate) async fn watch_changes(
    app: &App,
    mut scope: Scope,
    call: WatchChanges,
) -> Result<Changes, Problem> {
    let system = &app.context.db.system;
    let Some(after) = call.after else {
        let last = store::replica::head(system.begin_system(&mut scope)).await?;
        return Ok(Changes {
            last,
            reset: false,
            changes: Vec::new(),
        });
    };
    let deadline = scope.deadline();
    let latest = deadline.checked_sub(RESERVE).unwrap_or(deadline);
    let until = latest.min(Instant::now() + Duration::from_millis(call.wait_ms));
    let mut head = app.feed.head.subscribe();
    loop {
        // Before the look: what moves during it wakes the wait below.
        head.borrow_and_update();
        let tx = system.begin_system(&mut scope);
        let (last, changes) = store::replica::changes_after(tx, after, BATCH).await?;
        if after > last {
            // The reader is ahead of the database: it was restored to an earlier time.
            return Ok(Changes {
                last,
                reset: true,
                changes: Vec::new(),
            });
        }
        if let Some((position, _)) = changes.last() {
            return Ok(Changes {
                last: *position,
                reset: false,
                changes: changes.into_iter().map(|(_, change)| change).collect(),
            });
        }
        if Instant::now() >= until {
            return Ok(Changes {
                last: after,
                reset: false,
                changes: Vec::new(),
            });
        }
        // Whichever it is, the next look decides.
        drop(tokio::time::timeout_at(until, head.changed()).await);
    }
}
