//! The event log: a change and its events commit together, and every consumer sees them in order, once.
//!
//! [`append`] writes an event in the caller's transaction. A [`ticker_task`] cuts the log into batches by recording
//! what is committed (`pg_current_snapshot()`), because the order of sequence numbers is not the order of commits: a
//! reader that keeps the last number loses what commits late. A [`Consumer`] takes the events between two ticks, and
//! commits their effects, their inbox rows and its position in one transaction.
//!
//! Transaction ids die with their cluster, so a position is (cell, epoch, tick, seq), and a restored or promoted
//! database opens a new epoch: run [`ON_CONNECT`] on every new connection before it writes. Writing on a server that
//! was not checked fails.
//!
//! # What a failing event does
//! It parks its key: it waits for another attempt, later events of the same aggregate stand behind it in order, and
//! other keys proceed. After [`MAX_ATTEMPTS`] attempts, or at once with [`HandlerError::Reject`], it becomes a dead
//! letter with its cause, and the events behind it continue: one broken event must not stop an aggregate for ever.
//! Until somebody redrives the letter its effect is missing, and when redriven it comes after newer events of its key.
//!
//! What takes longer than a handler or a request may is a job: see [`jobs`].

mod append;
mod caught_up;
mod consumer;
mod deliver;
pub mod jobs;
mod operate;
mod store;
mod stored;
mod ticker;
mod wake;

pub use append::append;
pub use caught_up::{NotCaughtUp, caught_up};
pub use consumer::{Consumer, HandlerError, MAX_ATTEMPTS};
pub use operate::{DeadLetter, OperateError, ReplayFrom, dead_letters, discard, open_generation, redrive};
pub use stored::{Delivered, Stored, cloud_event};
pub use ticker::ticker_task;

use stoa_kernel::migrate::Schema;

/// The log's schema, to be migrated before the services'.
pub const SCHEMA: Schema = Schema {
    name: "log",
    migrations: stoa_kernel::migrations!["0001_init", "0002_cursor_types", "0003_topics"],
};

/// The statement to run on every new connection (`ConnectOptions::on_connect`): it opens a new epoch when the database
/// came from elsewhere, and costs one look-up when the server is known.
pub const ON_CONNECT: &str = "select log.open_epoch()";
