//! Tags: free words on a customer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use stoa_kernel::{Problem, Validation};

/// The most tags of a customer, and the most characters of one.
pub(crate) const MAX_TAGS: usize = 20;
const MAX_CHARS: usize = 40;

/// A tag as it is kept and compared: lower case, single spaces.
pub(crate) fn tag_key(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// Tags in order and without repetition; what breaks a rule is told under `pointer` and its position.
pub(crate) fn checked_tags(check: &mut Validation, pointer: &str, tags: &[String]) -> Vec<String> {
    let mut kept = BTreeSet::new();
    for (position, tag) in tags.iter().enumerate() {
        let pointer = format!("{pointer}/{position}");
        let tag = tag_key(tag);
        if !(1..=MAX_CHARS).contains(&tag.chars().count()) {
            let rule = format!("must have 1 to {MAX_CHARS} characters");
            check.refuse(&pointer, "length", rule);
        } else if tag.chars().any(|c| c.is_control() || ",;|".contains(c)) {
            check.refuse(
                &pointer,
                "format",
                "must not contain control characters or any of , ; |",
            );
        }
        kept.insert(tag);
    }
    if kept.len() > MAX_TAGS {
        check.refuse(
            pointer,
            "length",
            format!("a customer has at most {MAX_TAGS} tags"),
        );
    }
    kept.into_iter().collect()
}

/// Tags to put on a customer and to take off.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(example = &serde_json::json!({ "add": ["vip"], "remove": ["cold"] }))]
#[schemars(rename = "CustomerTagChange")]
pub struct TagChange {
    /// To put on; one that is there already stays.
    pub add: Vec<String>,
    /// To take off; one that is not there is skipped.
    pub remove: Vec<String>,
}

impl TagChange {
    /// Tidies both lists.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(&self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let checked = Self {
            add: checked_tags(&mut check, "/add", &self.add),
            remove: checked_tags(&mut check, "/remove", &self.remove),
        };
        check.finish(checked)
    }

    /// The tags after the change.
    ///
    /// # Errors
    /// 422 when they are too many.
    pub(crate) fn of(&self, tags: &[String]) -> Result<Vec<String>, Problem> {
        let left = tags.iter().filter(|tag| !self.remove.contains(tag));
        let all: Vec<String> = left.chain(&self.add).cloned().collect();
        let mut check = Validation::new();
        let tags = checked_tags(&mut check, "/add", &all);
        check.finish(tags)
    }
}

/// A tag and how many of the customers that the caller sees have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerTagCount")]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// How many customers have it.
    pub customers: i64,
}

/// The tags in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CustomerTagsInUse")]
pub struct TagsInUse {
    /// In alphabetical order, at most 1,000.
    pub items: Vec<TagCount>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[&str]) -> Vec<String> {
        list.iter().map(|t| (*t).to_owned()).collect()
    }

    // covers: CRM-04
    #[test]
    fn tags_are_tidied_sorted_and_told_once() {
        let mut check = Validation::new();
        let kept = checked_tags(
            &mut check,
            "/tags",
            &tags(&[" VIP ", "key  account", "vip", "Đà Nẵng"]),
        );
        assert!(check.finish(()).is_ok());
        assert_eq!(kept, ["key account", "vip", "đà nẵng"]);
    }

    // covers: CRM-04
    #[test]
    fn what_is_wrong_with_a_tag_is_pointed_at() {
        let mut check = Validation::new();
        checked_tags(&mut check, "/tags", &tags(&["ok", " ", "a,b", &"x".repeat(41)]));
        let errors = check.finish(()).unwrap_err().errors;
        let found: Vec<_> = errors.iter().map(|e| (&*e.pointer, &*e.rule)).collect();
        assert_eq!(
            found,
            [
                ("/tags/1", "length"),
                ("/tags/2", "format"),
                ("/tags/3", "length")
            ]
        );
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        let mut check = Validation::new();
        checked_tags(&mut check, "/tags", &many);
        assert_eq!(check.finish(()).unwrap_err().errors[0].pointer, "/tags");
    }

    // covers: CRM-04
    #[test]
    fn a_change_adds_and_removes() {
        let change = TagChange {
            add: tags(&["new", "vip"]),
            remove: tags(&["cold", "gone"]),
        };
        assert_eq!(change.of(&tags(&["cold", "vip"])).unwrap(), ["new", "vip"]);
    }
}
