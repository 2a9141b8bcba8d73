//! A row filter as parameterised SQL for PostgreSQL.

use uuid::Uuid;

use crate::condition::{CompareOp, Condition, Operand, Truth};
use crate::filter::RowFilter;
use crate::schema::{AttributeType, Schema};
use crate::value::Value;

/// A boolean SQL expression for a `where` clause, and its parameters in order.
///
/// Use it only where null counts as false (`where`, `filter (where …)`), never under a `not`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFilter {
    /// `true`, `false`, or an expression that can stand beside `and` without further parentheses. Values are only
    /// in the parameters, so subjects with the same rights share one prepared statement.
    pub sql: String,
    /// The values of `$first_param`, `$first_param + 1`, and so on.
    pub params: Vec<SqlParam>,
}

/// The value of a parameter; its PostgreSQL type is named by each variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlParam {
    /// `uuid`.
    Uuid(Uuid),
    /// `uuid[]`.
    UuidArray(Vec<Uuid>),
    /// `text`.
    Text(String),
    /// `text[]`.
    TextArray(Vec<String>),
    /// `bigint`.
    Int(i64),
    /// `bigint[]`.
    IntArray(Vec<i64>),
    /// `boolean`.
    Bool(bool),
}

const UNKNOWN: &str = "null::boolean";

impl RowFilter {
    /// The filter over the columns of `schema`, its parameters numbered from `first_param` (`$1` is 1).
    ///
    /// An attribute that the schema gives no column, or another type, is unknown: it can only remove rows. After
    /// [`validate`](crate::validate()) with the same schema there is none.
    pub fn to_sql(&self, schema: &Schema, first_param: usize) -> SqlFilter {
        let mut writer = Writer {
            schema,
            next_param: first_param,
            params: Vec::new(),
        };
        let sql = writer.condition(&self.condition);
        let sql = if sql == UNKNOWN { "false".to_owned() } else { sql };
        SqlFilter {
            sql,
            params: writer.params,
        }
    }
}

struct Writer<'a> {
    schema: &'a Schema,
    next_param: usize,
    params: Vec<SqlParam>,
}

