//! Dead letters and replays, by an operator's hand.

use crate::harness::Fixture;
use stoa_eventlog::{OperateError, ReplayFrom, dead_letters, discard, open_generation, redrive};

// covers: EV-05
#[tokio::test]
async fn a_dead_letter_is_redriven_once_or_discarded() {
    let fixture = Fixture::new().await;
    let (first, second) = (stoa_types::new_id(), stoa_types::new_id());
    fixture.shop.change(first, "reject").await;
    fixture.shop.change(second, "reject").await;
    fixture.start();
    fixture
        .until_count("select count(*) from log.dead_letter", 2)
        .await;
    let system = &fixture.shop.pools.system;
    let letters = dead_letters(system, None, None, 10).await.unwrap();
    fixture
        .admin
        .execute(
            "update log.dead_letter set event = jsonb_set(event, '{data,wish}', '\"ok\"')",
            &[],
        )
        .await
        .unwrap();
    redrive(system, &fixture.shop.clock, letters[0].id).await.unwrap();
    fixture.until_count("select count(*) from shop.effect", 1).await;
    assert_eq!(fixture.versions(letters[0].event.aggregate_id).await, [1]);
    let again = redrive(system, &fixture.shop.clock, letters[0].id).await;
    assert!(matches!(again, Err(OperateError::NoSuchLetter(_))));
    discard(system, &fixture.shop.clock, letters[1].id).await.unwrap();
    assert!(dead_letters(system, None, None, 10).await.unwrap().is_empty());
    assert!(discard(system, &fixture.shop.clock, letters[1].id).await.is_err());
}

// covers: EV-06
#[tokio::test]
async fn a_replay_handles_everything_again_in_a_new_generation() {
    let fixture = Fixture::new().await;
    let item = stoa_types::new_id();
    for wish in ["ok", "ok", "retry", "ok"] {
        fixture.shop.change(item, wish).await;
    }
    fixture.run(fixture.shop.ticker());
    fixture.run(fixture.shop.consumer().replayable().task());
    fixture.until_count("select count(*) from log.parked", 2).await;
    fixture
        .admin
        .batch_execute("update log.event set data = jsonb_set(data, '{wish}', '\"ok\"')")
        .await
        .unwrap();
    let system = &fixture.shop.pools.system;
    let generation = open_generation(system, "shop.effects", ReplayFrom::Beginning)
        .await
        .unwrap();
    assert_eq!(generation, 2);
    fixture
        .until_count("select count(*) from shop.effect where generation = 2", 4)
        .await;
    assert_eq!(fixture.versions(item).await, [1, 2, 1, 2, 3, 4]);
    assert_eq!(fixture.count("select count(*) from log.parked").await, 0);
    // From now on: what is parked is older than the start, and moves over.
    fixture.shop.change(item, "retry").await;
    fixture.until_count("select count(*) from log.parked", 1).await;
    let now = ReplayFrom::Time(fixture.shop.clock.now());
    assert_eq!(open_generation(system, "shop.effects", now).await.unwrap(), 3);
    fixture
        .until_count("select count(*) from log.parked where generation = 3", 1)
        .await;
    fixture.shop.change(stoa_types::new_id(), "ok").await;
    fixture
        .until_count("select count(*) from shop.effect where generation = 3", 1)
        .await;
}

// covers: EV-06
#[tokio::test]
async fn a_consumer_that_did_not_opt_in_is_not_replayed() {
    let fixture = Fixture::new().await;
    fixture.start();
    fixture.shop.change(stoa_types::new_id(), "ok").await;
    fixture.until_count("select count(*) from shop.effect", 1).await;
    let refused = open_generation(&fixture.shop.pools.system, "shop.effects", ReplayFrom::Beginning).await;
    assert!(matches!(refused, Err(OperateError::NotReplayable(_))));
}
