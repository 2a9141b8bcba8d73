//! Accounts follow the users of the user service: who they are comes from there, how they sign in is decided here.

pub(crate) mod store;
mod sync;

pub(crate) use sync::{consumer, worker};

use crate::mail::Kind;
use stoa_contracts::user::UserCard;

/// An account as it is kept, as far as following its user needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) email: String,
    pub(crate) has_password: bool,
    pub(crate) user_version: i64,
    pub(crate) invite: bool,
    pub(crate) pending_email: Option<String>,
    pub(crate) is_archived: bool,
}

/// What an account becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Followed {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) locale: String,
    pub(crate) user_version: i64,
    pub(crate) invite: bool,
    pub(crate) pending_email: Option<String>,
    /// Set when the address changes: where the notice goes.
    pub(crate) former_email: Option<String>,
    pub(crate) is_archived: bool,
}

/// What following a user does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The account's new state.
    pub(crate) account: Followed,
    /// Whether the address must be free.
    pub(crate) takes_email: bool,
    /// The mails to send.
    pub(crate) mails: Vec<Kind>,
}

/// Decides what an account becomes when its user is as `card` says; `None` when nothing changes. `invite` is what the
/// creation of the user asked for, and may be told after a later version was followed already.
#[must_use]
pub(crate) fn follow(known: Option<&Known>, card: &UserCard, invite: bool) -> Option<Plan> {
    let Some(known) = known else {
        let wanted = invite && !card.archived;
        return Some(Plan {
            account: Followed {
                email: card.email.clone(),
                name: card.name.clone(),
                locale: card.locale.clone(),
                user_version: card.version,
                invite,
                pending_email: None,
                former_email: None,
                is_archived: card.archived,
            },
            takes_email: !card.archived,
            mails: if wanted { vec![Kind::Invitation] } else { vec![] },
        });
    };
    let late_invitation = invite && !known.invite;
    if card.version <= known.user_version && !late_invitation {
        return None;
    }
    let mut account = Followed {
        email: known.email.clone(),
        name: card.name.clone(),
        locale: card.locale.clone(),
        user_version: card.version.max(known.user_version),
        invite: known.invite || invite,
        pending_email: None,
        former_email: None,
        is_archived: card.archived,
    };
    let mut mails = Vec::new();
    let changes = card.email != known.email;
    let waits = account.invite && !known.has_password && !card.archived;
    if waits && (late_invitation || changes || known.is_archived) {
        mails.push(Kind::Invitation);
    }
    if changes && !known.has_password {
        // Nobody has signed in with the old address.
        account.email.clone_from(&card.email);
    } else if changes && !card.archived {
        // Who is archived is asked to confirm it once they are back.
        account.pending_email = Some(card.email.clone());
        if known.pending_email.as_deref() != Some(card.email.as_str()) {
            account.former_email = Some(known.email.clone());
            mails.extend([Kind::Verification, Kind::EmailChange]);
        }
    }
    Some(Plan {
        takes_email: !card.archived && (changes || known.is_archived),
        account,
        mails,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::UserId;

    fn card(email: &str, version: i64) -> UserCard {
        UserCard {
            id: UserId::new(),
            email: email.into(),
            name: "Ada".into(),
            locale: "vi".into(),
            archived: false,
            version,
        }
    }

    fn known() -> Known {
        Known {
            email: "ada@example.com".into(),
            has_password: true,
            user_version: 3,
            invite: true,
            pending_email: None,
            is_archived: false,
        }
    }

    #[test]
    fn the_highest_version_wins_and_an_invitation_is_never_lost() {
        assert_eq!(follow(Some(&known()), &card("new@example.com", 3), false), None);
        let first = follow(None, &card("ada@example.com", 1), true).unwrap();
        assert_eq!((first.mails, first.takes_email), (vec![Kind::Invitation], true));
        assert!(
            follow(None, &card("ada@example.com", 1), false)
                .unwrap()
                .mails
                .is_empty()
        );
        // The creation is heard of after a later change.
        let waiting = Known {
            has_password: false,
            invite: false,
            ..known()
        };
        let late = follow(Some(&waiting), &card("ada@example.com", 3), true).unwrap();
        assert_eq!(
            (late.mails, late.account.user_version),
            (vec![Kind::Invitation], 3)
        );
        // Who has a password needs no invitation.
        let active = Known {
            invite: false,
            ..known()
        };
        assert!(
            follow(Some(&active), &card("ada@example.com", 3), true)
                .unwrap()
                .mails
                .is_empty()
        );
    }

    #[test]
    fn an_address_in_use_changes_only_once_the_new_one_is_verified() {
        let plan = follow(Some(&known()), &card("new@example.com", 4), false).unwrap();
        assert_eq!(plan.account.email, "ada@example.com");
        assert_eq!(plan.account.pending_email.as_deref(), Some("new@example.com"));
        assert_eq!(plan.account.former_email.as_deref(), Some("ada@example.com"));
        assert_eq!(plan.mails, [Kind::Verification, Kind::EmailChange]);
        // The same again, for another reason, sends nothing twice; and back again asks for nothing.
        let pending = Known {
            pending_email: Some("new@example.com".into()),
            ..known()
        };
        assert!(
            follow(Some(&pending), &card("new@example.com", 5), false)
                .unwrap()
                .mails
                .is_empty()
        );
        let back = follow(Some(&pending), &card("ada@example.com", 5), false).unwrap();
        assert_eq!((back.account.pending_email, back.mails.len()), (None, 0));
    }

    #[test]
    fn who_never_signed_in_is_invited_at_the_new_address() {
        let waiting = Known {
            has_password: false,
            ..known()
        };
        let plan = follow(Some(&waiting), &card("new@example.com", 4), false).unwrap();
        assert_eq!(
            (plan.account.email.as_str(), plan.account.pending_email),
            ("new@example.com", None)
        );
        assert_eq!(plan.mails, [Kind::Invitation]);
    }

    #[test]
    fn archived_users_get_no_mail_and_confirm_nothing() {
        let mut gone = card("new@example.com", 4);
        gone.archived = true;
        let plan = follow(Some(&known()), &gone, false).unwrap();
        assert!(plan.account.is_archived && plan.mails.is_empty() && !plan.takes_email);
        // Being archived for a while confirms no address.
        assert_eq!(
            (plan.account.email.as_str(), plan.account.pending_email),
            ("ada@example.com", None)
        );
        let gone = Known {
            is_archived: true,
            user_version: 4,
            ..known()
        };
        let back = follow(Some(&gone), &card("new@example.com", 5), false).unwrap();
        assert_eq!(back.account.email, "ada@example.com");
        assert_eq!(back.account.pending_email.as_deref(), Some("new@example.com"));
        assert_eq!(back.mails, [Kind::Verification, Kind::EmailChange]);
        let archived = Known {
            is_archived: true,
            ..known()
        };
        let back = follow(Some(&archived), &card("ada@example.com", 5), false).unwrap();
        assert!(!back.account.is_archived && back.takes_email);
        // Who was archived before the invitation left gets it when they come back.
        let waiting = Known {
            has_password: false,
            ..archived
        };
        let back = follow(Some(&waiting), &card("ada@example.com", 5), false).unwrap();
        assert_eq!(back.mails, [Kind::Invitation]);
    }
}
