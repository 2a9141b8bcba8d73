//! The rules of users, without a database.

use super::*;
use stoa_kernel::{Actor, Clock};

fn input() -> UserInput {
    UserInput {
        name: "Nguyễn Văn Đức".to_owned(),
        email: "Duc@Acme.example".to_owned(),
        ..UserInput::default()
    }
}

fn user() -> User {
    let origin = stoa_kernel::db::Origin {
        actor: Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    let record = Record::new(&origin, &Clock::system());
    let input = input().checked().unwrap();
    User::new(UserId::new(), input, "duc".to_owned(), record)
}

fn refused(input: UserInput) -> Vec<String> {
    let problem = input.checked().err();
    problem
        .map(|p| p.errors.into_iter().map(|e| e.pointer).collect())
        .unwrap_or_default()
}

// covers: CRM-03
#[test]
fn a_new_user_has_defaults() {
    let user = user();
    assert_eq!((&*user.email, &*user.handle), ("duc@acme.example", "duc"));
    assert_eq!((user.locale, &*user.timezone), (Locale::En, "UTC"));
}

// covers: CRM-03
#[test]
fn everything_wrong_is_told_at_once() {
    let wrong = UserInput {
        name: " ".to_owned(),
        email: String::new(),
        handle: Some("a b".to_owned()),
        title: Some("x".repeat(101)),
        phone: Some("0".to_owned()),
        timezone: Some("Mars/Olympus".to_owned()),
        ..UserInput::default()
    };
    assert_eq!(
        refused(wrong),
        ["/email", "/name", "/handle", "/title", "/phone", "/timezone"]
    );
    for name in ["x".repeat(200), "ß".repeat(200)] {
        assert!(refused(UserInput { name, ..input() }).is_empty());
    }
    let name = "x".repeat(201);
    assert_eq!(refused(UserInput { name, ..input() }), ["/name"]);
}

#[test]
fn time_zones_are_kept_as_the_database_writes_them() {
    for (given, kept) in [
        ("asia/ho_chi_minh", "Asia/Ho_Chi_Minh"),
        (" Europe/Berlin ", "Europe/Berlin"),
        ("UTC", "UTC"),
    ] {
        let timezone = Some(given.to_owned());
        let checked = UserInput { timezone, ..input() }.checked().unwrap();
        assert_eq!(checked.timezone.as_deref(), Some(kept));
    }
}

#[test]
fn what_is_left_out_stays_or_is_emptied() {
    let before = User {
        title: Some("Agent".to_owned()),
        locale: Locale::Vi,
        timezone: "Asia/Ho_Chi_Minh".to_owned(),
        ..user()
    };
    let after = before.with(input().checked().unwrap());
    assert_eq!(before.changed_fields(&after), ["title"]);
    let profile = ProfileInput {
        name: "Duc".to_owned(),
        ..ProfileInput::default()
    };
    let after = before.with_profile(profile.checked().unwrap());
    assert_eq!(before.changed_fields(&after), ["name"]);
}

// covers: CRM-03
#[test]
fn a_user_is_found_by_each_word_of_the_name() {
    let words = user().words();
    for word in ["nguyen van duc", "van duc", "duc", "duc@acme.example"] {
        assert!(words.iter().any(|w| w == word), "{word} in {words:?}");
    }
    assert_eq!(words.len(), 4, "{words:?}");
    let name = "Ann Smith-Jones".to_owned();
    assert!(User { name, ..user() }.words().contains(&"jones".to_owned()));
    let name = "a ".repeat(100);
    assert_eq!(User { name, ..user() }.words().len(), MAX_NAME_WORDS + 2);
}

#[test]
fn a_period_must_not_be_empty() {
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let role = UserRoleInput {
        role_id: RoleId::new(),
        valid_from: at("2026-02-01T00:00:00Z"),
        valid_until: at("2026-01-01T00:00:00Z"),
    };
    let problem = role.clone().checked().unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/validUntil");
    let valid_until = None;
    assert!(UserRoleInput { valid_until, ..role }.checked().is_ok());
}

// covers: EV-16
#[test]
fn events_name_what_changed_but_hold_no_value_of_it() {
    let before = user();
    let after = before.with(UserInput {
        name: "Secret".to_owned(),
        phone: Some("+4930".to_owned()),
        ..input().checked().unwrap()
    });
    let changed = before.changed_fields(&after);
    assert_eq!(changed, ["name", "phone"]);
    let event = serde_json::to_string(&after.updated(changed)).unwrap();
    assert!(!event.contains("Secret") && !event.contains("4930"), "{event}");
    let created = serde_json::to_string(&after.created(true)).unwrap();
    assert!(!created.contains("Secret"), "{created}");
}
