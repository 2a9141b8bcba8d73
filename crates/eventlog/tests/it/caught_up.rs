//! A reader that waits for the commit it names.

use crate::harness::{Fixture, Shop};
use std::time::Duration;
use stoa_eventlog::{Consumer, NotCaughtUp, caught_up};
use stoa_kernel::{After, CommitToken, Database, Problem};
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;

const EFFECTS: &str = "shop.effects";

async fn ask(shop: &Shop, token: CommitToken) -> Result<(), NotCaughtUp> {
    let deadline = Instant::now() + PATIENT;
    caught_up(&shop.pools.system, EFFECTS, &After::from(token), deadline).await
}

/// As a client would: repeats the request when the answer is that it is not there yet.
async fn wait_for(shop: &Shop, token: CommitToken) -> Result<(), NotCaughtUp> {
    let give_up = Instant::now() + PATIENT;
    loop {
        match ask(shop, token).await {
            Err(NotCaughtUp::Late(_)) if Instant::now() < give_up => {}
            outcome => return outcome,
        }
    }
}

async fn change(shop: &Shop, item: Uuid) -> CommitToken {
    shop.change_with_token(item, "ok", async {}).await.unwrap().1
}

/// Long enough for a busy machine, and never waited out by what works.
const PATIENT: Duration = Duration::from_secs(20);

// covers: EV-15
#[tokio::test]
async fn a_consumer_that_is_held_back_is_waited_for_and_then_shows_the_commit() {
    let fixture = Fixture::new().await;
    let item = stoa_types::new_id();
    let token = change(&fixture.shop, item).await;
    let late = ask(&fixture.shop, token).await;
    assert!(
        matches!(late, Err(NotCaughtUp::Late(_))),
        "no consumer has ever run: {late:?}"
    );
    let problem = Problem::from(late.unwrap_err());
    assert_eq!((problem.status, &*problem.code), (503, "request.not_caught_up"));
    assert_eq!(problem.retry_after, Some(1));

    let shop = fixture.shop.clone();
    let waiting = tokio::spawn(async move { wait_for(&shop, token).await });
    fixture.start();
    waiting.await.unwrap().unwrap();
    assert_eq!(fixture.versions(item).await, [1]);
}

// covers: EV-15
#[tokio::test]
async fn whoever_has_the_token_sees_the_effect_every_time() {
    let fixture = Fixture::new().await;
    fixture.start();
    let item = stoa_types::new_id();
    let other = fixture.shop.clone();
    let noise = tokio::spawn(async move {
        for _ in 0..100 {
            other.change(stoa_types::new_id(), "ok").await;
        }
    });
    for version in 1..=50 {
        let token = change(&fixture.shop, item).await;
        wait_for(&fixture.shop, token).await.unwrap();
        assert_eq!(fixture.versions(item).await.last(), Some(&version));
    }
    noise.await.unwrap();
}

// covers: EV-15
#[tokio::test]
async fn a_commit_that_is_overtaken_is_not_taken_for_shown() {
    let fixture = Fixture::new().await;
    fixture.start();
    let (slow, fast) = (stoa_types::new_id(), stoa_types::new_id());
    let (drawn, wait_drawn) = oneshot::channel();
    let (release, wait_release) = oneshot::channel::<()>();
    let shop = fixture.shop.clone();
    let writer = tokio::spawn(async move {
        let held = async {
            drawn.send(()).unwrap();
            wait_release.await.unwrap();
        };
        shop.change_with_token(slow, "ok", held).await.unwrap().1
    });
    wait_drawn.await.unwrap();
    let overtook = change(&fixture.shop, fast).await;
    wait_for(&fixture.shop, overtook).await.unwrap();
    assert!(fixture.versions(slow).await.is_empty());
    release.send(()).unwrap();
    let slow_token = writer.await.unwrap();
    assert!(
        slow_token.xid < overtook.xid,
        "the slow one has the older transaction"
    );
    wait_for(&fixture.shop, slow_token).await.unwrap();
    assert_eq!(fixture.versions(slow).await, [1]);
}

