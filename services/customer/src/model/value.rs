//! Values of custom fields: how they are checked, kept, and found.

use super::field::{Field, FieldType, MAX_TEXT};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Number, Value};
use stoa_kernel::Validation;
use stoa_types::FieldId;

/// The largest integer that every JSON reader holds exactly (RFC 8259, section 6).
const MAX_JSON_INT: i64 = (1 << 53) - 1;

/// A broken rule: a stable word for it, and the rule in words.
pub(crate) type Refusal = (&'static str, String);

/// A value as customers are found by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Text(String),
    Int(i64),
}

/// An entry of `customer.custom_value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) field: FieldId,
    /// Its position among the choices of a multiselect; else 0.
    pub(crate) item: i16,
    pub(crate) key: Key,
}

/// A value as it is kept, or none when it is empty.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn checked(field: &Field, value: &Value) -> Result<Option<Value>, Refusal> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => Some(text.trim()),
        _ => None,
    };
    let need = |what: &str| ("type", format!("must be {what}"));
    let text = || text.ok_or_else(|| need("a text"));
    let kept = match field.kind {
        FieldType::Text => plain(text()?, field.rules.max_length.unwrap_or(MAX_TEXT))?.into(),
        FieldType::Number => {
            let number = value.as_number().ok_or_else(|| need("a number"))?;
            Value::Number(number_within(field, number)?)
        }
        FieldType::Boolean => value.as_bool().ok_or_else(|| need("true or false"))?.into(),
        FieldType::Date => day(text()?)?.to_string().into(),
        FieldType::Datetime => moment(text()?)?.to_string().into(),
        FieldType::Select => choice(field, text()?)?.into(),
        FieldType::Multiselect => return choices(field, value),
        FieldType::Url => url(text()?)?.into(),
        FieldType::Email => email(text()?)?.into(),
    };
    Ok(Some(kept))
}

/// What customers with these values are found by. Values of fields that are not defined have no entry.
pub(crate) fn entries(fields: &[Field], custom: &Map<String, Value>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for field in fields {
        let Some(value) = custom.get(&field.key) else {
            continue;
        };
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for (item, value) in items.iter().enumerate() {
            if let (Ok(item), Some(key)) = (i16::try_from(item), key(field, value)) {
                entries.push(Entry {
                    field: field.id,
                    item,
                    key,
                });
            }
        }
    }
    entries
}

fn key(field: &Field, value: &Value) -> Option<Key> {
    Some(match (field.kind, value) {
        (FieldType::Number, Value::Number(number)) => Key::Int(scaled(number, field.rules.decimals).ok()?),
        (FieldType::Boolean, Value::Bool(value)) => Key::Int(i64::from(*value)),
        (FieldType::Datetime, Value::String(text)) => Key::Int(moment(text).ok()?.as_microsecond()),
        (_, Value::String(text)) => Key::Text(text.clone()),
        _ => return None,
    })
}

/// A text of a filter as the field's key.
///
/// # Errors
/// What it should have been.
pub(crate) fn key_of_text(field: &Field, text: &str) -> Result<Key, Refusal> {
    let not = |what: &str| ("type", format!("`{text}` is not {what}"));
    if text.contains('\0') {
        return Err(not("a text without NUL"));
    }
    Ok(match field.kind {
        FieldType::Number => {
            let number: Number = text.parse().map_err(|_| not("a number"))?;
            Key::Int(scaled(&number, field.rules.decimals)?)
        }
        FieldType::Boolean => Key::Int(i64::from(text.parse::<bool>().map_err(|_| not("true or false"))?)),
        FieldType::Date => Key::Text(day(text)?.to_string()),
        FieldType::Datetime => Key::Int(moment(text)?.as_microsecond()),
        FieldType::Email => Key::Text(text.to_lowercase()),
        FieldType::Text | FieldType::Select | FieldType::Multiselect | FieldType::Url => {
            Key::Text(text.to_owned())
        }
    })
}

