//! What conditions may speak about: the attributes of a resource, their types and their SQL columns.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::condition::{Condition, Operand};
use crate::error::Problem;
use crate::model::{BRANCH_ATTRIBUTE, OWNER_ATTRIBUTE};
use crate::value::Value;

/// Deepest nesting of a condition; a leaf has depth 1.
pub const MAX_CONDITION_DEPTH: usize = 16;
/// Most nodes of a condition, operands not counted.
pub const MAX_CONDITION_NODES: usize = 256;
/// Most entries in the list of one `in`.
pub const MAX_LIST_ENTRIES: usize = 1_000;

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeType {
    /// `boolean`.
    Bool,
    /// `bigint`, `integer` or `smallint`; for times, epoch milliseconds.
    Int,
    /// `text` or `varchar` with a deterministic collation (not `char(n)`, whose padding compares differently).
    Text,
    /// `uuid`.
    Uuid,
}

impl AttributeType {
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Text => "text",
            Self::Uuid => "uuid",
        }
    }

    /// The type of a value; `None` for null, which has none.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Bool(_) => Some(Self::Bool),
            Value::Int(_) => Some(Self::Int),
            Value::Text(_) => Some(Self::Text),
            Value::Uuid(_) => Some(Self::Uuid),
        }
    }
}

/// An attribute of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAttribute {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// `column` or `alias.column`, in lower case and not a reserved word; absent when it has no SQL form.
    #[serde(default)]
    pub column: Option<String>,
}

/// The attributes a condition on one resource may use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// Attributes of the resource by name.
    #[serde(default)]
    pub resource: BTreeMap<String, ResourceAttribute>,
    /// Attributes of the subject besides `id` and `branch`.
    #[serde(default)]
    pub subject: BTreeMap<String, AttributeType>,
    /// Attributes of the context besides `now` and `ip`.
    #[serde(default)]
    pub context: BTreeMap<String, AttributeType>,
}

/// The schemas by resource name (`customers` in `customers:read`).
pub type Schemas = BTreeMap<String, Schema>;

impl Schema {
    /// A schema without attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A schema whose rows have an owner (`ownerId`) and a branch (`branchId`) in these columns.
    pub fn with_owner_and_branch(owner_column: &str, branch_column: &str) -> Self {
        Self::new()
            .with(OWNER_ATTRIBUTE, AttributeType::Uuid, owner_column)
            .with(BRANCH_ATTRIBUTE, AttributeType::Uuid, branch_column)
    }

    /// Adds a resource attribute that lives in a column.
    #[must_use]
    pub fn with(mut self, name: &str, kind: AttributeType, column: &str) -> Self {
        let attribute = ResourceAttribute {
            kind,
            column: Some(column.to_owned()),
        };
        self.resource.insert(name.to_owned(), attribute);
        self
    }

    /// Adds a resource attribute that has no SQL form; conditions on it are refused when saved.
    #[must_use]
    pub fn with_computed(mut self, name: &str, kind: AttributeType) -> Self {
        self.resource
            .insert(name.to_owned(), ResourceAttribute { kind, column: None });
        self
    }

    /// Adds a subject attribute.
    #[must_use]
    pub fn with_subject(mut self, name: &str, kind: AttributeType) -> Self {
        self.subject.insert(name.to_owned(), kind);
        self
    }

    /// Adds a context attribute.
    #[must_use]
    pub fn with_context(mut self, name: &str, kind: AttributeType) -> Self {
        self.context.insert(name.to_owned(), kind);
        self
    }

    /// The type and column of a resource attribute, when it has a usable column.
    pub(crate) fn column(&self, name: &str) -> Option<(AttributeType, &str)> {
        let attribute = self.resource.get(name)?;
        let column = attribute.column.as_deref().filter(|column| is_column(column))?;
        Some((attribute.kind, column))
    }

    /// Type checks a condition; every problem carries the JSON pointer of its node, below `pointer`.
    pub fn check(&self, condition: &Condition, pointer: &str) -> Vec<Problem> {
        let mut problems = check_size(condition, pointer);
        if problems.is_empty() {
            self.check_node(condition, pointer, &mut problems);
        }
        problems
    }

    fn check_node(&self, condition: &Condition, at: &str, problems: &mut Vec<Problem>) {
        match condition {
            Condition::All(parts) => self.check_parts(parts, &format!("{at}/all"), problems),
            Condition::Any(parts) => self.check_parts(parts, &format!("{at}/any"), problems),
            Condition::Not(part) => self.check_node(part, &format!("{at}/not"), problems),
            Condition::Compare { left, right, .. } => {
                let left_type = self.check_compared(left, &format!("{at}/compare/left"), problems);
                let right_type = self.check_compared(right, &format!("{at}/compare/right"), problems);
                if let (Some(left), Some(right)) = (left_type, right_type)
                    && left != right
                {
                    let message = format!("cannot compare {} with {}", left.name(), right.name());
                    problems.push(Problem::new(format!("{at}/compare"), message));
                }
            }
            Condition::In { operand, list } => {
                let kind = self.check_compared(operand, &format!("{at}/in/operand"), problems);
                self.check_list(kind, list, &format!("{at}/in/list"), problems);
            }
            Condition::IsNull(operand) => {
                if let Err(problem) = self.operand_type(operand, &format!("{at}/isNull")) {
                    problems.push(problem);
                }
            }
        }
    }

