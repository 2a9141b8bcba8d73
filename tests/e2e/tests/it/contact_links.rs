//! Contacts and their customers.

use crate::api::{Answer, Api, send};
use crate::contact::{create, customer, events};
use crate::conventions::assert_invalid;
use crate::journey::eventually;
use reqwest::Method;
use serde_json::{Value, json};
use stoa_e2e::journeys;

async fn put(api: &Api, path: &str, body: &Value) -> Answer {
    send(api.request(Method::PUT, path).json(body)).await
}

/// The names and links of a customer's contacts.
async fn contacts_of(api: &Api, customer: &str) -> Vec<(String, Value)> {
    let page = api.get(&format!("/api/contacts?customerId={customer}")).await;
    let named = |item: &Value| {
        (
            item["name"].as_str().unwrap_or_default().to_owned(),
            item["link"].clone(),
        )
    };
    page.items().iter().map(named).collect()
}

journeys! {
    // covers: CRM-05
    async fn many_to_many(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let page = alice.get("/api/customers?limit=2").await;
        let [first, second] = [0, 1].map(|n| page.items()[n]["id"].as_str().unwrap().to_owned());
        let [jane, john] = [create(&alice, &json!({ "name": "Jane" })).await, create(&alice, &json!({ "name": "John" })).await];
        let customers = |contact: &Value| format!("/api/contacts/{}/customers", contact["id"].as_str().unwrap());

        let path = format!("{}/{first}", customers(&jane));
        let linked = put(&alice, &path, &json!({ "role": "decision maker", "primary": true })).await;
        assert_eq!(linked.status, 200, "{linked:?}");
        assert_eq!((&linked.body["customerId"], &linked.body["primary"]), (&json!(first), &json!(true)));
        assert_eq!(put(&alice, &format!("{}/{second}", customers(&jane)), &json!({})).await.status, 200);
        let of_john = format!("{}/{first}", customers(&john));
        assert_eq!(put(&alice, &of_john, &json!({ "primary": true })).await.body["primary"], true);

        let both = contacts_of(&alice, &first).await;
        let [(name, link), (other, others)] = both.as_slice() else { panic!("{both:?}") };
        assert_eq!((name.as_str(), &link["primary"]), ("Jane", &json!(false)), "a customer has one primary contact");
        assert_eq!((other.as_str(), &others["primary"]), ("John", &json!(true)));
        assert_eq!(link["role"], "decision maker");
        let of_jane = alice.get(&customers(&jane)).await;
        let ids: Vec<_> = of_jane.items().iter().map(|link| &link["customerId"]).collect();
        assert_eq!(ids, [&json!(first), &json!(second)], "in the order in which they were linked");

        let changed = put(&alice, &path, &json!({ "role": "sponsor" })).await;
        assert_eq!((changed.status, &changed.body["role"]), (200, &json!("sponsor")));
        assert_eq!(changed.body["linkedAt"], linked.body["linkedAt"]);
        assert_eq!(put(&alice, &path, &json!({ "role": "sponsor" })).await.body, changed.body);

        assert_eq!(send(alice.request(Method::DELETE, &path)).await.status, 204);
        send(alice.request(Method::DELETE, &path)).await.assert_problem(404, "request.not_found");
        assert_eq!(contacts_of(&alice, &first).await.len(), 1);
        let jane = jane["id"].as_str().unwrap().parse().unwrap();
        let told = ["created", "linked", "linked", "unlinked"];
        let told = told.map(|verb| format!("dev.stoa.contact.contact.{verb}.v1"));
        assert_eq!(events(platform, jane).await, told, "a role is no event");

        let archived = alice.get(&format!("/api/contacts?customerId={first}&archived=true")).await;
        assert_eq!(archived.items().len(), 0);
        let john = format!("/api/contacts/{}", john["id"].as_str().unwrap());
        assert_eq!(alice.delete(&john).await.status, 204);
        put(&alice, &of_john, &json!({})).await.assert_problem(409, "contacts.archived");
        send(alice.request(Method::DELETE, &of_john)).await.assert_problem(409, "contacts.archived");
        assert_eq!(contacts_of(&alice, &first).await, [], "archived contacts are not listed");
        let archived = alice.get(&format!("/api/contacts?customerId={first}&archived=true&fields=link")).await;
        assert_eq!(archived.items()[0]["link"]["primary"], true, "{archived:?}");
    }

    // covers: CRM-05, CRM-10
    async fn a_merged_customer_brings_its_contacts(platform: &mut Platform) {
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let page = manager.get("/api/customers?limit=2").await;
        let [into, from] = [0, 1].map(|n| page.items()[n]["id"].as_str().unwrap().to_owned());
        let jane = create(&manager, &json!({ "name": "Jane" })).await;
        let link = format!("/api/contacts/{}/customers/{from}", jane["id"].as_str().unwrap());
        assert_eq!(put(&manager, &link, &json!({ "primary": true })).await.status, 200);
        let note = json!({ "kind": "note", "subject": "Note", "customerId": from });
        assert_eq!(manager.post("/api/interactions", &note).await.status, 201);

        let merge = json!({ "from": from, "fromVersion": page.items()[1]["version"] });
        let merged = manager.change(Method::POST, &format!("/api/customers/{into}/merge"), "*", &merge).await;
        assert_eq!(merged.status, 200, "{merged:?}");
        eventually(async || (contacts_of(&manager, &into).await.len() == 1).then_some(())).await;
        let interactions = format!("/api/interactions?customerId={into}");
        assert_eq!(manager.get(&interactions).await.items().len(), 1);
        let undo = format!("/api/customers/merges/{}/undo", merged.body["merge"]["id"].as_str().unwrap());
        assert_eq!(manager.post(&undo, &json!(null)).await.status, 200);
        eventually(async || contacts_of(&manager, &into).await.is_empty().then_some(())).await;
        assert_eq!(manager.get(&interactions).await.items().len(), 0);
        assert_eq!(contacts_of(&manager, &from).await[0].1["primary"], true);
    }

    // covers: CRM-05, TN-01
    async fn out_of_sight(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let stranger = Api::sign_in(platform, "admin@globex.test").await;
        let (of_alice, of_bob) = (customer(&alice).await, customer(&bob).await);
        let jane = create(&alice, &json!({ "name": "Jane" })).await;
        let links = format!("/api/contacts/{}/customers", jane["id"].as_str().unwrap());
        let path = format!("{links}/{of_alice}");

        for unseen in [&of_bob, &customer(&stranger).await, "00000000-0000-0000-0000-000000000000"] {
            put(&alice, &format!("{links}/{unseen}"), &json!({})).await.assert_problem(404, "request.not_found");
            let list = format!("/api/contacts?customerId={unseen}");
            alice.get(&list).await.assert_problem(404, "request.not_found");
        }
        assert_eq!(put(&alice, &path, &json!({})).await.status, 200);
        for other in [&bob, &stranger] {
            put(other, &path, &json!({})).await.assert_problem(404, "request.not_found");
            send(other.request(Method::DELETE, &path)).await.assert_problem(404, "request.not_found");
            other.get(&links).await.assert_problem(404, "request.not_found");
            let list = format!("/api/contacts?customerId={of_alice}");
            other.get(&list).await.assert_problem(404, "request.not_found");
        }
        assert_invalid(&put(&alice, &path, &json!({ "role": "x".repeat(101) })).await, "/role", "length");
        assert_invalid(&put(&alice, &path, &json!({ "primary": "yes" })).await, "/primary", "type");

        // Who may not see a customer's contact does not see it for seeing the customer.
        let manager = Api::sign_in(platform, "manager@acme.test").await;
        let secret = create(&manager, &json!({ "name": "Secret" })).await;
        let of_secret = format!("/api/contacts/{}/customers/{of_alice}", secret["id"].as_str().unwrap());
        assert_eq!(put(&manager, &of_secret, &json!({})).await.status, 200);
        assert_eq!(contacts_of(&alice, &of_alice).await.len(), 1);
        assert_eq!(contacts_of(&manager, &of_alice).await.len(), 2);

        assert_eq!(alice.delete(&format!("/api/customers/{of_alice}")).await.status, 204);
        put(&alice, &path, &json!({ "role": "late" })).await.assert_problem(409, "customers.archived");
        assert_eq!(send(alice.request(Method::DELETE, &path)).await.status, 204, "a link to it can be removed");
    }
}
