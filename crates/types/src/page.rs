//! List pages: `{items, nextCursor}` with an opaque cursor that remembers the last row's sort values.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most items that one page holds, and the rule in the error when more are asked for.
pub const MAX_LIMIT: u32 = 100;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items, in the order that was asked for.
    pub items: Vec<T>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Where a page ended: the sort key's value of its last row, and that row's id as the tie-breaker.
///
/// A cursor is bound to the sort that made it: using it with another sort is refused, because the rows
/// between would silently be skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The `sort` parameter that the page was made with.
    #[serde(rename = "s")]
    pub sort: String,
    /// The last row's value of the sort column, as text; `None` when it was null.
    #[serde(rename = "v")]
    pub value: Option<String>,
    /// The last row's id.
    #[serde(rename = "i")]
    pub id: Uuid,
}

/// A cursor that is not one of ours, or that belongs to another sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// It cannot be decoded.
    #[error("the cursor is not one that this API returned; start again without it")]
    Malformed,
    /// It was made by a list with another `sort`.
    #[error("the cursor belongs to another sort order; start again without it")]
    OtherSort,
}

impl Cursor {
    /// The opaque text form: base64url of JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        // A struct of strings cannot fail to serialise.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a cursor and checks that it was made with `sort`.
    ///
    /// # Errors
    /// [`CursorError::Malformed`] when it is not ours, [`CursorError::OtherSort`] when the sort differs.
    pub fn decode(text: &str, sort: &str) -> Result<Self, CursorError> {
        if text.len() > 2048 {
            return Err(CursorError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        let cursor: Self = serde_json::from_slice(&bytes).map_err(|_| CursorError::Malformed)?;
        if cursor.sort == sort {
            Ok(cursor)
        } else {
            Err(CursorError::OtherSort)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trips_and_is_bound_to_its_sort() {
        let cursor = Cursor {
            sort: "name".into(),
            value: Some("Ünïcode".into()),
            id: Uuid::nil(),
        };
        assert_eq!(Cursor::decode(&cursor.encode(), "name"), Ok(cursor.clone()));
        assert_eq!(
            Cursor::decode(&cursor.encode(), "-name"),
            Err(CursorError::OtherSort)
        );
        assert_eq!(Cursor::decode("%%%", "name"), Err(CursorError::Malformed));
    }
}
