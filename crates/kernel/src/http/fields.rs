//! The list parameter `fields`: the fields of each item to answer with.

use super::Json;
use crate::problem::{FieldError, Problem};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use stoa_types::Page;

/// Which fields a list answers with: all of them, or those that the client named and `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields<'a>(Option<Vec<&'a str>>);

impl<'a> Fields<'a> {
    /// Reads the parameter, names joined by commas, against the fields that there are.
    ///
    /// # Errors
    /// 422 for a name that is not one of `known`.
    pub fn parse(parameter: Option<&'a str>, known: &[&str]) -> Result<Self, Problem> {
        let Some(text) = parameter else {
            return Ok(Self(None));
        };
        let mut fields = vec!["id"];
        for field in text.split(',').map(str::trim) {
            if !known.contains(&field) {
                let detail = format!("`{field}` is not one of {}", known.join(", "));
                return Err(Problem::invalid(vec![FieldError::new(
                    "fields", "unknown", detail,
                )]));
            }
            fields.push(field);
        }
        Ok(Self(Some(fields)))
    }

    /// The page with these fields of each item only.
    ///
    /// # Errors
    /// When an item cannot be serialised, which is a defect.
    pub fn answer<T: Serialize>(&self, page: Page<T>) -> Result<Response, Problem> {
        let Some(fields) = &self.0 else {
            return Ok(Json(page).into_response());
        };
        let mut items = Vec::with_capacity(page.items.len());
        for item in &page.items {
            let mut item = serde_json::to_value(item).map_err(|e| Problem::internal(&e))?;
            if let Value::Object(object) = &mut item {
                object.retain(|name, _| fields.contains(&name.as_str()));
            }
            items.push(item);
        }
        let next_cursor = page.next_cursor;
        Ok(Json(Page { items, next_cursor }).into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_refused() {
        let known = ["id", "name"];
        assert_eq!(Fields::parse(None, &known).unwrap(), Fields(None));
        assert_eq!(
            Fields::parse(Some("name, id"), &known).unwrap(),
            Fields(Some(vec!["id", "name", "id"]))
        );
        let refused = Fields::parse(Some("name,colour"), &known).unwrap_err();
        assert_eq!(
            (&*refused.errors[0].pointer, &*refused.errors[0].rule),
            ("fields", "unknown")
        );
    }
}
