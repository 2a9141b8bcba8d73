//! The rules of interactions, without a database.

use super::*;
use jiff::ToSpan;
use stoa_contracts::customer::SeenCustomer;
use stoa_kernel::{Actor, Clock};

fn input(kind: InteractionKind) -> InteractionInput {
    InteractionInput {
        kind,
        subject: "Renewal".to_owned(),
        body: String::new(),
        occurred_at: None,
        duration_minutes: None,
        direction: None,
        customer_id: Some(CustomerId::new()),
        contact_ids: Vec::new(),
    }
}

fn checked(input: InteractionInput) -> Result<InteractionInput, Vec<(String, String)>> {
    let told = |p: Problem| p.errors.into_iter().map(|e| (e.pointer, e.rule)).collect();
    input.checked(Clock::system().now()).map_err(told)
}

fn record() -> Record {
    let origin = stoa_kernel::db::Origin {
        actor: Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    };
    Record::new(&origin, &Clock::system())
}

fn seen(id: CustomerId, archived: bool) -> SeenCustomer {
    SeenCustomer {
        id,
        owner_id: UserId::new(),
        branch_id: BranchId::new(),
        archived,
    }
}

fn logged(input: InteractionInput, facts: Facts) -> Result<Interaction, Problem> {
    Interaction::new(input, facts, UserId::new(), Some(BranchId::new()), record())
}

// covers: CRM-05
#[test]
fn each_field_has_its_rule() {
    let now = Clock::system().now();
    let call = input(InteractionKind::Call);
    let (note, same) = (input(InteractionKind::Note), ContactId::new());
    let year = 8_784.hours();
    for (bad, pointer, rule) in [
        (
            InteractionInput {
                subject: " ".to_owned(),
                ..call.clone()
            },
            "/subject",
            "length",
        ),
        (
            InteractionInput {
                subject: "x".repeat(201),
                ..call.clone()
            },
            "/subject",
            "length",
        ),
        (
            InteractionInput {
                body: "é".repeat(20_001),
                ..call.clone()
            },
            "/body",
            "length",
        ),
        (
            InteractionInput {
                body: "a\u{0}b".to_owned(),
                ..call.clone()
            },
            "/body",
            "format",
        ),
        (
            InteractionInput {
                duration_minutes: Some(-1),
                ..call.clone()
            },
            "/durationMinutes",
            "range",
        ),
        (
            InteractionInput {
                duration_minutes: Some(10_081),
                ..call.clone()
            },
            "/durationMinutes",
            "range",
        ),
        (
            InteractionInput {
                direction: Some(Direction::In),
                ..note.clone()
            },
            "/direction",
            "kind",
        ),
        (
            InteractionInput {
                customer_id: None,
                ..note.clone()
            },
            "/customerId",
            "required",
        ),
        (
            InteractionInput {
                contact_ids: vec![same, same],
                ..note.clone()
            },
            "/contactIds/1",
            "unique",
        ),
        (
            InteractionInput {
                occurred_at: Some(Timestamp::MIN),
                ..note.clone()
            },
            "/occurredAt",
            "range",
        ),
        (
            InteractionInput {
                occurred_at: Some(now + year + 1.hour()),
                ..note.clone()
            },
            "/occurredAt",
            "range",
        ),
    ] {
        let expected = vec![(pointer.to_owned(), rule.to_owned())];
        assert_eq!(checked(bad.clone()).unwrap_err(), expected, "{bad:?}");
    }
    let many = (0..21).map(|_| ContactId::new()).collect();
    let many = InteractionInput {
        contact_ids: many,
        ..note
    };
    assert_eq!(checked(many).unwrap_err()[0].1, "length");
    let good = InteractionInput {
        body: "line\r\n\tline".to_owned(),
        direction: Some(Direction::Out),
        duration_minutes: Some(0),
        occurred_at: Some(now - 1.hour()),
        ..call
    };
    assert_eq!(checked(good).unwrap().body, "line\r\n\tline");
}

#[test]
fn what_is_named_must_be_there_and_in_sight() {
    let (customer, known, unknown) = (CustomerId::new(), ContactId::new(), ContactId::new());
    let named = InteractionInput {
        customer_id: Some(customer),
        contact_ids: vec![known, unknown],
        ..input(InteractionKind::Note)
    };
    let contacts = vec![FoundContact {
        id: known,
        branch: BranchId::new(),
    }];
    let told = |seen| {
        let facts = Facts {
            seen,
            contacts: contacts.clone(),
            ..Facts::default()
        };
        let errors = logged(named.clone(), facts).unwrap_err().errors;
        errors
            .into_iter()
            .map(|e| (e.pointer, e.rule))
            .collect::<Vec<_>>()
    };
    let contact = ("/contactIds/1".to_owned(), "unknown".to_owned());
    let customer_is = |rule: &str| ("/customerId".to_owned(), rule.to_owned());
    assert_eq!(told(None), [contact.clone(), customer_is("unknown")]);
    assert_eq!(
        told(Some(seen(customer, true))),
        [contact.clone(), customer_is("archived")]
    );
    assert_eq!(told(Some(seen(customer, false))), [contact]);
}

