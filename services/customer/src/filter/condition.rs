//! Conditions as JSON: trees of clauses joined by `all` and `any`.

use super::{CUSTOM, Tree, clause};
use crate::model::Field;
use crate::model::value::Refusal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stoa_kernel::{FieldError, Problem};

/// The most levels and the most clauses of a condition.
const MAX_DEPTH: usize = 4;
const MAX_LEAVES: usize = 20;

/// A condition as the API takes it. What it means depends on the tenant's custom fields; [`ConditionBody::tree`] reads
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transparent)]
pub struct ConditionBody(#[schemars(with = "Condition")] pub(crate) Value);

/// A condition on customers: at most 4 levels and 20 clauses.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(
    dead_code,
    reason = "only described: what clients send is read by hand, to point at what is wrong"
)]
#[schemars(rename = "CustomerCondition")]
enum Condition {
    /// All of these hold.
    All {
        /// At least one.
        all: Vec<Condition>,
    },
    /// At least one of these holds.
    Any {
        /// At least one.
        any: Vec<Condition>,
    },
    /// A clause of a filter.
    Clause {
        /// A field of customers, `tag`, or `custom.` with the key of a custom field.
        field: String,
        /// `eq`, `ne`, `lt`, `le`, `gt`, `ge` or `in`; with tags and multiselect fields `has`, `lacks` or `in`.
        op: String,
        /// A text, a number or a boolean; with `in` an array of these.
        value: Value,
    },
}

impl ConditionBody {
    /// Whether the custom fields' definitions are needed to read it.
    pub(crate) fn needs_fields(&self) -> bool {
        // A text that only looks like a custom field's name costs a look-up, no more.
        self.0.to_string().contains(CUSTOM)
    }

    /// Reads it; `pointer` is where it stands.
    ///
    /// # Errors
    /// 422 for everything that is no condition.
    pub(crate) fn tree(&self, pointer: &str, custom: &[Field]) -> Result<Tree, Problem> {
        let mut reader = Reader {
            custom,
            leaves: 0,
            errors: Vec::new(),
        };
        let tree = reader.read(&self.0, pointer, 1);
        if reader.leaves > MAX_LEAVES {
            let detail = format!("a condition has at most {MAX_LEAVES} clauses");
            reader.errors.push(FieldError::new(pointer, "length", detail));
        }
        match tree {
            Some(tree) if reader.errors.is_empty() => Ok(tree),
            _ => Err(Problem::invalid(reader.errors)),
        }
    }
}

struct Reader<'f> {
    custom: &'f [Field],
    leaves: usize,
    errors: Vec<FieldError>,
}

impl Reader<'_> {
    /// The tree, or nothing and an error more.
    fn read(&mut self, value: &Value, pointer: &str, depth: usize) -> Option<Tree> {
        if depth > MAX_DEPTH {
            let detail = format!("a condition has at most {MAX_DEPTH} levels");
            return self.refuse(pointer, ("depth", detail));
        }
        let parts = value.as_object().map(|object| {
            let all = object.get("all").and_then(Value::as_array);
            let any = object.get("any").and_then(Value::as_array);
            (object, all, any)
        });
        match parts {
            Some((object, Some(all), None)) if object.len() == 1 => {
                let parts = self.each(all, &format!("{pointer}/all"), depth)?;
                Some(Tree::All(parts))
            }
            Some((object, None, Some(any))) if object.len() == 1 => {
                let parts = self.each(any, &format!("{pointer}/any"), depth)?;
                Some(Tree::Any(parts))
            }
            Some((object, None, None)) => self.leaf(object, pointer),
            _ => {
                let detail = "must be {\"all\": […]}, {\"any\": […]} or {\"field\", \"op\", \"value\"}";
                self.refuse(pointer, ("format", detail.to_owned()))
            }
        }
    }

    fn each(&mut self, parts: &[Value], pointer: &str, depth: usize) -> Option<Vec<Tree>> {
        if parts.is_empty() {
            return self.refuse(pointer, ("length", "must not be empty".to_owned()));
        }
        // Whoever sends thousands is told that they are too many, not what is wrong with each.
        let read: Vec<_> = parts
            .iter()
            .take(MAX_LEAVES + 1)
            .enumerate()
            .map(|(position, part)| self.read(part, &format!("{pointer}/{position}"), depth + 1))
            .collect();
        read.into_iter().collect()
    }

    fn leaf(&mut self, object: &Map<String, Value>, pointer: &str) -> Option<Tree> {
        self.leaves += 1;
        if self.leaves > MAX_LEAVES {
            // Told once, by who began.
            return None;
        }
        if let Some(other) = object
            .keys()
            .find(|k| !["field", "op", "value"].contains(&k.as_str()))
        {
            let detail = "a clause has field, op and value only".to_owned();
            return self.refuse(&format!("{pointer}/{other}"), ("unknown", detail));
        }
        let read = self.clause(object);
        match read {
            Ok(tree) => Some(tree),
            Err(refusal) => self.refuse(pointer, refusal),
        }
    }

    fn clause(&self, object: &Map<String, Value>) -> Result<Tree, Refusal> {
        let text = |name: &str| {
            let text = object.get(name).and_then(Value::as_str);
            text.ok_or_else(|| ("required", format!("`{name}` is required and a text")))
        };
        let (field, op) = (text("field")?, text("op")?);
        let value = object.get("value").unwrap_or(&Value::Null);
        let values = match (value, op) {
            (Value::Array(items), "in") => items.iter().map(plain).collect::<Result<Vec<_>, _>>()?,
            (one, _) => vec![plain(one)?],
        };
        clause(field, op, &values, self.custom).map(Tree::Clause)
    }

    fn refuse<T>(&mut self, pointer: &str, (rule, detail): Refusal) -> Option<T> {
        self.errors.push(FieldError::new(pointer, rule, detail));
        None
    }
}

fn plain(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err((
            "type",
            "`value` must be a text, a number or a boolean, and with `in` an array of these".to_owned(),
        )),
    }
}
