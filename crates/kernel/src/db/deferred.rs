//! Statements that wait for the next flush.

use super::pipeline::run;
use super::{DbError, Params, Row, ToSql};
use crate::commit_token::CommitToken;
use deadpool_postgres::Object;

pub(super) struct Deferred {
    pub(super) sql: String,
    params: Params,
    /// Its row is the commit's token.
    tells: bool,
}

impl Deferred {
    pub(super) fn new(sql: String, params: Params) -> Self {
        Self {
            sql,
            params,
            tells: false,
        }
    }

    pub(super) fn telling(sql: &'static str, params: Params) -> Self {
        Self {
            tells: true,
            ..Self::new(sql.to_owned(), params)
        }
    }

    pub(super) async fn run(
        &self,
        client: &Object,
        statement: &tokio_postgres::Statement,
    ) -> Result<Vec<Row>, DbError> {
        let params: Vec<&(dyn ToSql + Sync)> = self.params.iter().map(|p| &**p as _).collect();
        run(client, statement, &params).await
    }
}

/// Takes the rows of the statements that tell the commit's token out of a flush's rows, and reads the last one.
pub(super) fn take_token(
    deferred: &[Deferred],
    rows: &mut [Vec<Row>],
) -> Result<Option<CommitToken>, DbError> {
    let mut token = None;
    for (rows, _) in rows.iter_mut().zip(deferred).filter(|(_, d)| d.tells) {
        if let Some(row) = std::mem::take(rows).first() {
            token = Some(CommitToken::read(row)?);
        }
    }
    Ok(token)
}
