//! Users and teams: what the user service tells and answers.
//!
//! A user is a person: events carry ids and the names of changed fields, never a value (EV-16). Who needs a name or an
//! address asks with [`GetUser`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stoa_kernel::{Call, Event};
use stoa_types::{TeamId, UserId};
use uuid::Uuid;

/// The topic of every event here.
pub const TOPIC: &str = "domain.user.events";

/// A user was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserCreated {
    /// The user.
    pub user_id: UserId,
    /// Whether identity invites them by e-mail to choose a password.
    pub invite: bool,
    /// Its version: 1.
    pub version: i64,
}

/// Fields of a user were changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUpdated {
    /// The user.
    pub user_id: UserId,
    /// The names of the changed fields, as in the API; their values are read with [`GetUser`].
    pub changed: Vec<String>,
    /// Its version after the change.
    pub version: i64,
}

/// A user was archived: no sign-in from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserArchived {
    /// The user.
    pub user_id: UserId,
    /// Its version after the change.
    pub version: i64,
}

/// An archived user is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRestored {
    /// The user.
    pub user_id: UserId,
    /// Its version after the change.
    pub version: i64,
}

/// A team was created, changed its name or its members, was archived or restored. It tells the whole state, so that a
/// reader who keeps the highest version is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamChanged {
    /// The team.
    pub team_id: TeamId,
    /// Its members, at most [`MAX_TEAM`]; empty when archived.
    pub members: Vec<UserId>,
    /// Whether it is archived.
    pub archived: bool,
    /// Its version after the change.
    pub version: i64,
}

/// The most members of a team.
pub const MAX_TEAM: usize = 500;

macro_rules! user_events {
    ($($name:ident = $verb:literal;)+) => {$(
        impl Event for $name {
            const TOPIC: &'static str = TOPIC;
            const TYPE: &'static str = concat!("dev.stoa.user.user.", $verb, ".v1");
            const AGGREGATE: &'static str = "user";

            fn aggregate_id(&self) -> Uuid {
                self.user_id.uuid()
            }

            fn aggregate_version(&self) -> i64 {
                self.version
            }
        }
    )+};
}

user_events! {
    UserCreated = "created";
    UserUpdated = "updated";
    UserArchived = "archived";
    UserRestored = "restored";
}

impl Event for TeamChanged {
    const TOPIC: &'static str = TOPIC;
    const TYPE: &'static str = "dev.stoa.user.team.changed.v1";
    const AGGREGATE: &'static str = "team";

    fn aggregate_id(&self) -> Uuid {
        self.team_id.uuid()
    }

    fn aggregate_version(&self) -> i64 {
        self.version
    }
}

/// Reads a user of the scope's tenant, archived or not; 404 when there is none. For services, not for users: the
/// caller's own rights are not asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetUser {
    /// The user.
    pub id: UserId,
}

/// The answer to [`GetUser`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserCard {
    /// The user.
    pub id: UserId,
    /// The sign-in name, in lower case.
    pub email: String,
    /// The display name.
    pub name: String,
    /// The language of mails, `en` or `vi`.
    pub locale: String,
    /// Whether it is archived.
    pub archived: bool,
    /// The version that this is.
    pub version: i64,
}

/// Keeps personal data out of logs.
impl std::fmt::Debug for UserCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserCard")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Call for GetUser {
    const SERVICE: &'static str = "user";
    const NAME: &'static str = "user.get_user";
    type Reply = UserCard;
}

/// Finds live users of the scope's tenant by id, e-mail address, handle (`@alice` or `alice`) or exact name (case and
/// accents do not count), in this order of preference; a name that two users have finds neither.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindUsers {
    /// At most 1,000.
    pub keys: Vec<String>,
}

/// The answer to [`FindUsers`]: for each key in its order the user, or none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundUsers {
    /// As many as keys.
    pub users: Vec<Option<UserId>>,
}

impl Call for FindUsers {
    const SERVICE: &'static str = "user";
    const NAME: &'static str = "user.find_users";
    type Reply = FoundUsers;
}

/// Creates users without an invitation, for seeds and imports by the platform; ids that exist are skipped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportUsers {
    /// At most 1,000.
    pub users: Vec<NewUser>,
}

/// One user to import.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The sign-in name.
    pub email: String,
    /// The display name, 1 to 200 characters.
    pub name: String,
    /// The position, such as `Sales agent`.
    pub title: Option<String>,
}

/// Keeps personal data out of logs.
impl std::fmt::Debug for NewUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewUser")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Call for ImportUsers {
    const SERVICE: &'static str = "user";
    const NAME: &'static str = "user.import_users";
    const BUDGET: std::time::Duration = std::time::Duration::from_secs(10);
    type Reply = crate::Done;
}

/// Creates a team or replaces its name and members, for seeds and imports by the platform.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportTeam {
    /// The id.
    pub id: TeamId,
    /// The name, unique among the live teams of the tenant.
    pub name: String,
    /// Its members, at most [`MAX_TEAM`].
    pub members: Vec<UserId>,
}

impl Call for ImportTeam {
    const SERVICE: &'static str = "user";
    const NAME: &'static str = "user.import_team";
    type Reply = crate::Done;
}
