//! One row: its cells as the fields that they are for.

use super::formula;
use super::mapping::Target;
use super::rows::{Fault, shown};
use super::{KeyField, Settings};
use crate::model::{CustomerInput, Field, FieldType};
use serde_json::{Map, Number, Value};
use std::collections::{BTreeSet, HashMap};
use stoa_contracts::customer::CustomerStatus;
use stoa_kernel::Problem;
use stoa_types::{BranchId, UserId};

/// What people wrote for owners and branches, and who or which that is.
#[derive(Debug, Default)]
pub(crate) struct References {
    pub(crate) owners: HashMap<String, Option<UserId>>,
    pub(crate) branches: HashMap<String, Option<BranchId>>,
}

/// A row and the fields of its columns.
pub(crate) struct Said<'a> {
    pub(crate) columns: &'a [String],
    pub(crate) targets: &'a [Option<Target>],
    pub(crate) cells: &'a [String],
    /// Whether formulas were made harmless, as in CSV.
    pub(crate) escaped: bool,
}

impl Said<'_> {
    /// The cell of a field, trimmed; `None` when no column is for it.
    pub(crate) fn cell(&self, field: &str) -> Option<&str> {
        let is_it = |target: &Option<Target>| matches!(target, Some(Target::Field(name)) if *name == field);
        let position = self.targets.iter().position(is_it)?;
        self.cells.get(position).map(|cell| self.plain(cell))
    }

    fn plain<'c>(&self, cell: &'c str) -> &'c str {
        let cell = if self.escaped {
            formula::unescape(cell)
        } else {
            cell
        };
        cell.trim()
    }

    /// What the row is found by, as it is stored: the first of `keys` whose cell is not empty; `None` when all are.
    ///
    /// # Errors
    /// When the cell is no such key.
    pub(crate) fn key(
        &self,
        mut keys: impl Iterator<Item = KeyField>,
    ) -> Result<Option<(KeyField, String)>, Fault> {
        let full = |key: KeyField| {
            let cell = self.cell(key.field()).filter(|cell| !cell.is_empty())?;
            Some((key, cell))
        };
        let Some((key, cell)) = keys.find_map(full) else {
            return Ok(None);
        };
        let value = match key {
            KeyField::ExternalKey => cell.to_owned(),
            KeyField::Email => cell.to_lowercase(),
            KeyField::Id => {
                let id: Result<uuid::Uuid, _> = cell.parse();
                let id = id.map_err(|_| self.one_fault("id", "type", "is not an id"))?;
                id.to_string()
            }
        };
        Ok(Some((key, value)))
    }

    /// `base` with what the row says.
    ///
    /// # Errors
    /// The cells that are not what their fields hold.
    pub(crate) fn over(
        &self,
        base: CustomerInput,
        fields: &[Field],
        references: &References,
    ) -> Result<CustomerInput, Vec<Fault>> {
        let mut input = base;
        let mut faults = Vec::new();
        for ((column, target), cell) in self.columns.iter().zip(self.targets).zip(self.cells) {
            let cell = self.plain(cell);
            let set = match target {
                Some(Target::Field(name)) => set_field(&mut input, name, cell, references),
                Some(Target::Custom(key)) => {
                    let custom = input.custom.get_or_insert_default();
                    let field = fields.iter().find(|field| field.key == *key);
                    set_custom(custom, key, field, cell)
                }
                None => Ok(()),
            };
            if let Err((rule, detail)) = set {
                faults.push(Fault::of_column(column, rule, detail));
            }
        }
        if faults.is_empty() { Ok(input) } else { Err(faults) }
    }

    /// One fault, under the column of its field.
    pub(crate) fn fault(&self, field: &str, rule: &str, detail: &str) -> Vec<Fault> {
        vec![self.one_fault(field, rule, detail)]
    }

    fn one_fault(&self, field: &str, rule: &str, detail: &str) -> Fault {
        match self.column_of(field) {
            Some(column) => Fault::of_column(column, rule, detail),
            None => Fault::of_row(rule, format!("{field} {detail}")),
        }
    }

    fn column_of(&self, field: &str) -> Option<&str> {
        let position = self.targets.iter().position(|target| match target {
            Some(Target::Field(name)) => *name == field,
            Some(Target::Custom(key)) => field.strip_prefix("custom.") == Some(key),
            None => false,
        })?;
        self.columns.get(position).map(String::as_str)
    }

    /// A request's problem as the row's: each field's rule under its column.
    pub(crate) fn faults_of(&self, problem: Problem) -> Vec<Fault> {
        if problem.errors.is_empty() {
            let rule = problem.code.rsplit('.').next().unwrap_or("refused").to_owned();
            return vec![Fault::of_row(&rule, problem.detail)];
        }
        let fault = |error: stoa_kernel::FieldError| {
            let field = field_of(&error.pointer);
            match self.column_of(&field) {
                Some(column) => Fault::of_column(column, &error.rule, error.detail),
                None => Fault::of_row(&error.rule, format!("{field} {}", error.detail)),
            }
        };
        problem.errors.into_iter().map(fault).collect()
    }
}