    fn check_parts(&self, parts: &[Condition], at: &str, problems: &mut Vec<Problem>) {
        for (index, part) in parts.iter().enumerate() {
            self.check_node(part, &format!("{at}/{index}"), problems);
        }
    }

    fn check_list(&self, kind: Option<AttributeType>, list: &[Value], at: &str, problems: &mut Vec<Problem>) {
        for (index, entry) in list.iter().enumerate() {
            let at = format!("{at}/{index}");
            match (check_literal(entry, &at), kind) {
                (Err(problem), _) => problems.push(problem),
                (Ok(Some(found)), Some(kind)) if found != kind => {
                    let message = format!("expected {}, found {}", kind.name(), found.name());
                    problems.push(Problem::new(at, message));
                }
                _ => {}
            }
        }
    }

    /// The type of an operand of a comparison, which must not be the constant null.
    fn check_compared(
        &self,
        operand: &Operand,
        at: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<AttributeType> {
        match self.operand_type(operand, at) {
            Ok(Some(kind)) => Some(kind),
            Ok(None) => {
                problems.push(Problem::new(at, "comparing with null is never true; use isNull"));
                None
            }
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    fn operand_type(&self, operand: &Operand, at: &str) -> Result<Option<AttributeType>, Problem> {
        let (known, whose, name) = match operand {
            Operand::Literal(value) => return check_literal(value, &format!("{at}/literal")),
            Operand::Resource(name) => {
                let attribute = self.resource.get(name);
                if attribute.is_some() && self.column(name).is_none() {
                    let message = format!("cannot become SQL: attribute \"{name}\" has no column");
                    return Err(Problem::new(format!("{at}/resource"), message));
                }
                (attribute.map(|attribute| attribute.kind), "resource", name)
            }
            Operand::Subject(name) => {
                let built_in = matches!(name.as_str(), "id" | "branch").then_some(AttributeType::Uuid);
                (
                    built_in.or_else(|| self.subject.get(name).copied()),
                    "subject",
                    name,
                )
            }
            Operand::Context(name) => {
                let built_in = match name.as_str() {
                    "now" => Some(AttributeType::Int),
                    "ip" => Some(AttributeType::Text),
                    _ => None,
                };
                (
                    built_in.or_else(|| self.context.get(name).copied()),
                    "context",
                    name,
                )
            }
        };
        match known {
            Some(kind) => Ok(Some(kind)),
            None => {
                let message = format!("the {whose} has no attribute \"{name}\"");
                Err(Problem::new(format!("{at}/{whose}"), message))
            }
        }
    }
}

fn check_literal(value: &Value, at: &str) -> Result<Option<AttributeType>, Problem> {
    match value {
        // PostgreSQL has no such text, so the two back ends could not agree on it.
        Value::Text(text) if text.contains('\0') => Err(Problem::new(at, "a text cannot contain NUL")),
        value => Ok(AttributeType::of(value)),
    }
}

/// Checks depth, nodes and list lengths, which needs no schema.
pub(crate) fn check_size(condition: &Condition, pointer: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut nodes = 0;
    measure(condition, pointer, 1, &mut nodes, &mut problems);
    if nodes > MAX_CONDITION_NODES {
        let message =
            format!("a condition has at most {MAX_CONDITION_NODES} nodes; split it into several grants");
        problems.push(Problem::new(pointer, message));
    }
    problems
}

fn measure(condition: &Condition, at: &str, depth: usize, nodes: &mut usize, problems: &mut Vec<Problem>) {
    *nodes += 1;
    // Stops descending at either limit, so that a hostile tree costs no more than a legal one.
    if *nodes > MAX_CONDITION_NODES {
        return;
    }
    if depth > MAX_CONDITION_DEPTH {
        let message = format!("a condition nests at most {MAX_CONDITION_DEPTH} deep");
        problems.push(Problem::new(at, message));
        return;
    }
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            let key = if matches!(condition, Condition::All(_)) {
                "all"
            } else {
                "any"
            };
            for (index, part) in parts.iter().enumerate() {
                measure(part, &format!("{at}/{key}/{index}"), depth + 1, nodes, problems);
            }
        }
        Condition::Not(part) => measure(part, &format!("{at}/not"), depth + 1, nodes, problems),
        Condition::In { list, .. } if list.len() > MAX_LIST_ENTRIES => {
            let message = format!("a list has at most {MAX_LIST_ENTRIES} entries");
            problems.push(Problem::new(format!("{at}/in/list"), message));
        }
        Condition::Compare { .. } | Condition::In { .. } | Condition::IsNull(_) => {}
    }
}

/// `name` or `alias.name`, unquoted: text that can stand in SQL without quoting.
fn is_column(column: &str) -> bool {
    let is_identifier = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match column.split_once('.') {
        Some((alias, name)) => is_identifier(alias) && is_identifier(name),
        None => is_identifier(column),
    }
}
