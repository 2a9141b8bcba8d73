//! [`Record`]: who made and last changed an entity, when, and how often (DB-07).

use crate::clock::Clock;
use crate::db::{DbError, Origin, Params, Row};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What every entity records about its changes. Embed it with `#[serde(flatten)]`; its columns are
/// [`Record::COLUMNS`]. Only the methods here change it, so that no service forgets one of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Rises by one with every change; the ETag.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it: a user's id, or the name of a system scope.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was archived; absent while it is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

impl Record {
    /// The columns, in the order of [`Record::read`] and [`Record::bind`].
    pub const COLUMNS: &'static str = "version, created_at, created_by, updated_at, updated_by, archived_at";
    /// How many columns there are.
    pub const WIDTH: usize = 6;

    /// Of something that is created now.
    #[must_use]
    pub fn new(origin: &Origin, clock: &Clock) -> Self {
        let (now, actor) = (clock.now(), origin.actor.to_string());
        Self {
            version: 1,
            created_at: now,
            created_by: actor.clone(),
            updated_at: now,
            updated_by: actor,
            archived_at: None,
        }
    }

    /// After a change.
    #[must_use]
    pub fn changed(&self, origin: &Origin, clock: &Clock) -> Self {
        Self {
            version: self.version + 1,
            created_at: self.created_at,
            created_by: self.created_by.clone(),
            // Never backwards, whatever the clock does: lists are sorted by it.
            updated_at: clock.now().max(self.updated_at),
            updated_by: origin.actor.to_string(),
            archived_at: self.archived_at,
        }
    }

    /// After it was archived.
    #[must_use]
    pub fn archived(&self, origin: &Origin, clock: &Clock) -> Self {
        let changed = self.changed(origin, clock);
        Self {
            archived_at: Some(changed.updated_at),
            ..changed
        }
    }

    /// After it was restored.
    #[must_use]
    pub fn restored(&self, origin: &Origin, clock: &Clock) -> Self {
        Self {
            archived_at: None,
            ..self.changed(origin, clock)
        }
    }

    /// Whether it is archived.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.archived_at.is_some()
    }

    /// Reads the columns from position `first` of a row on.
    ///
    /// # Errors
    /// When the row has other columns there.
    pub fn read(row: &Row, first: usize) -> Result<Self, DbError> {
        Ok(Self {
            version: row.try_get(first)?,
            created_at: row.try_get(first + 1)?,
            created_by: row.try_get(first + 2)?,
            updated_at: row.try_get(first + 3)?,
            updated_by: row.try_get(first + 4)?,
            archived_at: row.try_get(first + 5)?,
        })
    }

    /// Appends the columns' values to a statement's parameters.
    pub fn bind(&self, params: &mut Params) {
        params.push(Box::new(self.version));
        params.push(Box::new(self.created_at));
        params.push(Box::new(self.created_by.clone()));
        params.push(Box::new(self.updated_at));
        params.push(Box::new(self.updated_by.clone()));
        params.push(Box::new(self.archived_at));
    }
}