// covers: EV-15
#[tokio::test]
async fn a_consumer_with_nothing_to_do_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let idle = Consumer::with(
        fixture.shop.pools.clone(),
        fixture.shop.clock.clone(),
        "shop.idle",
    );
    fixture.run(fixture.shop.ticker());
    fixture.run(idle.task());
    fixture
        .until_count("select count(*) from log.cursor where consumer = 'shop.idle'", 1)
        .await;
    let stands = "select tick from log.cursor where consumer = 'shop.idle'";
    let before = fixture.count(stands).await;
    let after = After::from(change(&fixture.shop, stoa_types::new_id()).await);
    let deadline = Instant::now() + PATIENT;
    caught_up(&fixture.shop.pools.system, "shop.idle", &after, deadline)
        .await
        .unwrap();
    assert_eq!(
        fixture.count(stands).await,
        before,
        "it has not had to write anything"
    );
}

// covers: EV-15
#[tokio::test]
async fn parked_events_are_not_waited_for() {
    let fixture = Fixture::new().await;
    fixture.start();
    let item = stoa_types::new_id();
    let parked = fixture
        .shop
        .change_with_token(item, "retry", async {})
        .await
        .unwrap()
        .1;
    wait_for(&fixture.shop, parked).await.unwrap();
    assert_eq!(fixture.count("select count(*) from log.parked").await, 1);
    assert!(fixture.versions(item).await.is_empty());
}

// covers: EV-15
#[tokio::test]
async fn a_new_epoch_puts_every_commit_of_the_old_one_behind() {
    let fixture = Fixture::new().await;
    let item = stoa_types::new_id();
    let before = change(&fixture.shop, item).await;
    // As if the database had come from another cluster.
    fixture
        .admin
        .batch_execute(
            "update log.cell set system_identifier = 1, checked_server = 'epoch'; select log.open_epoch()",
        )
        .await
        .unwrap();
    let since = change(&fixture.shop, item).await;
    assert_eq!((before.epoch, since.epoch, before.cell), (1, 2, since.cell));
    fixture.start();
    wait_for(&fixture.shop, since).await.unwrap();
    assert_eq!(fixture.versions(item).await, [1, 2]);
    wait_for(&fixture.shop, before).await.unwrap();
    // It was lost on the way to the new epoch, and will never be seen.
    let lost = CommitToken {
        xid: since.xid + 1_000_000,
        ..before
    };
    wait_for(&fixture.shop, lost).await.unwrap();
}

// covers: EV-15
#[tokio::test]
async fn a_token_of_another_database_is_refused_at_once() {
    let fixture = Fixture::new().await;
    fixture.start();
    let token = change(&fixture.shop, stoa_types::new_id()).await;
    let foreign = [
        CommitToken {
            cell: Uuid::nil(),
            ..token
        },
        CommitToken { epoch: 2, ..token },
        CommitToken {
            xid: token.xid + 1_000_000,
            ..token
        },
    ];
    for token in foreign {
        let refused = wait_for(&fixture.shop, token).await;
        assert!(
            matches!(refused, Err(NotCaughtUp::Foreign)),
            "{token:?}: {refused:?}"
        );
        let problem = Problem::from(refused.unwrap_err());
        assert_eq!((problem.status, &*problem.code), (400, "request.commit_token"));
    }
}

// covers: EV-15
#[tokio::test]
async fn without_a_token_the_database_is_not_asked() {
    let fixture = Fixture::new().await;
    let mut options = crate::harness::options(&fixture.database.superuser_config(), "nobody", "none");
    options.port = 1;
    let unreachable = Database::open(&options).unwrap();
    let deadline = Instant::now() + PATIENT;
    caught_up(&unreachable, EFFECTS, &After::default(), deadline)
        .await
        .unwrap();
    let asked = After::from(change(&fixture.shop, stoa_types::new_id()).await);
    let failed = caught_up(&unreachable, EFFECTS, &asked, deadline).await;
    assert!(matches!(failed, Err(NotCaughtUp::Database(_))), "{failed:?}");
}
