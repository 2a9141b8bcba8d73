//! The parameters of every list: `limit`, `cursor`, `sort`, and their SQL.

use crate::db::Select;
use crate::problem::{FieldError, Problem};
use schemars::JsonSchema;
use serde::Deserialize;
use stoa_types::{Cursor, MAX_LIMIT};

/// `limit`, `cursor` and `sort`, and nothing else: a list that takes more has a query type of its own, with these copied.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// Items per page, 1 to 100; 50 unless given.
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// The field to sort by, with `-` in front for descending.
    pub sort: Option<String>,
}

/// A field that a list can be sorted by. The column must be indexed with the tenant in front and the id behind.
#[derive(Debug, Clone, Copy)]
pub struct SortKey {
    /// The name in the API.
    pub field: &'static str,
    /// The column.
    pub column: &'static str,
    /// Its SQL type, to cast the cursor's text back.
    pub sql_type: &'static str,
}

/// A checked [`ListQuery`].
#[derive(Debug, Clone)]
pub struct ListPlan {
    /// Rows to fetch: one more than asked for, to know whether there is a next page.
    pub fetch: i64,
    /// Items per page.
    pub limit: usize,
    /// The sort key.
    pub key: SortKey,
    /// Whether the order is descending.
    pub descending: bool,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    sort: String,
}

impl ListQuery {
    /// Checks the parameters against the fields that may be sorted by; the first is the default.
    ///
    /// # Errors
    /// 422 naming the parameter and the rule.
    pub fn plan(&self, keys: &[SortKey]) -> Result<ListPlan, Problem> {
        let mut errors = Vec::new();
        let limit = self.limit.unwrap_or(50);
        if limit == 0 || limit > MAX_LIMIT {
            errors.push(FieldError::new(
                "limit",
                "range",
                format!("must be between 1 and {MAX_LIMIT}"),
            ));
        }
        let default = keys.first().map_or("", |k| k.field);
        let sort = self.sort.clone().unwrap_or_else(|| default.to_owned());
        let (descending, field) = sort
            .strip_prefix('-')
            .map_or((false, sort.as_str()), |f| (true, f));
        let key = keys.iter().find(|k| k.field == field);
        if key.is_none() {
            let known: Vec<_> = keys.iter().map(|k| k.field).collect();
            errors.push(FieldError::new(
                "sort",
                "unknown",
                format!("must be one of {}", known.join(", ")),
            ));
        }
        let after = match self
            .cursor
            .as_deref()
            .map(|text| Cursor::decode(text, &sort))
            .transpose()
        {
            Ok(after) => after,
            Err(e) => {
                errors.push(FieldError::new("cursor", "format", e.to_string()));
                None
            }
        };
        match key {
            Some(key) if errors.is_empty() => Ok(ListPlan {
                fetch: i64::from(limit) + 1,
                limit: limit as usize,
                key: *key,
                descending,
                after,
                sort,
            }),
            _ => Err(Problem::invalid(errors)),
        }
    }
}

impl ListPlan {
    /// `order by` with the id as tie-breaker.
    #[must_use]
    pub fn order_by(&self) -> String {
        let direction = if self.descending { "desc" } else { "asc" };
        format!("order by {} {direction}, id {direction}", self.key.column)
    }

    /// The condition that continues after the cursor, with its parameters from `$first` on: the sort value as text
    /// and the id. Sort columns are not null, so the row comparison is total and uses the index.
    #[must_use]
    pub fn after_sql(&self, first: usize) -> Option<(String, String, uuid::Uuid)> {
        let cursor = self.after.as_ref()?;
        let comparison = if self.descending { "<" } else { ">" };
        let sql = format!(
            "({}, id) {comparison} (${first}::text::{}, ${})",
            self.key.column,
            self.key.sql_type,
            first + 1
        );
        Some((sql, cursor.value.clone().unwrap_or_default(), cursor.id))
    }

    /// Completes a list's statement: after the cursor, in order, one row more than the page holds.
    pub fn finish(&self, select: &mut Select) {
        if let Some(cursor) = &self.after {
            let comparison = if self.descending { "<" } else { ">" };
            let value = select.param(cursor.value.clone().unwrap_or_default());
            let id = select.param(cursor.id);
            let SortKey { column, sql_type, .. } = self.key;
            select.and(&format!(
                "({column}, id) {comparison} ({value}::text::{sql_type}, {id})"
            ));
        }
        select.push(&self.order_by());
        let limit = select.param(self.fetch);
        select.push(&format!("limit {limit}"));
    }

    /// Cuts the fetched rows to a page; `end` gives a row's sort value and id.
    #[must_use]
    pub fn page<T>(
        &self,
        mut items: Vec<T>,
        end: impl Fn(&T) -> (String, uuid::Uuid),
    ) -> stoa_types::Page<T> {
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let next_cursor = items.last().filter(|_| more).map(|last| {
            let (value, id) = end(last);
            Cursor {
                sort: self.sort.clone(),
                value: Some(value),
                id,
            }
            .encode()
        });
        stoa_types::Page { items, next_cursor }
    }
}
