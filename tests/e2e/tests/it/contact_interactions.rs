//! Calls, meetings, e-mails and notes: their life, whom they mention, who sees them, and the customer's timeline.

use crate::api::{Answer, Api, send};
use crate::contact::{create, customer, events};
use crate::conventions::assert_invalid;
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;
use uuid::Uuid;

const PATH: &str = "/api/interactions";

async fn log(api: &Api, fields: Value) -> Answer {
    let mut body = json!({ "kind": "note", "subject": "Renewal" });
    body.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    let logged = api.post(PATH, &body).await;
    assert_eq!(logged.status, 201, "{logged:?}");
    logged
}

fn user(api: &Api) -> String {
    api.tokens.claims().unwrap()["sub"].as_str().unwrap().to_owned()
}

/// What a list shows, by subject.
async fn subjects(api: &Api, query: &str) -> Vec<String> {
    let page = api.get(&format!("{PATH}?{query}")).await;
    let subject = |item: &Value| item["subject"].as_str().unwrap_or_default().to_owned();
    page.items().iter().map(subject).collect()
}

/// A customer's timeline as it is after a command, without those entries that were there before the test.
async fn timeline(api: &Api, customer: &str, after: &Answer) -> Vec<Value> {
    let path = format!("/api/customers/{customer}/activities?sort=at&limit=100");
    let request = api.request(Method::GET, &path);
    let page = send(request.header("stoa-after", after.header("stoa-commit"))).await;
    assert_eq!(page.status, 200, "{page:?}");
    let kinds = ["contact", "interaction"];
    let entries = page
        .items()
        .iter()
        .filter(|e| kinds.iter().any(|k| e["kind"].as_str().unwrap().starts_with(k)));
    entries.cloned().collect()
}

