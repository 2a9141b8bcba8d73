//! Custom fields: what a tenant's administrator adds to customers.

use super::value::{self, scaled};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;
use stoa_contracts::customer::{FieldChange, FieldChanged};
use stoa_kernel::{FieldError, Problem, Record, Validation};
use stoa_types::FieldId;

/// The most fields of a tenant, archived ones not counted.
pub(crate) const MAX_FIELDS: usize = 100;
/// The most fields of a tenant, archived ones too: every write of a customer reads them.
pub(crate) const MAX_KEPT_FIELDS: usize = 500;
/// The most characters of a text: an index entry must hold it.
pub(crate) const MAX_TEXT: usize = 500;
const MAX_OPTIONS: usize = 200;
const MAX_DECIMALS: u8 = 6;

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "CustomerFieldType")]
pub enum FieldType {
    /// A text of one or more lines.
    Text,
    /// A JSON number with as many decimals as the field says.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A day, `2026-01-31`.
    Date,
    /// A moment, `2026-01-31T08:00:00Z`; kept in UTC.
    Datetime,
    /// One of the field's options.
    Select,
    /// Some of the field's options, as an array.
    Multiselect,
    /// An address that begins with `http://` or `https://`.
    Url,
    /// An e-mail address; kept in lower case.
    Email,
}

impl FieldType {
    const ALL: [Self; 9] = [
        Self::Text,
        Self::Number,
        Self::Boolean,
        Self::Date,
        Self::Datetime,
        Self::Select,
        Self::Multiselect,
        Self::Url,
        Self::Email,
    ];

    /// As in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Datetime => "datetime",
            Self::Select => "select",
            Self::Multiselect => "multiselect",
            Self::Url => "url",
            Self::Email => "email",
        }
    }

    /// The type of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn has_options(self) -> bool {
        matches!(self, Self::Select | Self::Multiselect)
    }
}

/// What a field's values must keep to, beyond the type; kept as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldRules {
    /// The choices of `select` and `multiselect`: 1 to 200 texts of 1 to 100 characters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// How many digits a `number` has after the point, 0 to 6; 0 unless given. It cannot be changed later.
    pub decimals: u8,
    /// The smallest `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// The largest `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    /// The most characters of a `text`, 1 to 500; 500 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}

/// A custom field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerField")]
pub struct Field {
    /// Its id.
    pub id: FieldId,
    /// Its name in `custom`.
    pub key: String,
    /// What people read.
    pub label: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether every write must give it.
    pub required: bool,
    /// What its values must keep to.
    #[serde(flatten)]
    pub rules: FieldRules,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What a client says of a custom field.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "key": "contract_value", "label": "Contract value", "type": "number", "decimals": 2, "min": 0
}))]
#[schemars(rename = "CustomerFieldInput")]
pub struct FieldInput {
    /// `^[a-z][a-z0-9_]{0,39}$`; unique, archived fields included. It cannot be changed later.
    pub key: String,
    /// 1 to 80 characters.
    pub label: String,
    /// What it holds. It cannot be changed later.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether every write must give it. Customers that have no value yet stay readable; their next update must bring
    /// one.
    #[serde(default)]
    pub required: bool,
    /// The choices of `select` and `multiselect`: 1 to 200 texts of 1 to 100 characters.
    #[serde(default)]
    pub options: Vec<String>,
    /// How many digits a `number` has after the point, 0 to 6; 0 unless given. It cannot be changed later.
    #[serde(default)]
    pub decimals: u8,
    /// The smallest `number`.
    pub min: Option<Number>,
    /// The largest `number`.
    pub max: Option<Number>,
    /// The most characters of a `text`, 1 to 500; 500 unless given.
    pub max_length: Option<usize>,
}

