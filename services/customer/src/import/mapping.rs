//! Which column is which field.

use super::synonyms;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use stoa_kernel::{FieldError, Problem};

/// What a column is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// A field of customers, by its name in this list.
    Field(&'static str),
    /// A field of the tenant's own, by its key.
    Custom(String),
}

/// The fields that a column can be for. `owner` and `branch` take an id, or what a person would write.
pub(crate) const FIELDS: &[&str] = &[
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
    "branch",
    "owner",
    "tags",
];

impl Target {
    /// The target of that name: one of [`FIELDS`], or `custom.KEY`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some(key) = name.strip_prefix("custom.") {
            return (!key.is_empty()).then(|| Self::Custom(key.to_owned()));
        }
        FIELDS
            .iter()
            .find(|field| **field == name)
            .map(|field| Self::Field(field))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Custom(key) => write!(f, "custom.{key}"),
        }
    }
}

/// A column and the field that it fills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnMapping {
    /// The column's name in the file.
    pub column: String,
    /// `id`, `externalKey`, `name`, `email`, `phone`, `status`, `sector`, `revenueMinor`, `employees`,
    /// `officeLocation`, `branch`, `owner`, `tags` (joined by `|`), `custom.KEY`, or `ignore`.
    pub field: String,
}

/// The mapping that a person would most likely choose; each field is given to the first column that fits.
pub(crate) fn guessed(columns: &[String], custom: &[(String, String)]) -> Vec<ColumnMapping> {
    let mut given = Vec::new();
    let mut mapping = Vec::with_capacity(columns.len());
    for column in columns {
        let target = synonyms::guess(column, custom).filter(|target| !given.contains(target));
        let field = target
            .as_ref()
            .map_or_else(|| "ignore".to_owned(), ToString::to_string);
        given.extend(target);
        mapping.push(ColumnMapping {
            column: column.clone(),
            field,
        });
    }
    mapping
}

/// The targets of the columns, in the columns' order.
///
/// # Errors
/// 422 naming each entry that has no such column or field, or gives a field twice.
pub(crate) fn targets(
    mapping: &[ColumnMapping],
    columns: &[String],
    custom: &[(String, String)],
) -> Result<Vec<Option<Target>>, Problem> {
    let mut targets: Vec<Option<Target>> = vec![None; columns.len()];
    let mut errors = Vec::new();
    for (n, entry) in mapping.iter().enumerate() {
        let mut refuse = |member: &str, rule: &str, detail: String| {
            errors.push(FieldError::new(format!("/mapping/{n}/{member}"), rule, detail));
        };
        let Some(position) = columns.iter().position(|column| *column == entry.column) else {
            refuse(
                "column",
                "unknown",
                format!("the file has no column `{}`", entry.column),
            );
            continue;
        };
        if entry.field == "ignore" {
            continue;
        }
        let target = Target::named(&entry.field).filter(|target| match target {
            Target::Custom(key) => custom.iter().any(|(known, _)| known == key),
            Target::Field(_) => true,
        });
        let Some(target) = target else {
            let known = FIELDS.join(", ");
            refuse(
                "field",
                "unknown",
                format!("is not one of {known}, custom.KEY of a defined field, or ignore"),
            );
            continue;
        };
        if targets.iter().flatten().any(|given| *given == target) {
            refuse(
                "field",
                "duplicate",
                format!("`{target}` is filled by another column already"),
            );
            continue;
        }
        if let Some(place) = targets.get_mut(position) {
            *place = Some(target);
        }
    }
    if errors.is_empty() {
        Ok(targets)
    } else {
        Err(Problem::invalid(errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn entry(column: &str, field: &str) -> ColumnMapping {
        ColumnMapping {
            column: column.to_owned(),
            field: field.to_owned(),
        }
    }

    // covers: CRM-09
    #[test]
    fn a_guess_gives_no_field_twice() {
        let guess = guessed(&columns(&["Company", "Name", "E-mail", "Colour"]), &[]);
        let fields: Vec<_> = guess.iter().map(|m| m.field.as_str()).collect();
        assert_eq!(fields, ["name", "ignore", "email", "ignore"]);
    }

    // covers: CRM-09
    #[test]
    fn a_mapping_is_checked_against_the_file() {
        let file = columns(&["a", "b"]);
        let custom = [("size".to_owned(), "Size".to_owned())];
        let good = [entry("b", "name"), entry("a", "custom.size")];
        let found = targets(&good, &file, &custom).unwrap();
        assert_eq!(
            found,
            [Some(Target::Custom("size".into())), Some(Target::Field("name"))]
        );
        for (bad, pointer, rule) in [
            (entry("c", "name"), "/mapping/0/column", "unknown"),
            (entry("a", "colour"), "/mapping/0/field", "unknown"),
            (entry("a", "custom.colour"), "/mapping/0/field", "unknown"),
        ] {
            let error = targets(&[bad], &file, &custom).unwrap_err().errors.remove(0);
            assert_eq!((error.pointer.as_str(), error.rule.as_str()), (pointer, rule));
        }
        let twice = [entry("a", "name"), entry("b", "name")];
        assert_eq!(
            targets(&twice, &file, &[]).unwrap_err().errors[0].rule,
            "duplicate"
        );
    }
}