/// One side of a comparison: its type, and what writes it.
enum Side<'a> {
    Column(&'a str),
    Value(&'a Value),
}

impl<'a> Writer<'a> {
    fn condition(&mut self, condition: &'a Condition) -> String {
        match condition {
            Condition::All(parts) => self.join(parts, " and ", "true"),
            Condition::Any(parts) => self.join(parts, " or ", "false"),
            Condition::Not(part) => format!("(not {})", self.condition(part)),
            Condition::Compare { left, op, right } => self
                .compare(left, *op, right)
                .unwrap_or_else(|| UNKNOWN.to_owned()),
            Condition::In { operand, list } => self.contains(operand, list),
            Condition::IsNull(operand) => self.is_null(operand),
        }
    }

    fn join(&mut self, parts: &'a [Condition], separator: &str, when_empty: &str) -> String {
        let mut written = Vec::with_capacity(parts.len());
        for part in parts {
            written.push(self.condition(part));
        }
        match written.len() {
            0 => when_empty.to_owned(),
            1 => written.concat(),
            _ => format!("({})", written.join(separator)),
        }
    }

    /// `None` when the comparison is unknown whatever the row.
    fn compare(&mut self, left: &'a Operand, op: CompareOp, right: &'a Operand) -> Option<String> {
        let (left_type, left) = self.side(left)?;
        let (right_type, right) = self.side(right)?;
        if left_type != right_type {
            return None;
        }
        let sign = match op {
            CompareOp::Eq => "=",
            CompareOp::Ne => "<>",
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
        };
        // In memory texts are ordered by bytes, which is collation "C"; equality is the same in both.
        let orders_text = left_type == AttributeType::Text && !matches!(op, CompareOp::Eq | CompareOp::Ne);
        let collation = if orders_text { " collate \"C\"" } else { "" };
        // On the column, which has a type; a parameter's would still have to be inferred.
        let (after_left, after_right) = match left {
            Side::Column(_) => (collation, ""),
            Side::Value(_) => ("", collation),
        };
        let left = self.write(left);
        let right = self.write(right);
        Some(format!("{left}{after_left} {sign} {right}{after_right}"))
    }

    fn side(&self, operand: &'a Operand) -> Option<(AttributeType, Side<'a>)> {
        match operand {
            Operand::Resource(name) => {
                let schema = self.schema;
                schema
                    .column(name)
                    .map(|(kind, column)| (kind, Side::Column(column)))
            }
            Operand::Literal(value) => AttributeType::of(value).map(|kind| (kind, Side::Value(value))),
            // A filter has none left; unknown is the safe answer.
            Operand::Subject(_) | Operand::Context(_) => None,
        }
    }

    fn write(&mut self, side: Side<'_>) -> String {
        match side {
            Side::Column(column) => column.to_owned(),
            Side::Value(Value::Uuid(id)) => self.param(SqlParam::Uuid(*id)),
            Side::Value(Value::Text(text)) => self.param(SqlParam::Text(text.clone())),
            // The column may be an int4, from which the parameter's type would be guessed.
            Side::Value(Value::Int(int)) => self.param(SqlParam::Int(*int)) + "::bigint",
            Side::Value(Value::Bool(bool)) => self.param(SqlParam::Bool(*bool)),
            Side::Value(Value::Null) => "null".to_owned(),
        }
    }

    fn contains(&mut self, operand: &'a Operand, list: &'a [Value]) -> String {
        if list.is_empty() {
            return Truth::False.as_sql().to_owned();
        }
        let Some((kind, side)) = self.side(operand) else {
            return UNKNOWN.to_owned();
        };
        // Entries that cannot equal the column, null among them, make "not found" unknown.
        let comparable: Vec<&Value> = list
            .iter()
            .filter(|entry| AttributeType::of(entry) == Some(kind))
            .collect();
        if comparable.is_empty() {
            return UNKNOWN.to_owned();
        }
        let complete = comparable.len() == list.len();
        let left = self.write(side);
        let found = match kind {
            AttributeType::Bool => {
                let mut parts = Vec::new();
                for entry in comparable {
                    parts.push(format!("{left} = {}", self.write(Side::Value(entry))));
                }
                if parts.len() == 1 {
                    parts.concat()
                } else {
                    format!("({})", parts.join(" or "))
                }
            }
            AttributeType::Uuid => {
                let ids = comparable.iter().filter_map(|entry| match entry {
                    Value::Uuid(id) => Some(*id),
                    _ => None,
                });
                format!("{left} = any({})", self.param(SqlParam::UuidArray(ids.collect())))
            }
            AttributeType::Text => {
                let texts = comparable.iter().filter_map(|entry| match entry {
                    Value::Text(text) => Some(text.clone()),
                    _ => None,
                });
                format!(
                    "{left} = any({})",
                    self.param(SqlParam::TextArray(texts.collect()))
                )
            }
            AttributeType::Int => {
                let ints = comparable.iter().filter_map(|entry| match entry {
                    Value::Int(int) => Some(*int),
                    _ => None,
                });
                format!(
                    "{left} = any({}::bigint[])",
                    self.param(SqlParam::IntArray(ints.collect()))
                )
            }
        };
        if complete {
            found
        } else {
            format!("({found} or {UNKNOWN})")
        }
    }

    fn is_null(&mut self, operand: &'a Operand) -> String {
        match operand {
            Operand::Literal(value) => Truth::from(*value == Value::Null).as_sql().to_owned(),
            Operand::Resource(name) => match self.schema.column(name) {
                Some((_, column)) => format!("({column} is null)"),
                None => UNKNOWN.to_owned(),
            },
            Operand::Subject(_) | Operand::Context(_) => UNKNOWN.to_owned(),
        }
    }

    fn param(&mut self, value: SqlParam) -> String {
        let number = self.next_param;
        self.next_param += 1;
        self.params.push(value);
        format!("${number}")
    }
}

impl Truth {
    fn as_sql(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Unknown => UNKNOWN,
        }
    }
}
