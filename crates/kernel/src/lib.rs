//! The trust boundary: everything that a service may do to the outside world passes through here.
//!
//! A handler reaches the database only through a [`Scope`], and a `Scope` is made only from an authenticated
//! request, an event's envelope, a job's envelope or a named [`SystemScope`]. [`Scope`] is not `Clone`, and both
//! [`Database::begin`](db::Database::begin) and [`Mesh::call`](mesh::Mesh::call) borrow it mutably, so calling
//! another service in the middle of a transaction does not compile.

pub mod allowed;
mod cache_use;
pub mod clock;
pub mod commit_token;
pub mod config;
pub mod db;
pub mod decisions;
pub mod event;
pub mod http;
pub mod idempotency;
pub mod lifecycle;
pub mod mesh;
pub mod migrate;
pub mod openapi;
pub mod problem;
pub mod record;
pub mod request;
pub mod scope;
pub mod service;
pub mod text;
pub mod validate;

pub use allowed::{Allowed, Permission, Rights};
pub use cache_use::CacheUse;
pub use clock::Clock;
pub use commit_token::{After, CommitToken};
pub use db::{Database, DbError, SystemTx, TenantTx};
pub use event::Event;
pub use mesh::{Call, CallError, Mesh};
pub use problem::{FieldError, Problem};
pub use record::Record;
pub use scope::{Actor, Scope, SystemScope};
pub use service::{Service, ServiceContext};
pub use validate::Validation;
