//! The only way to PostgreSQL: transactions that carry a tenant, pipelined into as few flushes as possible.
//!
//! Reads are one flush (`BEGIN`, tenant, statement, `COMMIT`); writes two at most (lock and read; then change,
//! event, `COMMIT`). No raw client leaves this module.

mod deferred;
mod error;
mod listen;
mod pipeline;
mod pool;
mod select;
mod tx;

pub use error::DbError;
pub use listen::Listener;
pub use pool::{ConnectOptions, Database, Pools};
pub use select::Select;
pub use tx::{Params, SystemTx, TenantTx, Tx};

pub use crate::scope::Origin;

/// A row of a result; read it with `try_get`.
pub use tokio_postgres::Row;
/// What can be a parameter of a statement.
pub use tokio_postgres::types::ToSql;

/// Boxes owned values as the parameters of a deferred statement: `params![id, name]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {{
        let params: $crate::db::Params = vec![$(Box::new($value)),*];
        params
    }};
}