fn number_within(field: &Field, number: &Number) -> Result<Number, Refusal> {
    let decimals = field.rules.decimals;
    let value = scaled(number, decimals)?;
    let bound = |bound: &Option<Number>| bound.as_ref().and_then(|n| scaled(n, decimals).ok());
    if let (Some(min), Some(limit)) = (bound(&field.rules.min), &field.rules.min)
        && value < min
    {
        return Err(("range", format!("must not be less than {limit}")));
    }
    if let (Some(max), Some(limit)) = (bound(&field.rules.max), &field.rules.max)
        && value > max
    {
        return Err(("range", format!("must not be more than {limit}")));
    }
    // One form a number, so that `2.0` and `2` are the same value.
    let unit = 10_i64.pow(u32::from(decimals));
    Ok(if value % unit == 0 {
        Number::from(value / unit)
    } else {
        number.clone()
    })
}

/// A number times ten to the power of `decimals`, exactly.
///
/// # Errors
/// When it has more decimals, or is too large to be exact in JSON.
pub(crate) fn scaled(number: &Number, decimals: u8) -> Result<i64, Refusal> {
    let text = number.to_string();
    let range = || {
        let unit = 10_i64.pow(u32::from(decimals.min(6)));
        let most = MAX_JSON_INT / unit;
        ("range", format!("must be between -{most} and {most}"))
    };
    if let Some((_, power)) = text.split_once(['e', 'E']) {
        // The driver writes this form for what is very large or very small.
        return Err(if power.starts_with('-') {
            ("decimals", decimals_rule(decimals))
        } else {
            range()
        });
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > usize::from(decimals) {
        return Err(("decimals", decimals_rule(decimals)));
    }
    let digits = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
    let value: i64 = digits.parse().map_err(|_| range())?;
    if value.unsigned_abs() > MAX_JSON_INT.unsigned_abs() {
        return Err(range());
    }
    Ok(value)
}

fn decimals_rule(decimals: u8) -> String {
    match decimals {
        0 => "must be a whole number".to_owned(),
        n => format!("must have at most {n} digits after the point"),
    }
}

fn plain(text: &str, max: usize) -> Result<String, Refusal> {
    if text.chars().count() > max {
        return Err(("length", format!("must have at most {max} characters")));
    }
    if text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c)) {
        return Err(("format", "must not contain control characters".to_owned()));
    }
    Ok(text.to_owned())
}

fn day(text: &str) -> Result<Date, Refusal> {
    let day: Option<Date> = text.parse().ok().filter(|_| text.len() == 10);
    // Years before 0 have a sign, which would sort wrongly.
    day.filter(|d| d.year() >= 0)
        .ok_or_else(|| ("type", format!("`{text}` is not a day such as 2026-01-31")))
}

fn moment(text: &str) -> Result<Timestamp, Refusal> {
    text.parse().map_err(|_| {
        (
            "type",
            format!("`{text}` is not a time such as 2026-01-31T08:00:00Z"),
        )
    })
}

fn choice(field: &Field, text: &str) -> Result<String, Refusal> {
    if field.rules.options.iter().any(|option| option == text) {
        return Ok(text.to_owned());
    }
    let detail = format!("must be one of {}", field.rules.options.join(", "));
    Err(("option", detail))
}

/// The choices in the order of the options, so that the same choices are the same value.
fn choices(field: &Field, value: &Value) -> Result<Option<Value>, Refusal> {
    let items = value
        .as_array()
        .ok_or_else(|| ("type", "must be an array of texts".to_owned()))?;
    let mut chosen = Vec::with_capacity(items.len());
    for item in items {
        let text = item
            .as_str()
            .ok_or_else(|| ("type", "must be an array of texts".to_owned()))?;
        chosen.push(choice(field, text.trim())?);
    }
    let kept: Vec<Value> = field
        .rules
        .options
        .iter()
        .filter(|option| chosen.contains(option))
        .map(|option| option.clone().into())
        .collect();
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

fn url(text: &str) -> Result<String, Refusal> {
    let rule = || {
        (
            "format",
            "must be an address such as https://example.com/page".to_owned(),
        )
    };
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(rule)?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = !text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || "<>\"".contains(c));
    if host.is_empty() || !is_plain {
        return Err(rule());
    }
    plain(text, MAX_TEXT)
}

fn email(text: &str) -> Result<String, Refusal> {
    let mut check = Validation::new();
    let kept = check.email("", Some(text)).unwrap_or_default();
    check.finish(kept).map_err(|_| {
        (
            "format",
            "must be an e-mail address such as name@example.com".to_owned(),
        )
    })
}
