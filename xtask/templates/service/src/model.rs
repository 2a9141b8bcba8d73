//! __Resources__: types and rules. Pure; the types are also what the API answers with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use stoa_contracts::__service__::{
    __Resource__Archived, __Resource__Created, __Resource__Restored, __Resource__Updated,
};
use stoa_kernel::{Problem, Record, Validation};
use stoa_policy::{AttributeType, Attributes, Schema, ValueRef};
use stoa_types::__Resource__Id;

/// What conditions of grants on `__resources__:…` may ask, with the columns that answer it.
pub(crate) static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::new().with("name", AttributeType::Text, "name"));

/// __A_resource__.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct __Resource__ {
    /// Its id.
    pub id: __Resource__Id,
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What a client says of __a_resource__.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "name": "First", "description": "The one to begin with" }))]
pub struct __Resource__Input {
    /// 2 to 200 characters; unique among live __resources__.
    pub name: String,
    /// At most 1,000 characters.
    pub description: Option<String>,
}

impl __Resource__Input {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let name = check.text("/name", &self.name, 2..=200);
        let description = check.optional_text("/description", self.description.as_deref(), 1..=1_000);
        check.finish(Self { name, description })
    }
}

impl __Resource__ {
    /// __A_resource__ from checked input.
    pub(crate) fn new(id: __Resource__Id, input: __Resource__Input, record: Record) -> Self {
        Self {
            id,
            name: input.name,
            description: input.description,
            record,
        }
    }

    /// With the fields of checked input; the record is the caller's to change.
    pub(crate) fn with(&self, input: __Resource__Input) -> Self {
        Self::new(self.id, input, self.record.clone())
    }

    /// The names of the fields in which two versions differ, as in the API.
    pub(crate) fn changed_fields(&self, after: &Self) -> Vec<String> {
        [
            ("name", self.name != after.name),
            ("description", self.description != after.description),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .collect()
    }

    pub(crate) fn created(&self) -> __Resource__Created {
        __Resource__Created {
            __resource___id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn updated(&self, changed: Vec<String>) -> __Resource__Updated {
        __Resource__Updated {
            __resource___id: self.id,
            changed,
            version: self.record.version,
        }
    }

    pub(crate) fn archived(&self) -> __Resource__Archived {
        __Resource__Archived {
            __resource___id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn restored(&self) -> __Resource__Restored {
        __Resource__Restored {
            __resource___id: self.id,
            version: self.record.version,
        }
    }
}

impl Attributes for __Resource__ {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            "name" => ValueRef::Text(&self.name),
            _ => ValueRef::Null,
        }
    }
}

#[cfg(test)]
mod tests;
