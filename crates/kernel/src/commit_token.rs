//! Reading what one has just written: a command answers with [`CommitToken`] in [`COMMIT_HEADER`], and a read from a
//! projection that gets it back as [`After`] waits until the projection shows that commit (EV-15).

use crate::db::{DbError, Row};
use crate::http::header_parameter;
use crate::openapi::problem_response;
use crate::problem::Problem;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ApiResponse};
use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderName, StatusCode};
use uuid::Uuid;

/// On answers: the token of the commit, where the command appended events.
pub static COMMIT_HEADER: HeaderName = HeaderName::from_static("stoa-commit");
/// On reads: the token of the commit that the answer must show.
pub static AFTER_HEADER: HeaderName = HeaderName::from_static("stoa-after");

/// The first byte of the encoded form.
const FORM: u8 = 1;
/// Form, cell, epoch, transaction id.
const BYTES: usize = 1 + 16 + 4 + 8;

/// A commit in the event log: in which log, in which of its epochs, by which transaction.
///
/// It is not secret and grants nothing: all that can be done with it is to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitToken {
    /// The log, which belongs to one database.
    pub cell: Uuid,
    /// The epoch: transaction ids mean something within one only.
    pub epoch: i32,
    /// The transaction's id (`xid8`).
    pub xid: u64,
}

impl CommitToken {
    /// Reads the token from the row of a statement that returns cell, epoch and the transaction's id as text.
    ///
    /// # Errors
    /// When the row has other columns.
    pub(crate) fn read(row: &Row) -> Result<Self, DbError> {
        let xid: String = row.try_get(2)?;
        let xid = xid
            .parse()
            .map_err(|e| DbError::Unexpected(format!("{xid:?} is no transaction id: {e}")))?;
        Ok(Self {
            cell: row.try_get(0)?,
            epoch: row.try_get(1)?,
            xid,
        })
    }

    /// The opaque text form: base64url of a form byte, the cell, the epoch and the transaction's id, big-endian.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(FORM);
        bytes.extend_from_slice(self.cell.as_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.xid.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// 400 `request.commit_token` for anything that [`CommitToken::encode`] does not make.
    pub fn decode(text: &str) -> Result<Self, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes.as_deref().and_then(Self::from_bytes).ok_or_else(|| {
            refused(
                "Stoa-After is not a token that this API returned; send the Stoa-Commit of an answer unchanged",
            )
        })
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (form, bytes) = bytes.split_first()?;
        let (cell, bytes) = bytes.split_first_chunk()?;
        let (epoch, bytes) = bytes.split_first_chunk()?;
        let token = Self {
            cell: Uuid::from_bytes(*cell),
            epoch: i32::from_be_bytes(*epoch),
            xid: u64::from_be_bytes(bytes.try_into().ok()?),
        };
        (*form == FORM && token.epoch > 0 && token.xid > 0).then_some(token)
    }

    /// 400: the token is of a log that this service does not read.
    #[must_use]
    pub fn foreign() -> Problem {
        refused("Stoa-After names a commit that this database does not know; read again without it")
    }

    /// 503: the projection does not show the commit yet.
    #[must_use]
    pub fn not_caught_up() -> Problem {
        let mut problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "request.not_caught_up",
            "Not there yet",
            "what this reads from does not show the commit in Stoa-After yet; repeat the request, or leave the header \
             out to read what is there",
        );
        problem.retry_after = Some(1);
        problem
    }
}

fn refused(detail: &str) -> Problem {
    Problem::bad_request("request.commit_token", detail)
}

/// The commit that the client wants to see, if it named one. Hand it to `stoa_eventlog::caught_up` before the read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct After(Option<CommitToken>);

impl After {
    /// The commit.
    #[must_use]
    pub fn token(&self) -> Option<&CommitToken> {
        self.0.as_ref()
    }
}

impl From<CommitToken> for After {
    fn from(token: CommitToken) -> Self {
        Self(Some(token))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for After {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(&AFTER_HEADER) else {
            return Ok(Self(None));
        };
        CommitToken::decode(value.to_str().unwrap_or_default().trim()).map(|token| Self(Some(token)))
    }
}

impl aide::OperationInput for After {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        header_parameter(
            ctx,
            operation,
            "Stoa-After",
            "The `Stoa-Commit` of an earlier answer: the read waits, for two seconds at most, until it shows that change",
            false,
        );
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, ApiResponse)> {
        vec![
            (
                Some(400),
                problem_response(ctx, "Stoa-After is not a token of this API"),
            ),
            (
                Some(503),
                problem_response(ctx, "The change in Stoa-After cannot be seen yet; repeat it"),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> CommitToken {
        CommitToken {
            cell: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001),
            epoch: 3,
            xid: 70_000_000_000,
        }
    }

    // covers: EV-15
    #[test]
    fn a_token_survives_its_text_form_which_other_releases_read() {
        let text = token().encode();
        assert_eq!(text, "AQGYAAAAAHAAgAAAAAAAAAEAAAADAAAAEExTPAA");
        assert_eq!(CommitToken::decode(&text).unwrap(), token());
    }

    // covers: EV-15
    #[test]
    fn what_is_no_token_is_refused() {
        let text = token().encode();
        let other_form = text.replacen("AQ", "Ag", 1);
        let cut = text.trim_start_matches('A');
        let nobody = CommitToken { xid: 0, ..token() }.encode();
        let longer = format!("{text}AAAA");
        for wrong in ["", "x", "not a token", cut, &other_form, &nobody, &longer, "AQ"] {
            let problem = CommitToken::decode(wrong).unwrap_err();
            assert_eq!(
                (problem.status, &*problem.code),
                (400, "request.commit_token"),
                "{wrong}"
            );
        }
    }

    // covers: EV-15
    #[tokio::test]
    async fn the_header_is_optional_and_never_ignored() {
        let read = async |value: Option<&str>| {
            let mut request = http::Request::builder();
            if let Some(value) = value {
                request = request.header("stoa-after", value);
            }
            let mut parts = request.body(()).unwrap().into_parts().0;
            After::from_request_parts(&mut parts, &()).await
        };
        assert_eq!(read(None).await.unwrap().token(), None);
        assert_eq!(
            read(Some(&token().encode())).await.unwrap().token(),
            Some(&token())
        );
        assert_eq!(read(Some("?")).await.unwrap_err().status, 400);
        assert_eq!(read(Some("")).await.unwrap_err().status, 400);
    }
}
