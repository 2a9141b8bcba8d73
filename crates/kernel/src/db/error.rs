//! What can go wrong between a service and its database, in the classes that callers act on.

use std::time::Duration;
use tokio_postgres::error::SqlState;

/// A failed database operation.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection in time: the server is down, refuses, or the pool is exhausted. Worth a retry by the client.
    #[error("the database is not reachable: {0}")]
    Unavailable(String),
    /// The request's deadline passed while waiting for the database.
    #[error("the database did not answer in time ({0:?})")]
    Timeout(Duration),
    /// A constraint of the schema refused the change.
    #[error("constraint {constraint} refused the change")]
    Constraint {
        /// The constraint's name, by which a service's `error.rs` recognises it.
        constraint: String,
        /// The five-character SQLSTATE (PostgreSQL manual, appendix A).
        code: String,
    },
    /// The transaction lost against a concurrent one and can be tried again (deadlock, serialisation, lock timeout).
    #[error("a concurrent change got in the way ({0})")]
    Contention(String),
    /// Anything else: a defect in Stoa or its schema.
    #[error("database error while {doing}: {}", describe(source))]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The driver's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A row did not hold what the query promised.
    #[error("unexpected result: {0}")]
    Unexpected(String),
}

impl DbError {
    /// Classifies a driver error.
    #[must_use]
    pub fn from_driver(doing: &'static str, source: tokio_postgres::Error) -> Self {
        if source.is_closed() {
            return Self::Unavailable(source.to_string());
        }
        let Some(db) = source.as_db_error() else {
            // No answer from the server: the socket broke, or a parameter could not be encoded.
            return match std::error::Error::source(&source) {
                Some(cause) if cause.is::<std::io::Error>() => {
                    Self::Unavailable(format!("{source}: {cause}"))
                }
                _ => Self::Failed { doing, source },
            };
        };
        let code = db.code();
        if let Some(constraint) = db.constraint() {
            return Self::Constraint {
                constraint: constraint.to_owned(),
                code: code.code().to_owned(),
            };
        }
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::LOCK_NOT_AVAILABLE => Self::Contention(db.message().to_owned()),
            SqlState::QUERY_CANCELED => Self::Timeout(Duration::ZERO),
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::TOO_MANY_CONNECTIONS
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Unavailable(db.message().to_owned()),
            _ => Self::Failed { doing, source },
        }
    }

    /// The violated constraint's name, when that is what happened.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Constraint { constraint, .. } => Some(constraint),
            _ => None,
        }
    }

    /// Whether a value from outside could not be taken: a text with NUL, or a cursor whose value is not of its column's
    /// type.
    pub(crate) fn is_unreadable_value(&self) -> bool {
        const REFUSED: [SqlState; 6] = [
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            SqlState::UNTRANSLATABLE_CHARACTER,
            SqlState::INVALID_TEXT_REPRESENTATION,
            SqlState::INVALID_DATETIME_FORMAT,
            SqlState::DATETIME_FIELD_OVERFLOW,
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        ];
        matches!(self, Self::Failed { source, .. }
            if source.code().is_some_and(|code| REFUSED.contains(code)))
    }

    /// Whether the statement failed only because an earlier one in the same transaction did.
    pub(crate) fn is_consequence(&self) -> bool {
        matches!(self, Self::Failed { source, .. }
            if source.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION))
    }
}

/// The driver's own text is only "db error"; the server's message says what happened.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(db), _) => db.message().to_owned(),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(source: tokio_postgres::Error) -> Self {
        Self::from_driver("reading a row", source)
    }
}