journeys! {
    // covers: CRM-05
    async fn the_life_of_one(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let customer = customer(&alice).await;
        let jane = create(&alice, &json!({ "name": "Jane" })).await;
        let call = json!({
            "kind": "call", "subject": "Renewal", "body": "Wants an offer.\nBy Friday.", "direction": "in",
            "occurredAt": "2026-01-02T03:04:05Z", "durationMinutes": 15, "customerId": customer, "contactIds": [jane["id"]]
        });
        let created = alice.post_once(PATH, "log-it", &call).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(alice.post_once(PATH, "log-it", &call).await.body, created.body, "a replay logs no second one");
        for (field, value) in call.as_object().unwrap() {
            assert_eq!(&created.body[field], value, "{field}");
        }
        assert_eq!((&created.body["ownerId"], &created.body["customerIds"]), (&json!(user(&alice)), &json!([customer])));
        let (path, etag) = (created.header("location"), created.header("etag"));
        assert_eq!(alice.get(path).await.body, created.body);
        let unchanged = send(alice.request(Method::GET, path).header("if-none-match", etag)).await;
        assert_eq!(unchanged.status, 304);

        let fields = json!({ "kind": "meeting", "subject": "Offer", "customerId": customer });
        let changed = alice.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((changed.status, &changed.body["body"]), (200, &json!("")), "{changed:?}");
        assert_eq!((&changed.body["occurredAt"], &changed.body["contactIds"]), (&call["occurredAt"], &json!([])));
        alice.change(Method::PUT, path, etag, &fields).await.assert_problem(412, "request.stale");
        send(alice.request(Method::PUT, path).json(&fields)).await.assert_problem(428, "request.version_required");
        let etag = changed.header("etag");
        let same = alice.change(Method::PUT, path, etag, &fields).await;
        assert_eq!((same.status, same.header("etag")), (200, etag), "what says the same changes nothing");
        assert_eq!(alice.get(path).await.body, same.body);

        let delete = || alice.request(Method::DELETE, path).header("idempotency-key", "gone");
        assert_eq!(send(delete().header("if-match", etag)).await.status, 204);
        assert_eq!(send(delete().header("if-match", etag)).await.status, 204, "a replay");
        alice.delete(path).await.assert_problem(404, "request.not_found");
        alice.get(path).await.assert_problem(404, "request.not_found");
        alice.change(Method::PUT, path, "*", &fields).await.assert_problem(404, "request.not_found");
        assert_eq!(subjects(&alice, "").await, [""; 0]);

        let id = created.body["id"].as_str().unwrap().parse().unwrap();
        let told = ["logged", "updated", "deleted"].map(|verb| format!("dev.stoa.contact.interaction.{verb}.v1"));
        assert_eq!(events(platform, id).await, told);
    }

    // covers: CRM-05
    async fn lists(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let customer = customer(&alice).await;
        let jane = create(&alice, &json!({ "name": "Jane" })).await["id"].clone();
        for (subject, kind, at, contacts) in [
            ("first", "call", "2026-01-01T00:00:00Z", json!([])),
            ("third", "note", "2026-03-01T00:00:00Z", json!([jane])),
            ("second", "call", "2026-02-01T00:00:00Z", json!([jane])),
        ] {
            log(&alice, json!({
                "subject": subject, "kind": kind, "occurredAt": at, "contactIds": contacts, "customerId": customer
            })).await;
        }
        for (query, expected) in [
            ("".to_owned(), vec!["third", "second", "first"]),
            ("sort=occurredAt".to_owned(), vec!["first", "second", "third"]),
            (format!("customerId={customer}"), vec!["third", "second", "first"]),
            (format!("contactId={}", jane.as_str().unwrap()), vec!["third", "second"]),
            ("kind=call".to_owned(), vec!["second", "first"]),
            ("from=2026-02-01T00:00:00Z".to_owned(), vec!["third", "second"]),
            ("to=2026-02-01T00:00:00Z".to_owned(), vec!["first"]),
            ("from=2026-01-15T00:00:00Z&to=2026-02-15T00:00:00Z&kind=call".to_owned(), vec!["second"]),
            ("mentioned=me".to_owned(), vec![]),
            ("dataScope=own".to_owned(), vec!["third", "second", "first"]),
        ] {
            assert_eq!(subjects(&alice, &query).await, expected, "{query}");
        }
        let page = alice.get(&format!("{PATH}?limit=2&fields=subject")).await;
        assert_eq!(page.items()[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "subject"]);
        let cursor = page.body["nextCursor"].as_str().expect("a next page");
        assert_eq!(subjects(&alice, &format!("limit=2&cursor={cursor}")).await, ["first"]);
        assert_invalid(&alice.get(&format!("{PATH}?sort=subject")).await, "sort", "unknown");
        assert_invalid(&alice.get(&format!("{PATH}?fields=colour")).await, "fields", "unknown");
        for bad in ["kind=sms", "mentioned=bob", "from=yesterday"] {
            let answer = alice.get(&format!("{PATH}?{bad}")).await;
            assert!(matches!(answer.status, 400 | 422), "{bad}: {answer:?}");
        }
    }

    // covers: CRM-05
    async fn who_is_mentioned_and_who_sees_it(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        let customer = customer(&alice).await;
        let about = json!({ "customerId": customer });
        let (of_customer, me) = (format!("customerId={customer}"), "mentioned=me");

        // The author's, those above see it, others not.
        let path = log(&alice, about.clone()).await.header("location").to_owned();
        assert_eq!(manager.get(&path).await.status, 200);
        for other in [&bob, &stranger] {
            other.get(&path).await.assert_problem(404, "request.not_found");
            other.delete(&path).await.assert_problem(404, "request.not_found");
            other.get(&format!("{PATH}?{of_customer}")).await.assert_problem(404, "request.not_found");
            assert_eq!(subjects(other, "").await, [""; 0]);
        }

        // Bob is mentioned: he reads it, and no more.
        let body = "Ask @Bob, (@nobody-here) or bob@acme.test; not x@bob.";
        let fields = json!({ "kind": "note", "subject": "Renewal", "body": body, "customerId": customer });
        let changed = alice.change(Method::PUT, &path, "*", &fields).await;
        assert_eq!(changed.body["mentions"], json!([{ "userId": user(&bob), "handle": "bob" }]), "{changed:?}");
        assert_eq!(bob.get(&path).await.body, changed.body);
        assert_eq!((subjects(&bob, me).await, subjects(&bob, "").await), (vec!["Renewal".to_owned()], vec![]));
        assert_eq!(subjects(&bob, "mentioned=me&dataScope=own").await, [""; 0]);
        bob.change(Method::PUT, &path, "*", &fields).await.assert_problem(403, "auth.forbidden");
        bob.delete(&path).await.assert_problem(403, "auth.forbidden");
        bob.get(&format!("{PATH}?mentioned=me&{of_customer}")).await.assert_problem(404, "request.not_found");
        stranger.get(&path).await.assert_problem(404, "request.not_found");
        let quiet = alice.change(Method::PUT, &path, "*", &json!({ "kind": "note", "subject": "Renewal", "customerId": customer })).await;
        assert_eq!(quiet.body["mentions"], json!([]));
        bob.get(&path).await.assert_problem(404, "request.not_found");
        assert_eq!(subjects(&bob, me).await, [""; 0]);

        // Who sees the customer sees what others logged about it, and may not change it.
        let theirs = log(&manager, json!({ "subject": "Hint", "customerId": customer })).await;
        let path = theirs.header("location");
        assert_eq!(alice.get(path).await.body, theirs.body);
        assert_eq!(subjects(&alice, &of_customer).await, ["Hint", "Renewal"]);
        assert_eq!(subjects(&alice, "").await, ["Renewal"]);
        assert_eq!(subjects(&alice, &format!("{of_customer}&dataScope=own")).await, ["Renewal"]);
        alice.delete(path).await.assert_problem(403, "auth.forbidden");
        bob.get(path).await.assert_problem(404, "request.not_found");
    }

    // covers: CRM-05, AZ-01
    async fn a_denial_holds_whatever_else_shows_it(platform: &mut Platform) {
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let customer = customer(&alice).await;
        let logged = async |kind: &str| {
            let fields = json!({ "kind": kind, "subject": kind, "body": "@alice", "customerId": customer });
            log(&admin, fields).await.header("location").to_owned()
        };
        let (call, note) = (logged("call").await, logged("note").await);
        for path in [&call, &note] {
            assert_eq!(alice.get(path).await.status, 200);
        }
        let roles = admin.get("/api/iam/roles?limit=100").await;
        let role = roles.items().iter().find(|role| role["name"] == "representative").expect("the role");
        let grants = format!("/api/iam/roles/{}/grants", role["id"].as_str().unwrap());
        let condition = json!({ "compare": { "left": { "resource": "kind" }, "op": "eq", "right": { "literal": "note" } } });
        let denial = json!({
            "permission": "interactions:read", "effect": "deny", "scope": "all", "condition": condition
        });
        let denied = admin.post(&grants, &denial).await;
        assert_eq!(denied.status, 201, "{denied:?}");
        eventually(async || (alice.get(&note).await.status == 404).then_some(())).await;
        assert_eq!(alice.get(&call).await.status, 200);
        for query in [format!("customerId={customer}"), "mentioned=me".to_owned()] {
            assert_eq!(subjects(&alice, &query).await, ["call"], "{query}");
            let page = alice.get(&format!("{PATH}?{query}&limit=1")).await;
            let cursor = page.body["nextCursor"].as_str().expect("a next page, although this one is empty");
            assert_eq!((page.items().len(), subjects(&alice, &format!("{query}&limit=1&cursor={cursor}")).await), (0, vec!["call".to_owned()]));
        }
        alice.delete(&note).await.assert_problem(404, "request.not_found");
        alice.delete(&call).await.assert_problem(403, "auth.forbidden");
    }

    // covers: CRM-05, EV-04, EV-16
    async fn the_customers_timeline(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let page = alice.get("/api/customers?limit=2").await;
        let [first, second] = [0, 1].map(|n| page.items()[n]["id"].as_str().unwrap().to_owned());
        let jane = create(&alice, &json!({ "name": "Secret Jane" })).await["id"].as_str().unwrap().to_owned();
        let logged = log(&alice, json!({ "kind": "call", "body": "secret", "customerId": first })).await;
        let entries = timeline(&alice, &first, &logged).await;
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((&entry["kind"], &entry["actor"]), (&json!("interactionLogged"), &json!(user(&alice))));
        assert_eq!(entry["details"], json!({ "interactionId": logged.body["id"], "kind": "call" }));

        // Jane is at both customers: what is logged with her alone is on both timelines.
        for customer in [&first, &second] {
            let link = alice.request(Method::PUT, &format!("/api/contacts/{jane}/customers/{customer}"));
            let linked = send(link.json(&json!({}))).await;
            assert_eq!(timeline(&alice, customer, &linked).await.last().unwrap()["kind"], "contactLinked");
        }
        let both = log(&alice, json!({ "contactIds": [jane] })).await;
        let mut ids = [json!(first), json!(second)];
        ids.sort_by_key(ToString::to_string);
        assert_eq!(both.body["customerIds"], json!(ids));
        for customer in [&first, &second] {
            let last = timeline(&alice, customer, &both).await.pop().unwrap();
            assert_eq!((&last["kind"], &last["details"]["interactionId"]), (&json!("interactionLogged"), &both.body["id"]));
            assert_eq!(subjects(&alice, &format!("customerId={customer}&kind=note")).await, ["Renewal"]);
        }
        // It was about the first after all: both timelines say that it was changed.
        let fields = json!({ "kind": "note", "subject": "Renewal", "contactIds": [jane], "customerId": first });
        let moved = alice.change(Method::PUT, both.header("location"), "*", &fields).await;
        assert_eq!(moved.body["customerIds"], json!([first]), "{moved:?}");
        for customer in [&first, &second] {
            let last = timeline(&alice, customer, &moved).await.pop().unwrap();
            assert_eq!((&last["kind"], &last["details"]["changed"]), (&json!("interactionUpdated"), &json!(["customerId"])));
        }
        let gone = alice.delete(both.header("location")).await;
        let kinds = |entries: Vec<Value>| entries.iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let of_second = kinds(timeline(&alice, &second, &gone).await);
        assert_eq!(of_second, ["contactLinked", "interactionLogged", "interactionUpdated"]);
        let of_first = timeline(&alice, &first, &gone).await;
        assert!(!json!(of_first).to_string().to_lowercase().contains("secret"), "{of_first:?}");
        assert_eq!(kinds(of_first).last().unwrap(), "interactionDeleted");

        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        for other in [&bob, &stranger] {
            let path = format!("/api/customers/{first}/activities");
            other.get(&path).await.assert_problem(404, "request.not_found");
        }
    }

    // covers: CRM-05, TN-01
    async fn the_refused(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        let mine = customer(&alice).await;
        let theirs = create(&bob, &json!({ "name": "Bob's" })).await["id"].clone();
        let path = log(&alice, json!({ "customerId": mine })).await.header("location").to_owned();
        for (bad, pointer, rule) in [
            (json!({ "subject": null }), "/subject", "type"),
            (json!({ "subject": " " }), "/subject", "length"),
            (json!({ "kind": "sms" }), "/kind", "type"),
            (json!({ "body": "x".repeat(20_001) }), "/body", "length"),
            (json!({ "body": "a\u{7}b" }), "/body", "format"),
            (json!({ "occurredAt": "yesterday" }), "/occurredAt", "type"),
            (json!({ "occurredAt": "1066-10-14T09:00:00Z" }), "/occurredAt", "range"),
            (json!({ "durationMinutes": -1 }), "/durationMinutes", "range"),
            (json!({ "direction": "in" }), "/direction", "kind"),
            (json!({ "customerId": null }), "/customerId", "required"),
            (json!({ "customerId": Uuid::new_v4() }), "/customerId", "unknown"),
            (json!({ "customerId": customer(&bob).await }), "/customerId", "unknown"),
            (json!({ "customerId": customer(&stranger).await }), "/customerId", "unknown"),
            (json!({ "contactIds": [Uuid::new_v4()] }), "/contactIds/0", "unknown"),
            (json!({ "contactIds": [theirs] }), "/contactIds/0", "unknown"),
            (json!({ "contactIds": "x" }), "/contactIds", "type"),
            (json!({ "mentions": [] }), "/mentions", "unknown"),
        ] {
            let mut body = json!({ "kind": "note", "subject": "Renewal", "customerId": mine });
            body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
            assert_invalid(&alice.post(PATH, &body).await, pointer, rule);
            assert_invalid(&alice.change(Method::PUT, &path, "*", &body).await, pointer, rule);
        }
        assert_eq!(alice.delete(&format!("/api/customers/{mine}")).await.status, 204);
        let late = json!({ "kind": "note", "subject": "Late", "customerId": mine });
        assert_invalid(&alice.post(PATH, &late).await, "/customerId", "archived");
        let kept = alice.change(Method::PUT, &path, "*", &late).await;
        assert_eq!((kept.status, &kept.body["subject"]), (200, &json!("Late")), "what it was about stays: {kept:?}");
    }
}
