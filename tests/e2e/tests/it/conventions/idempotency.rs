//! `Idempotency-Key`: a command that is repeated happens once, also when the first answer never arrived.

use crate::api::{Answer, Api};
use crate::journey::eventually;
use serde_json::{Value, json};
use stoa_e2e::journeys;
use stoa_testkit::platform::Platform;
use tokio_postgres::Client;

/// Holds up every insert of a customer, until it is dropped or released.
struct Blockade(Client);

impl Blockade {
    async fn raise(platform: &Platform) -> Self {
        let client = platform.database().connect_as_superuser().await.expect("connect");
        client
            .batch_execute("begin; lock table customer.customer in share mode")
            .await
            .expect("the lock");
        Self(client)
    }

    /// Waits until an insert waits.
    async fn stops_one(&self) {
        let waiting = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
                       where d.datname = current_database() and not granted
                         and relation = 'customer.customer'::regclass";
        eventually(async || {
            let count: i64 = self.0.query_one(waiting, &[]).await.expect("locks").get(0);
            (count > 0).then_some(())
        })
        .await;
    }

    async fn lift(self) {
        self.0.batch_execute("rollback").await.expect("the release");
    }
}

async fn named(api: &Api, name: &str) -> usize {
    let found = api.get(&format!("/api/customers?search={name}")).await;
    assert_eq!(found.status, 200, "{found:?}");
    found.items().len()
}

fn same(first: &Answer, again: &Answer) {
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    for header in ["location", "etag"] {
        assert_eq!(first.header(header), again.header(header));
    }
}

