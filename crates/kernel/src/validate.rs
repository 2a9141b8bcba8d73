//! [`Validation`]: gathers what a request got wrong, so that the client learns all of it at once.

mod contact;

use crate::problem::{FieldError, Problem};
use std::ops::RangeInclusive;

/// The broken rules of one request. Each method checks one field and returns its value as it is kept.
#[derive(Debug, Default)]
pub struct Validation {
    errors: Vec<FieldError>,
}

impl Validation {
    /// Nothing wrong so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A text without spaces around it, of so many characters (not bytes), without control characters.
    pub fn text(&mut self, pointer: &str, value: &str, chars: RangeInclusive<usize>) -> String {
        let value = value.trim();
        if !chars.contains(&value.chars().count()) {
            let rule = format!("must have {} to {} characters", chars.start(), chars.end());
            self.refuse(pointer, "length", rule);
        } else if value.chars().any(char::is_control) {
            self.refuse(pointer, "format", "must not contain control characters");
        }
        value.to_owned()
    }

    /// As [`Validation::text`], where an empty text means none.
    pub fn optional_text(
        &mut self,
        pointer: &str,
        value: Option<&str>,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        let value = value.map(str::trim).filter(|v| !v.is_empty())?;
        Some(self.text(pointer, value, chars))
    }

    /// A number within a range.
    pub fn number(&mut self, pointer: &str, value: i64, range: RangeInclusive<i64>) -> i64 {
        if !range.contains(&value) {
            let rule = format!("must be between {} and {}", range.start(), range.end());
            self.refuse(pointer, "range", rule);
        }
        value
    }

    /// Records a broken rule: where, a stable word for it, and the rule in words.
    pub fn refuse(&mut self, pointer: &str, rule: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, rule, detail));
    }

    /// `value`, when no rule was broken.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub fn finish<T>(self, value: T) -> Result<T, Problem> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        Err(Problem::invalid(self.errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_broken_rules_are_told_at_once() {
        let mut check = Validation::new();
        assert_eq!(check.text("/name", "  Ünïcode ", 2..=7), "Ünïcode");
        assert_eq!(check.optional_text("/sector", Some("  "), 1..=9), None);
        check.text("/city", "x", 2..=9);
        check.text("/street", "a\u{0}b", 2..=9);
        check.number("/employees", -1, 0..=10);
        let problem = check.finish(()).unwrap_err();
        let rules: Vec<_> = problem
            .errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.rule.as_str()))
            .collect();
        assert_eq!(
            rules,
            [
                ("/city", "length"),
                ("/street", "format"),
                ("/employees", "range")
            ]
        );
    }
}
