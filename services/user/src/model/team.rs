//! Teams of users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use stoa_contracts::user::{MAX_TEAM, TeamChanged};
use stoa_kernel::{Problem, Record, Validation};
use stoa_policy::{Attributes, Schema, ValueRef};
use stoa_types::{TeamId, UserId};

/// Teams have no owner and no branch: only grants with the scope `all` reach them.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(Schema::new);

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// How many members it has. `GET /api/users?teamId=` lists them.
    pub member_count: i64,
    /// Its changes.
    #[serde(flatten)]
    pub record: Record,
}

/// A team with its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamWithMembers {
    /// The team.
    #[serde(flatten)]
    pub team: Team,
    /// Its members' ids, in their order.
    pub member_ids: Vec<UserId>,
}

/// What a client says of a team.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "name": "Sales East", "description": "The east of the country" }))]
pub struct TeamInput {
    /// 1 to 200 characters; unique among live teams.
    pub name: String,
    /// At most 1,000 characters.
    pub description: Option<String>,
}

/// The members of a team.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "memberIds": [] }))]
pub struct MembersInput {
    /// Live users, at most 500.
    pub member_ids: BTreeSet<UserId>,
}

impl TeamInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let name = check.text("/name", &self.name, 1..=200);
        let description = check.optional_text("/description", self.description.as_deref(), 1..=1_000);
        check.finish(Self { name, description })
    }
}

impl MembersInput {
    /// Checks their number.
    ///
    /// # Errors
    /// 422 when there are too many.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        if self.member_ids.len() > MAX_TEAM {
            let rule = format!("a team has at most {MAX_TEAM} members; make several teams");
            check.refuse("/memberIds", "length", rule);
        }
        check.finish(self)
    }
}

impl Team {
    /// An empty team from checked input.
    pub(crate) fn new(id: TeamId, input: TeamInput, record: Record) -> Self {
        Self {
            id,
            name: input.name,
            description: input.description,
            member_count: 0,
            record,
        }
    }

    /// With the fields of checked input; the record is the caller's to change.
    pub(crate) fn with(&self, input: TeamInput) -> Self {
        Self {
            name: input.name,
            description: input.description,
            ..self.clone()
        }
    }

    /// With so many members.
    pub(crate) fn counting(self, members: &BTreeSet<UserId>) -> Self {
        Self {
            member_count: i64::try_from(members.len()).unwrap_or(i64::MAX),
            ..self
        }
    }

    /// The team as it is now, for who keeps copies.
    pub(crate) fn changed(&self, members: &BTreeSet<UserId>) -> TeamChanged {
        let archived = self.record.is_archived();
        TeamChanged {
            team_id: self.id,
            members: if archived {
                Vec::new()
            } else {
                members.iter().copied().collect()
            },
            archived,
            version: self.record.version,
        }
    }

    /// As the API answers.
    pub(crate) fn with_members(self, members: BTreeSet<UserId>) -> TeamWithMembers {
        TeamWithMembers {
            team: self.counting(&members),
            member_ids: members.into_iter().collect(),
        }
    }
}

impl Attributes for Team {
    fn attribute(&self, _name: &str) -> ValueRef<'_> {
        ValueRef::Null
    }
}