journeys! {
    // covers: AP-02
    async fn repeated_commands_happen_once(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let path = "/api/customers";
        let body = json!({ "name": "Repeater", "email": "once@repeat.test" });
        let first = alice.post_once(path, "key-1", &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        same(&first, &alice.post_once(path, "key-1", &body).await);
        same(&first, &alice.post_once(path, "\"key-1\"", &body).await);
        let other = alice
            .post_once(path, "key-1", &json!({ "name": "Repeater 2" }))
            .await;
        other.assert_problem(422, "idempotency.other_body");
        for bad in ["", " ", &"k".repeat(256)] {
            alice
                .post_once(path, bad, &body)
                .await
                .assert_problem(400, "idempotency.key_format");
        }
        assert_eq!(named(&alice, "Repeater").await, 1);

        // A key is its owner's, and an operation's.
        let bob = Api::sign_in(platform, "bob@acme.test").await;
        let bobs = alice.tokens.claims().unwrap()["sub"] != bob.tokens.claims().unwrap()["sub"];
        let theirs = bob
            .post_once(path, "key-1", &json!({ "name": "Bob's own" }))
            .await;
        assert!(bobs && theirs.status == 201, "{theirs:?}");
        let customer = first.header("location");
        let archived = alice
            .request(reqwest::Method::DELETE, customer)
            .header("if-match", "*")
            .header("idempotency-key", "key-1");
        assert_eq!(crate::api::send(archived).await.status, 204, "another operation");
        let again = alice
            .request(reqwest::Method::DELETE, customer)
            .header("if-match", "*")
            .header("idempotency-key", "key-1");
        assert_eq!(
            crate::api::send(again).await.status,
            204,
            "the replay of a 204, though it is gone"
        );
        // What was refused was not done, and may be tried again.
        let refused = alice.post_once(path, "key-2", &json!({ "name": "X" })).await;
        assert_eq!(refused.status, 422);
        assert_eq!(
            alice
                .post_once(path, "key-2", &json!({ "name": "Better" }))
                .await
                .status,
            201
        );

        // Twenty at once: one does it, the others hear its answer or that it is running.
        let crowd = json!({ "name": "Crowd" });
        let all = futures::future::join_all((0..20).map(|_| alice.post_once(path, "key-3", &crowd))).await;
        let done: Vec<&Answer> = all.iter().filter(|a| a.status == 201).collect();
        done.windows(2).for_each(|pair| same(pair[0], pair[1]));
        assert!(!done.is_empty());
        all.iter()
            .filter(|a| a.status != 201)
            .for_each(|a| a.assert_problem(409, "idempotency.running"));
        assert_eq!(named(&alice, "Crowd").await, 1);
    }

    // covers: AP-02
    async fn a_command_that_is_still_running(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let body = json!({ "name": "Slow" });
        let blockade = Blockade::raise(platform).await;
        let request = alice.post_once("/api/customers", "slow", &body);
        let (first, ()) = tokio::join!(request, async {
            blockade.stops_one().await;
            let second = alice.post_once("/api/customers", "slow", &body).await;
            second.assert_problem(409, "idempotency.running");
            blockade.lift().await;
        });
        assert_eq!(first.status, 201, "{first:?}");
        same(&first, &alice.post_once("/api/customers", "slow", &body).await);
        assert_eq!(named(&alice, "Slow").await, 1);
    }

    // covers: AP-02
    async fn a_command_whose_process_was_killed(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let body = json!({ "name": "Survivor" });
        let blockade = Blockade::raise(platform).await;
        let lost = {
            let request = alice
                .request(reqwest::Method::POST, "/api/customers")
                .header("idempotency-key", "crash")
                .json(&body);
            tokio::spawn(request.send())
        };
        blockade.stops_one().await;
        platform.process_of("customer").kill9().expect("kill -9");
        blockade.lift().await;
        // Its connection broke, or the gateway says that the service is away. Nobody was told that it worked.
        if let Ok(answer) = lost.await.expect("the task") {
            assert_eq!(answer.status(), 503);
        }
        platform
            .process_of("customer")
            .restart()
            .await
            .expect("the restart");
        let done = eventually(async || {
            let answer = alice.post_once("/api/customers", "crash", &body).await;
            // What the killed process had sent may still be under way in PostgreSQL.
            assert!(matches!(answer.status, 201 | 409 | 503), "{answer:?}");
            (answer.status == 201).then_some(answer)
        })
        .await;
        same(&done, &alice.post_once("/api/customers", "crash", &body).await);
        assert_eq!(named(&alice, "Survivor").await, 1);
    }

    // covers: AP-02, AZ-08
    async fn a_replay_is_authorised_again(platform: &mut Platform) {
        let alice = Api::sign_in(platform, "alice@acme.test").await;
        let admin = Api::sign_in(platform, "admin@acme.test").await;
        let body = json!({ "name": "Before the end" });
        assert_eq!(alice.post_once("/api/customers", "mine", &body).await.status, 201);
        let user = alice.tokens.claims().unwrap()["sub"].as_str().unwrap().to_owned();
        let held = admin.get(&format!("/api/iam/assignments?user={user}")).await;
        let [assignment] = held.items() else {
            panic!("{held:?}")
        };
        let (id, role) = (assignment["id"].as_str().unwrap(), &assignment["roleId"]);
        assert_eq!(
            admin.delete(&format!("/api/iam/assignments/{id}")).await.status,
            200
        );
        let refused = eventually(async || {
            let answer = alice.post_once("/api/customers", "mine", &body).await;
            assert!(matches!(answer.status, 201 | 403), "{answer:?}");
            (answer.status == 403).then_some(answer)
        })
        .await;
        refused.assert_problem(403, "auth.forbidden");
        assert_eq!(refused.body.get("id"), None::<&Value>);

        let back = admin
            .post("/api/iam/assignments", &json!({ "userId": user, "roleId": role }))
            .await;
        assert_eq!(back.status, 201, "{back:?}");
        eventually(async || {
            (alice.post_once("/api/customers", "mine", &body).await.status == 201).then_some(())
        })
        .await;
        assert_eq!(named(&alice, "Before%20the").await, 1);
    }
}