/// The field that a pointer of the API names: `/tags/1` is `tags`, `/custom/size` is `custom.size`.
fn field_of(pointer: &str) -> String {
    let mut parts = pointer.trim_start_matches('/').split('/');
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("custom", Some(key)) => format!("custom.{key}"),
        ("branchId", _) => "branch".to_owned(),
        ("ownerId", _) => "owner".to_owned(),
        (field, _) => field.to_owned(),
    }
}

type Refusal = (&'static str, String);

fn set_field(
    input: &mut CustomerInput,
    field: &str,
    cell: &str,
    references: &References,
) -> Result<(), Refusal> {
    let text = || Some(cell.to_owned()).filter(|text| !text.is_empty());
    match field {
        "name" => input.name = cell.to_owned(),
        "email" => input.email = text(),
        "phone" => input.phone = text().map(|phone| digits(&phone)),
        "sector" => input.sector = text(),
        "officeLocation" => input.office_location = text(),
        // An empty text takes the key away.
        "externalKey" => input.external_key = Some(cell.to_owned()),
        "revenueMinor" => input.revenue_minor = number(cell)?.unwrap_or(0),
        "employees" => input.employees = number(cell)?,
        "tags" => input.tags = Some(list(cell)),
        "status" if !cell.is_empty() => {
            let named = CustomerStatus::named(&cell.to_lowercase());
            let names: Vec<_> = CustomerStatus::ALL.iter().map(|status| status.as_str()).collect();
            let known = || {
                (
                    "unknown",
                    format!("`{}` is not one of {}", shown(cell), names.join(", ")),
                )
            };
            input.status = Some(named.ok_or_else(known)?);
        }
        "owner" if !cell.is_empty() => {
            let found = references.owners.get(cell).copied().flatten();
            let detail = || {
                (
                    "unknown",
                    format!(
                        "there is no one user `{}`; write an id, an e-mail address or a handle",
                        shown(cell)
                    ),
                )
            };
            input.owner_id = Some(found.ok_or_else(detail)?);
        }
        "branch" if !cell.is_empty() => {
            let found = references.branches.get(cell).copied().flatten();
            let detail = || {
                (
                    "unknown",
                    format!(
                        "there is no one live branch `{}`; write its id or name",
                        shown(cell)
                    ),
                )
            };
            input.branch_id = Some(found.ok_or_else(detail)?);
        }
        _ => {}
    }
    Ok(())
}

/// People write phone numbers with spaces, dots, brackets and bars between the digits.
fn digits(phone: &str) -> String {
    phone
        .chars()
        .filter(|c| !matches!(c, ' ' | '\u{a0}' | '.' | '-' | '(' | ')' | '/'))
        .collect()
}

fn number(cell: &str) -> Result<Option<i64>, Refusal> {
    if cell.is_empty() {
        return Ok(None);
    }
    let number = cell
        .parse()
        .map_err(|_| ("type", format!("`{}` is not a whole number", shown(cell))))?;
    Ok(Some(number))
}

/// Values between bars, commas or semicolons, none of which a tag can hold.
fn list(cell: &str) -> Vec<String> {
    let parts = cell.split(['|', ',', ';']).map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn set_custom(
    custom: &mut Map<String, Value>,
    key: &str,
    field: Option<&Field>,
    cell: &str,
) -> Result<(), Refusal> {
    if cell.is_empty() {
        custom.remove(key);
        return Ok(());
    }
    let value = match field.map(|field| field.kind) {
        Some(FieldType::Number) => {
            let number: Result<Number, _> = cell.parse();
            Value::Number(
                number.map_err(|_| ("type", format!("`{}` is not a number such as 12.5", shown(cell))))?,
            )
        }
        Some(FieldType::Boolean) => Value::Bool(boolean(cell)?),
        Some(FieldType::Multiselect) => {
            let choices = cell.split('|').map(str::trim).filter(|choice| !choice.is_empty());
            choices.map(|choice| Value::String(choice.to_owned())).collect()
        }
        _ => Value::String(cell.to_owned()),
    };
    custom.insert(key.to_owned(), value);
    Ok(())
}

fn boolean(cell: &str) -> Result<bool, Refusal> {
    match stoa_kernel::text::search_key(cell).as_str() {
        "true" | "yes" | "y" | "1" | "x" | "co" | "dung" => Ok(true),
        "false" | "no" | "n" | "0" | "khong" | "sai" => Ok(false),
        _ => Err(("type", format!("`{}` is not yes or no", shown(cell)))),
    }
}

/// The different texts in the columns of owners and branches, to be asked for together.
pub(crate) fn mentioned<'c>(
    settings: &Settings,
    targets: &[Option<Target>],
    rows: impl Iterator<Item = &'c [String]>,
) -> (Vec<String>, Vec<String>) {
    let (mut owners, mut branches) = (BTreeSet::new(), BTreeSet::new());
    for cells in rows {
        let said = Said {
            columns: &settings.columns,
            targets,
            cells,
            escaped: settings.is_csv(),
        };
        for (field, texts) in [("owner", &mut owners), ("branch", &mut branches)] {
            if let Some(cell) = said.cell(field).filter(|cell| !cell.is_empty()) {
                texts.insert(cell.to_owned());
            }
        }
    }
    (owners.into_iter().collect(), branches.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<'a>(columns: &'a [String], targets: &'a [Option<Target>], cells: &'a [String]) -> Said<'a> {
        Said {
            columns,
            targets,
            cells,
            escaped: true,
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|t| (*t).to_owned()).collect()
    }

    // covers: CRM-09
    #[test]
    fn cells_become_fields_and_the_others_stay() {
        let columns = texts(&["Firm", "Mail", "Tel", "Staff", "Labels", "Who", "State", "Note"]);
        let names = ["name", "email", "phone", "employees", "tags", "owner", "status"];
        let mut targets: Vec<_> = names.iter().map(|name| Target::named(name)).collect();
        targets.push(None);
        let cells = texts(&[
            "'=Acme",
            " ",
            "'+49 (30) 123-456",
            "12",
            "a|b, c",
            "ann",
            "Active",
            "'+x",
        ]);
        let row = said(&columns, &targets, &cells);
        let owner = UserId::new();
        let mut references = References::default();
        references.owners.insert("ann".to_owned(), Some(owner));
        let base = CustomerInput {
            email: Some("old@x.example".to_owned()),
            sector: Some("retail".to_owned()),
            ..CustomerInput::default()
        };
        let input = row.over(base, &[], &references).unwrap();
        assert_eq!((input.name.as_str(), input.email), ("=Acme", None));
        assert_eq!(
            (input.phone.as_deref(), input.employees),
            (Some("+4930123456"), Some(12))
        );
        assert_eq!(
            (input.owner_id, input.status),
            (Some(owner), Some(CustomerStatus::Active))
        );
        assert_eq!(
            (input.tags, input.sector.as_deref()),
            (Some(texts(&["a", "b", "c"])), Some("retail"))
        );

        let cells = texts(&["x", "", "", "many", "", "bob", "gone", ""]);
        let faults = said(&columns, &targets, &cells)
            .over(CustomerInput::default(), &[], &references)
            .unwrap_err();
        let found: Vec<_> = faults
            .iter()
            .map(|f| (f.column.as_deref().unwrap(), f.rule.as_str()))
            .collect();
        assert_eq!(
            found,
            [("Staff", "type"), ("Who", "unknown"), ("State", "unknown")]
        );
    }

    // covers: CRM-09
    #[test]
    fn a_requests_problem_is_told_under_the_column() {
        let (columns, cells) = (texts(&["Firm", "Size"]), texts(&["", ""]));
        let targets = [Target::named("name"), Target::named("custom.size")];
        let row = said(&columns, &targets, &cells);
        let error = |pointer: &str| stoa_kernel::FieldError::new(pointer, "length", "is too short");
        let faults = row.faults_of(Problem::invalid(vec![
            error("/name"),
            error("/custom/size"),
            error("/email"),
        ]));
        let found: Vec<_> = faults
            .iter()
            .map(|f| (f.column.as_deref(), f.detail.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (Some("Firm"), "is too short"),
                (Some("Size"), "is too short"),
                (None, "email is too short")
            ]
        );
        let refused = row.faults_of(Problem::forbidden("no"));
        assert_eq!(
            (refused[0].column.as_deref(), refused[0].rule.as_str()),
            (None, "forbidden")
        );
    }
}