impl FieldInput {
    /// Checks and tidies the definition.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        if !is_key(&self.key) {
            let rule = "must match ^[a-z][a-z0-9_]{0,39}$";
            check.refuse("/key", "format", rule);
        }
        let label = check.text("/label", &self.label, 1..=80);
        let options = self.checked_options(&mut check);
        self.check_number(&mut check);
        if self.max_length.is_some() && self.kind != FieldType::Text {
            check.refuse("/maxLength", "type", "belongs to text");
        }
        if self.max_length.is_some_and(|n| !(1..=MAX_TEXT).contains(&n)) {
            let rule = format!("must be between 1 and {MAX_TEXT}");
            check.refuse("/maxLength", "range", rule);
        }
        check.finish(Self {
            label,
            options,
            ..self
        })
    }

    fn checked_options(&self, check: &mut Validation) -> Vec<String> {
        let options: Vec<String> = self.options.iter().map(|o| o.trim().to_owned()).collect();
        if self.kind.has_options() == options.is_empty() || options.len() > MAX_OPTIONS {
            let rule =
                format!("1 to {MAX_OPTIONS} options belong to select and multiselect, and to nothing else");
            check.refuse("/options", "length", rule);
        }
        for (position, option) in options.iter().enumerate() {
            check.text(&format!("/options/{position}"), option, 1..=100);
        }
        if options.iter().collect::<BTreeSet<_>>().len() < options.len() {
            check.refuse("/options", "unique", "must differ from one another");
        }
        options
    }

    fn check_number(&self, check: &mut Validation) {
        if self.kind != FieldType::Number {
            if self.decimals != 0 || self.min.is_some() || self.max.is_some() {
                check.refuse("/type", "type", "decimals, min and max belong to number");
            }
            return;
        }
        if self.decimals > MAX_DECIMALS {
            check.refuse(
                "/decimals",
                "range",
                format!("must be between 0 and {MAX_DECIMALS}"),
            );
            return;
        }
        let mut bound =
            |pointer: &str, bound: &Option<Number>| match bound.as_ref().map(|n| scaled(n, self.decimals)) {
                Some(Ok(n)) => Some(n),
                Some(Err((rule, detail))) => {
                    check.refuse(pointer, rule, detail);
                    None
                }
                None => None,
            };
        let (min, max) = (bound("/min", &self.min), bound("/max", &self.max));
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            check.refuse("/max", "range", "must not be less than min");
        }
    }
}

fn is_key(key: &str) -> bool {
    (1..=40).contains(&key.len())
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl Field {
    /// A field from checked input.
    pub(crate) fn new(id: FieldId, input: FieldInput, record: Record) -> Self {
        Self {
            id,
            key: input.key,
            label: input.label,
            kind: input.kind,
            required: input.required,
            rules: FieldRules {
                options: input.options,
                decimals: input.decimals,
                min: input.min,
                max: input.max,
                max_length: input.max_length,
            },
            record,
        }
    }

    /// With checked input; the record is the caller's to change.
    ///
    /// # Errors
    /// 422 when the key, the type or the decimals differ: stored values depend on them.
    pub(crate) fn with(&self, input: FieldInput) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let rule = "cannot be changed; archive this field and define another";
        for (pointer, differs) in [
            ("/key", input.key != self.key),
            ("/type", input.kind != self.kind),
            ("/decimals", input.decimals != self.rules.decimals),
        ] {
            if differs {
                check.refuse(pointer, "read_only", rule);
            }
        }
        check.finish(Self::new(self.id, input, self.record.clone()))
    }

    pub(crate) fn changed(&self, change: FieldChange) -> FieldChanged {
        FieldChanged {
            field_id: self.id,
            change,
            version: self.record.version,
        }
    }
}

/// The custom fields' values as they are kept: only what is defined, without empty ones.
///
/// A value that is the same as `before` is kept whatever the rules are by now, so that a rule made later does not stand
/// in the way of other changes; and what `before` holds in archived fields stays.
///
/// # Errors
/// 422 with every broken rule, under `/custom/` and the key.
pub(crate) fn checked_custom(
    fields: &[Field],
    given: &Map<String, Value>,
    before: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let mut errors = Vec::new();
    let mut refuse = |key: &str, rule: &str, detail: String| {
        errors.push(FieldError::new(format!("/custom/{}", escaped(key)), rule, detail));
    };
    let mut kept = Map::new();
    for (key, value) in given {
        let Some(field) = fields.iter().find(|f| f.key == *key) else {
            let detail = "there is no custom field of this name; GET /api/customers/fields lists them";
            refuse(key, "unknown", detail.to_owned());
            continue;
        };
        if before.get(key) == Some(value) {
            kept.insert(key.clone(), value.clone());
        } else if field.record.is_archived() {
            refuse(
                key,
                "archived",
                "the field is archived, so its values stay as they are".to_owned(),
            );
        } else {
            match value::checked(field, value) {
                Ok(Some(value)) => {
                    kept.insert(key.clone(), value);
                }
                Ok(None) => {}
                Err((rule, detail)) => refuse(key, rule, detail),
            }
        }
    }
    for field in fields {
        if field.record.is_archived() {
            if let Some(value) = before.get(&field.key) {
                kept.insert(field.key.clone(), value.clone());
            }
        } else if field.required && !kept.contains_key(&field.key) && is_empty(given.get(&field.key)) {
            refuse(&field.key, "required", "is required".to_owned());
        }
    }
    if errors.is_empty() {
        return Ok(kept);
    }
    Err(Problem::invalid(errors))
}

/// Whether a value counts as none; another value that is not kept was refused already.
fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

/// A name within a JSON pointer (RFC 6901, section 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
