//! [`Select`]: a statement that is put together from conditions, with its parameters.

use super::{DbError, Params, Row, TenantTx, ToSql};
use stoa_policy::{RowFilter, Schema, SqlParam};

/// A `select` in the making. Values are only ever parameters, so callers with the same rights, asking the same kind of
/// question, share one prepared statement.
///
/// ```
/// # use stoa_kernel::db::Select;
/// let mut select = Select::new("select id from crm.deal where archived_at is null");
/// let stage = select.param("won".to_owned());
/// select.and(&format!("stage = {stage}"));
/// assert_eq!(select.sql(), "select id from crm.deal where archived_at is null and stage = $1");
/// ```
pub struct Select {
    sql: String,
    params: Params,
    ad_hoc: bool,
}

impl Select {
    /// Starts with everything up to and including the first condition.
    #[must_use]
    pub fn new(head: &str) -> Self {
        let mut sql = String::with_capacity(head.len() + 256);
        sql.push_str(head);
        Self {
            sql,
            params: Params::new(),
            ad_hoc: false,
        }
    }

    /// Binds a value and returns its placeholder.
    pub fn param(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.params.push(Box::new(value));
        format!("${}", self.params.len())
    }

    /// Adds a condition. The text is the service's own, never input.
    pub fn and(&mut self, condition: &str) {
        self.sql.push_str(" and ");
        self.sql.push_str(condition);
    }

    /// Keeps only the rows that the caller may see.
    pub fn and_rows(&mut self, filter: &RowFilter, schema: &Schema) {
        if filter.is_all() {
            return;
        }
        let filter = filter.to_sql(schema, self.params.len() + 1);
        self.and(&filter.sql);
        bind_filter(&mut self.params, filter.params);
    }

    /// Adds what follows the conditions, such as `group by` or `order by`.
    pub fn push(&mut self, tail: &str) {
        self.sql.push(' ');
        self.sql.push_str(tail);
    }

    /// Says that users compose this statement, so that it is not kept prepared: the number of shapes that they can
    /// think of must not fill the server's memory.
    pub fn ad_hoc(&mut self) {
        self.ad_hoc = true;
    }

    /// The statement so far.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Runs it in a transaction of its own.
    ///
    /// # Errors
    /// As [`Tx::read`](super::Tx::read).
    pub async fn read(self, tx: TenantTx<'_>) -> Result<Vec<Row>, DbError> {
        let params: Vec<&(dyn ToSql + Sync)> = self.params.iter().map(|p| &**p as _).collect();
        if self.ad_hoc {
            return tx.read_once(&self.sql, &params).await;
        }
        tx.read(&self.sql, &params).await
    }

    /// Adds it to the next flush of a transaction.
    pub fn defer(self, tx: &mut TenantTx<'_>) {
        tx.defer(self.sql, self.params);
    }
}

/// Appends a filter's values, which [`RowFilter::to_sql`] has numbered from `params.len() + 1` on.
fn bind_filter(params: &mut Params, values: Vec<SqlParam>) {
    for value in values {
        params.push(match value {
            SqlParam::Uuid(id) => Box::new(id),
            SqlParam::UuidArray(ids) => Box::new(ids),
            SqlParam::Text(text) => Box::new(text),
            SqlParam::TextArray(texts) => Box::new(texts),
            SqlParam::Int(int) => Box::new(int),
            SqlParam::IntArray(ints) => Box::new(ints),
            SqlParam::Bool(bool) => Box::new(bool),
        });
    }
}
