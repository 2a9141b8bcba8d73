//! Customers as rows: which columns, and what stands in them.

use super::csv::Csv;
use crate::model::{Customer, Field};
use serde_json::{Map, Value};
use stoa_kernel::{FieldError, Problem};

/// The columns of a whole export, before the custom fields.
const COLUMNS: &[&str] = &[
    "id",
    "externalKey",
    "name",
    "email",
    "phone",
    "status",
    "sector",
    "revenueMinor",
    "employees",
    "officeLocation",
    "branchId",
    "ownerId",
    "tags",
];
/// The columns after the custom fields.
const RECORD: &[&str] = &["version", "createdAt", "createdBy", "updatedAt", "updatedBy"];
/// What can be asked for besides.
const OTHERS: &[&str] = &["custom", "archivedAt", "mergedInto"];

/// The columns to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    columns: Vec<String>,
}

impl Table {
    /// The columns that were asked for, names joined by commas, or all.
    ///
    /// # Errors
    /// 422 for a name that is none.
    pub(crate) fn new(asked: Option<&str>, fields: &[Field]) -> Result<Self, Problem> {
        let live = fields.iter().filter(|field| !field.record.is_archived());
        let custom: Vec<String> = live.map(|field| format!("custom.{}", field.key)).collect();
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = [own(COLUMNS), custom, own(RECORD)].concat();
        let Some(asked) = asked else {
            return Ok(Self { columns: all });
        };
        let mut columns = Vec::new();
        for name in asked.split(',').map(str::trim) {
            if !all.iter().any(|known| known == name) && !OTHERS.contains(&name) {
                let detail = format!("`{name}` is not one of {}", all.join(", "));
                return Err(Problem::invalid(vec![FieldError::new(
                    "fields", "unknown", detail,
                )]));
            }
            if !columns.iter().any(|column| column == name) {
                columns.push(name.to_owned());
            }
        }
        Ok(Self { columns })
    }

    /// The header of CSV.
    pub(crate) fn header(&self, out: &mut Csv) {
        for column in &self.columns {
            out.plain(column);
        }
        out.end();
    }

    /// A row of CSV.
    ///
    /// # Errors
    /// When the customer cannot be serialised, which is a defect.
    pub(crate) fn csv(&self, customer: &Customer, out: &mut Csv) -> Result<(), Problem> {
        let object = object(customer)?;
        for column in &self.columns {
            match value(&object, column) {
                Some(value) => push(out, value),
                None => out.plain(""),
            }
        }
        out.end();
        Ok(())
    }

    /// A line of NDJSON.
    ///
    /// # Errors
    /// When the customer cannot be serialised, which is a defect.
    pub(crate) fn ndjson(&self, customer: &Customer, out: &mut String) -> Result<(), Problem> {
        let mut object = object(customer)?;
        let custom: Vec<&str> = self
            .columns
            .iter()
            .filter_map(|c| c.strip_prefix("custom."))
            .collect();
        let whole = self.columns.iter().any(|column| column == "custom");
        if let (false, Some(Value::Object(values))) = (whole, object.get_mut("custom")) {
            values.retain(|key, _| custom.contains(&key.as_str()));
        }
        let keeps_custom = whole || !custom.is_empty();
        object.retain(|name, _| {
            self.columns.iter().any(|column| column == name) || (name == "custom" && keeps_custom)
        });
        out.push_str(&serde_json::to_string(&object).map_err(|e| Problem::internal(&e))?);
        out.push('\n');
        Ok(())
    }
}

fn object(customer: &Customer) -> Result<Map<String, Value>, Problem> {
    match serde_json::to_value(customer) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(Problem::internal(&error)),
    }
}

fn value<'o>(object: &'o Map<String, Value>, column: &str) -> Option<&'o Value> {
    match column.strip_prefix("custom.") {
        Some(key) => object.get("custom")?.get(key),
        None => object.get(column),
    }
}

fn push(out: &mut Csv, value: &Value) {
    match value {
        Value::Null => out.plain(""),
        Value::String(text) => out.text(text),
        // A number is no formula, and with a quote in front it would be no number.
        Value::Number(number) => out.plain(&number.to_string()),
        Value::Bool(flag) => out.plain(if *flag { "true" } else { "false" }),
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            out.text(&items.join("|"));
        }
        Value::Object(_) => out.text(&value.to_string()),
    }
}
