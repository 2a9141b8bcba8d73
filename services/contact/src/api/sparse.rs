//! The `fields` parameter of lists.

use serde::Serialize;
use serde_json::Value;
use stoa_kernel::{FieldError, Problem};
use stoa_types::Page;

/// Reads the parameter: fields out of `known`, joined by commas; `id` always is among them.
///
/// # Errors
/// 422 for a field that is not known.
pub(super) fn fields<'a>(text: &'a str, known: &[&str]) -> Result<Vec<&'a str>, Problem> {
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
    Ok(fields)
}

/// The page with these fields of each item only.
///
/// # Errors
/// When an item cannot be serialised, which is a defect.
pub(super) fn only<T: Serialize>(page: &Page<T>, fields: &[&str]) -> Result<Page<Value>, Problem> {
    let mut items = Vec::with_capacity(page.items.len());
    for item in &page.items {
        let mut item = serde_json::to_value(item).map_err(|e| Problem::internal(&e))?;
        if let Some(object) = item.as_object_mut() {
            object.retain(|name, _| fields.contains(&name.as_str()));
        }
        items.push(item);
    }
    Ok(Page {
        items,
        next_cursor: page.next_cursor.clone(),
    })
}
