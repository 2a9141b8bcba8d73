//! Who reaches __resources__.

use serde_json::json;
use stoa_kernel::mesh::Calls;
use stoa_testkit::service::House;

#[tokio::test]
async fn only_grants_on_all_rows_of_the_tenant_reach_them() {
    // What other services would answer goes into the calls.
    let house = House::start(stoa___service__::service, Calls::new()).await;
    let tenant = house.tenant(&[]);
    let ann = house.user(tenant, "all", &[]);
    let fields = json!({ "name": "First" });
    let created = ann.post("/api/__resources__", fields.clone()).await.expect(201);
    let path = created.header("location");
    assert_eq!(ann.get(path).await.expect(200).body, created.body);

    let bob = house.user(tenant, "own", &[]);
    bob.get(path).await.expect(404);
    bob.post("/api/__resources__", fields).await.expect(403);
    let stranger = house.user(house.tenant(&[]), "all", &[]);
    stranger.get(path).await.expect(404);
    for reader in [bob, stranger] {
        let page = reader.get("/api/__resources__").await.expect(200);
        assert_eq!(page.body["items"], json!([]));
    }
    ann.lose_roles();
    ann.get(path).await.expect(403);
}