// covers: CRM-05
#[test]
fn it_concerns_the_named_customer_or_else_those_of_its_contacts() {
    let (customer, first, second) = (CustomerId::new(), CustomerId::new(), CustomerId::new());
    let contact = FoundContact {
        id: ContactId::new(),
        branch: BranchId::new(),
    };
    let facts = Facts {
        seen: Some(seen(customer, false)),
        contacts: vec![contact],
        linked: vec![first, second],
        ..Facts::default()
    };
    let of_contact = InteractionInput {
        customer_id: None,
        contact_ids: vec![contact.id],
        ..input(InteractionKind::Call)
    };
    let named = InteractionInput {
        customer_id: Some(customer),
        ..of_contact.clone()
    };
    assert_eq!(
        logged(named.clone(), facts.clone()).unwrap().customer_ids,
        [customer]
    );
    let unnamed = Facts {
        seen: None,
        ..facts.clone()
    };
    let interaction = logged(of_contact.clone(), unnamed.clone()).unwrap();
    assert_eq!(interaction.customer_ids, [first, second]);

    // Links that change later move nothing, and what was named stays although it is out of sight now.
    let same = interaction.with(of_contact.clone(), Facts::default()).unwrap();
    assert_eq!(same, interaction);
    let moved = interaction.with(named, facts).unwrap();
    assert_eq!(moved.customer_ids, [customer]);
    assert_eq!(interaction.changed_fields(&moved), ["customerId"]);
    let told = moved.updated(&interaction, Vec::new()).customers;
    assert_eq!(told.len(), 3, "the customers of before and of now");

    let many = Facts {
        linked: (0..21).map(|_| CustomerId::new()).collect(),
        ..unnamed
    };
    assert_eq!(
        logged(of_contact, many).unwrap_err().errors[0].pointer,
        "/customerId"
    );
}

#[test]
fn the_branch_is_the_authors_else_the_customers_else_the_contacts() {
    let customer = seen(CustomerId::new(), false);
    let contact = FoundContact {
        id: ContactId::new(),
        branch: BranchId::new(),
    };
    let both = InteractionInput {
        customer_id: Some(customer.id),
        contact_ids: vec![contact.id],
        ..input(InteractionKind::Note)
    };
    let facts = Facts {
        seen: Some(customer),
        contacts: vec![contact],
        ..Facts::default()
    };
    let own = BranchId::new();
    let branch_of = |input: &InteractionInput, branch| {
        let made = Interaction::new(input.clone(), facts.clone(), UserId::new(), branch, record());
        made.unwrap().branch_id
    };
    assert_eq!(branch_of(&both, Some(own)), own);
    assert_eq!(branch_of(&both, None), customer.branch_id);
    let facts = Facts {
        seen: None,
        ..facts.clone()
    };
    let alone = InteractionInput {
        customer_id: None,
        ..both
    };
    let made = Interaction::new(alone, facts, UserId::new(), None, record());
    assert_eq!(made.unwrap().branch_id, contact.branch);
}

// covers: EV-16
#[test]
fn mentions_follow_the_body_and_events_hold_no_text() {
    let (ann, bob) = (UserId::new(), UserId::new());
    let mention = |user_id, handle: &str| Mention {
        user_id,
        handle: handle.to_owned(),
    };
    let customer = CustomerId::new();
    let says = |body: &str| InteractionInput {
        body: body.to_owned(),
        customer_id: Some(customer),
        ..input(InteractionKind::Note)
    };
    let facts = |mentions: &[Mention]| Facts {
        seen: Some(seen(customer, false)),
        mentions: mentions.to_vec(),
        ..Facts::default()
    };
    let before = logged(says("secret @ann"), facts(&[mention(ann, "ann")])).unwrap();
    assert!(before.mentions(ann) && !before.mentions(bob));
    let same = before.with(says("secret @ann"), facts(&[])).unwrap();
    assert_eq!(
        same.mentions, before.mentions,
        "handles are looked at when the body changes"
    );
    let both = [mention(ann, "ann"), mention(bob, "bob")];
    let after = before.with(says("secret @ann @bob"), facts(&both)).unwrap();
    let changed = before.changed_fields(&after);
    assert_eq!(changed, ["body"]);
    let event = after.updated(&before, changed);
    assert_eq!(
        event.mentions,
        [bob],
        "who was mentioned before is not told again"
    );
    for event in [
        serde_json::to_string(&event).unwrap(),
        serde_json::to_string(&before.logged()).unwrap(),
    ] {
        assert!(
            !event.contains("secret") && !event.contains("Renewal") && !event.contains("ann\""),
            "{event}"
        );
    }
}
