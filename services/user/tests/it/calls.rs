//! What other services ask.

use crate::support::{create, events, house, platform, team};
use http::Method;
use serde_json::json;
use std::time::Duration;
use stoa_contracts::user::{FindUsers, GetUser, ImportTeam, ImportUsers, NewUser};
use stoa_kernel::{CallError, SystemScope};
use stoa_types::{TeamId, UserId};

fn new(id: UserId, name: &str, email: &str) -> NewUser {
    NewUser {
        id,
        email: email.to_owned(),
        name: name.to_owned(),
        title: Some("Agent".to_owned()),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, CallError>) -> stoa_kernel::Problem {
    match answer {
        Err(CallError::Refused(problem)) => *problem,
        other => panic!("{other:?}"),
    }
}

// covers: CRM-03
#[tokio::test]
async fn users_are_found_by_what_names_them() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let admin = house.user(tenant, "all", &[]);
    let alice = create(admin, "Alice Đặng", "alice@acme.example", json!({})).await;
    let id = UserId(alice.id());
    // Her name is another's handle, and the handle of the second is nobody's name.
    let second = create(admin, "Bob", "bob@acme.example", json!({ "handle": "carol" })).await;
    let carol = create(admin, "Carol", "carol@acme.example", json!({ "handle": "cc1" })).await;
    create(admin, "Twin", "twin1@acme.example", json!({})).await;
    create(admin, "TWIN", "twin2@acme.example", json!({})).await;
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    let foreign = create(stranger, "Foreign", "foreign@other.example", json!({})).await;

    let find = async |keys: &[&str]| {
        let mut scope = SystemScope::named("test.customer").scope(tenant, Duration::from_secs(5));
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        house
            .mesh
            .call(&mut scope, FindUsers { keys })
            .await
            .unwrap()
            .users
    };
    let text = id.to_string();
    let by = [
        &*text,
        " ALICE@acme.example ",
        "@alice",
        "Alice",
        "alice  dang",
        "ĐẶNG",
    ];
    let (found, second, carol) = (Some(id), UserId(second.id()), UserId(carol.id()));
    assert_eq!(find(&by).await, [found, found, found, found, found, None]);
    assert_eq!(
        find(&["carol", "cc1", "bob", "twin"]).await,
        [Some(second), Some(carol), Some(second), None]
    );
    let foreign = foreign.id().to_string();
    let none = [&*foreign, "foreign", "foreign@other.example", "", "@", "a\0b"];
    assert_eq!(find(&none).await, [None; 6]);
    assert!(find(&[]).await.is_empty());

    admin
        .change(Method::DELETE, alice.header("location"), "*", None)
        .await
        .expect(204);
    assert_eq!(find(&by).await, [None; 6], "an archived user is not found");
    let mut scope = SystemScope::named("test.identity").scope(tenant, Duration::from_secs(5));
    let card = house.mesh.call(&mut scope, GetUser { id }).await.unwrap();
    assert_eq!(
        (card.archived, card.version, &*card.email),
        (true, 2, "alice@acme.example")
    );
    let mut elsewhere = SystemScope::named("test.identity").scope(stranger.tenant, Duration::from_secs(5));
    assert_eq!(
        refused(house.mesh.call(&mut elsewhere, GetUser { id }).await).status,
        404
    );
    let keys = vec![String::new(); 1_001];
    assert_eq!(
        refused(house.mesh.call(&mut scope, FindUsers { keys }).await).status,
        422
    );
}

// covers: CRM-03
#[tokio::test]
async fn an_import_can_be_repeated() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let admin = house.user(tenant, "all", &[]);
    let (alice, bob, team_id) = (UserId::new(), UserId::new(), TeamId::new());
    let users = vec![
        new(alice, "Alice", "alice@acme.example"),
        new(bob, "Alice", "alice@other.example"),
    ];
    for _ in 0..2 {
        let users = users.clone();
        house
            .mesh
            .call(&mut platform(tenant), ImportUsers { users })
            .await
            .unwrap();
        let (name, members) = ("East".to_owned(), vec![bob, alice]);
        let team = ImportTeam {
            id: team_id,
            name,
            members,
        };
        house.mesh.call(&mut platform(tenant), team).await.unwrap();
    }
    let handles = admin.get("/api/users?sort=createdAt").await.expect(200);
    assert_eq!(handles.each("handle"), ["alice", "alice2"]);
    assert_eq!(
        admin.get("/api/users?search=alice2").await.each("email"),
        ["alice@other.example"]
    );
    let told = events(&house, alice.uuid()).await;
    assert_eq!(
        (told.len(), &told[0].1["invite"]),
        (1, &json!(false)),
        "no invitation"
    );
    assert_eq!(
        events(&house, team_id.uuid()).await.len(),
        1,
        "the second time changes nothing"
    );

    let (name, members) = ("West".to_owned(), vec![bob]);
    let team = ImportTeam {
        id: team_id,
        name,
        members,
    };
    house.mesh.call(&mut platform(tenant), team).await.unwrap();
    let read = admin.get(&format!("/api/teams/{team_id}")).await.expect(200);
    assert_eq!(
        (&read.body["name"], &read.body["memberIds"]),
        (&json!("West"), &json!([bob]))
    );
}

// covers: CRM-03
#[tokio::test]
async fn an_import_is_the_platforms_own_and_names_what_is_wrong() {
    let house = house().await;
    let tenant = house.tenant(&[]);
    let users = vec![
        new(UserId::new(), "Ok", "ok@acme.example"),
        new(UserId::new(), "", "no"),
    ];
    let import = ImportUsers { users };
    let mut scope = SystemScope::named("customer.import").scope(tenant, Duration::from_secs(5));
    assert_eq!(
        refused(house.mesh.call(&mut scope, import.clone()).await).status,
        403
    );
    let problem = refused(house.mesh.call(&mut platform(tenant), import).await);
    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(pointers, ["/users/1/email", "/users/1/name"]);

    let admin = house.user(tenant, "all", &[]);
    assert!(
        admin.get("/api/users").await.each("id").is_empty(),
        "nothing was imported"
    );
    team(admin, "East").await;
    let (id, members) = (TeamId::new(), Vec::new());
    let taken = ImportTeam {
        id,
        name: "east".to_owned(),
        members,
    };
    assert_eq!(
        refused(house.mesh.call(&mut platform(tenant), taken.clone()).await).code,
        "teams.name_taken"
    );
    assert_eq!(refused(house.mesh.call(&mut scope, taken).await).status, 403);
    let (name, members) = ("West".to_owned(), vec![UserId::new()]);
    let unknown = ImportTeam { id, name, members };
    assert_eq!(
        refused(house.mesh.call(&mut platform(tenant), unknown).await).errors[0].pointer,
        "/members"
    );
}
