//! The mesh over real sockets.

mod forged;
mod forward;
mod support;

use super::certificates::generate_ca;
use super::{CallError, Mesh};
use crate::Scope;
use crate::scope::{Actor, Envelope};
use std::sync::atomic::Ordering;
use std::time::Duration;
use stoa_types::TenantId;
use support::{Callee, Do, Echo, Wire, caller, refusal, scope, tls, until};
use tokio::time::Instant;

fn echo() -> Echo {
    Echo {
        text: "Grüße".into()
    }
}

async fn unavailable(mesh: &Mesh) -> String {
    match mesh.call(&mut scope(), echo()).await {
        Err(CallError::Unavailable { why, .. }) => why,
        Err(other) => panic!("not unavailable but {other}"),
        Ok(reply) => panic!("a reply: {reply:?}"),
    }
}

// covers: SC-01
#[tokio::test]
async fn a_call_carries_its_scope_to_another_process() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let mesh = caller(&tls(&ca, &["customer"]), callee.address);
    let envelope = Envelope {
        tenant: TenantId::new(),
        handler: "customer.branches",
        event: stoa_types::new_id(),
        correlation: stoa_types::new_id(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
    };
    // The two connections take turns, and the second call of each uses what is open and cached.
    for _ in 0..4 {
        let mut scope = Scope::from_envelope(&envelope, Duration::from_secs(60));
        let reply = mesh.call(&mut scope, echo()).await.unwrap();
        assert_eq!(reply.text, "Grüße");
        assert_eq!(reply.tenant, envelope.tenant);
        assert_eq!(reply.actor, Actor::System("customer.branches".into()));
        assert_eq!(reply.correlation, envelope.correlation);
        assert_eq!(reply.causation, Some(envelope.event));
        assert_eq!(reply.traceparent, envelope.traceparent);
        assert!(
            reply.left_ms > 0 && reply.left_ms <= 3_000,
            "the call's budget: {}",
            reply.left_ms
        );
    }
}

#[tokio::test]
async fn a_refusal_arrives_whole_and_a_panic_is_one() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let mesh = caller(&tls(&ca, &["customer"]), callee.address);
    // More often than the breaker would bear, because refusals are answers.
    for _ in 0..10 {
        match mesh.call(&mut scope(), Do::Refuse).await {
            Err(CallError::Refused(problem)) => assert_eq!(*problem, refusal()),
            other => panic!("{other:?}"),
        }
    }
    match mesh.call(&mut scope(), Do::Panic).await {
        Err(CallError::Refused(problem)) => assert_eq!(problem.code, "service.internal"),
        other => panic!("{other:?}"),
    }
}

// covers: SC-01
#[tokio::test]
async fn only_processes_of_the_same_authority_meet() {
    let (ca, other) = (generate_ca().unwrap(), generate_ca().unwrap());
    let callee = Callee::start(tls(&ca, &["organization"])).await;

    let stranger = caller(&tls(&other, &["customer"]), callee.address);
    let why = unavailable(&stranger).await;
    assert!(
        why.contains("mesh.peers.organization") && why.contains("TLS"),
        "{why}"
    );

    // It trusts the callee, but its own certificate is of the other authority.
    let leaf = super::certificates::issue(&other, &["customer"]).unwrap();
    let both = format!("{}{}", ca.pem(), other.pem());
    let half = super::MeshTls::from_pem(both.as_bytes(), leaf.certificate.as_bytes(), leaf.key.as_bytes());
    unavailable(&caller(&half.unwrap(), callee.address)).await;
    assert_eq!(callee.seen.calls(), 0);
}

// covers: SC-01
#[tokio::test]
async fn a_process_without_the_services_name_cannot_answer_for_it() {
    let ca = generate_ca().unwrap();
    let impostor = Callee::start(tls(&ca, &["search"])).await;
    let why = unavailable(&caller(&tls(&ca, &["customer"]), impostor.address)).await;
    assert!(why.contains("TLS"), "{why}");
    assert_eq!(impostor.seen.calls(), 0);
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_says_where() {
    let ca = generate_ca().unwrap();
    let mut callee = Callee::start(tls(&ca, &["organization"])).await;
    callee.stop().await;
    let address = callee.address;
    drop(callee);
    let mesh = caller(&tls(&ca, &["customer"]), address);
    let why = unavailable(&mesh).await;
    assert!(
        why.contains(&address.to_string()) && why.contains("mesh.peers.organization"),
        "{why}"
    );
    for _ in 0..4 {
        unavailable(&mesh).await;
    }
    assert!(
        unavailable(&mesh).await.contains("repeatedly"),
        "it counts for the breaker"
    );
}

#[tokio::test]
async fn a_restarted_process_is_found_again() {
    let ca = generate_ca().unwrap();
    let mut callee = Callee::start(tls(&ca, &["organization"])).await;
    let mesh = caller(&tls(&ca, &["customer"]), callee.address);
    for _ in 0..3 {
        for _ in 0..4 {
            mesh.call(&mut scope(), echo()).await.unwrap();
        }
        callee.stop().await;
        callee.run();
    }
    mesh.call(&mut scope(), echo()).await.unwrap();
}

#[tokio::test]
async fn stopping_waits_for_the_calls_under_way() {
    let ca = generate_ca().unwrap();
    let mut callee = Callee::start(tls(&ca, &["organization"])).await;
    let mesh = caller(&tls(&ca, &["customer"]), callee.address);
    let call = tokio::spawn(async move { mesh.call(&mut scope(), Do::Wait).await });
    callee.seen.entered.notified().await;
    let seen = callee.seen.clone();
    let stop = tokio::spawn(async move { callee.stop().await });
    tokio::task::yield_now().await;
    seen.gate.send_replace(true);
    call.await.unwrap().unwrap();
    stop.await.unwrap();
    assert_eq!(seen.calls(), 1);
}

#[tokio::test]
async fn a_call_whose_connection_dies_is_sent_once_more() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let wire = Wire::to(callee.address).await;
    let mesh = caller(&tls(&ca, &["customer"]), wire.address);
    let call = tokio::spawn(async move { mesh.call(&mut scope(), Do::Wait).await });
    callee.seen.entered.notified().await;
    wire.cut();
    callee.seen.entered.notified().await;
    callee.seen.gate.send_replace(true);
    call.await.unwrap().unwrap();
    assert_eq!(callee.seen.calls(), 2);

    // And not a third time.
    callee.seen.gate.send_replace(false);
    let mesh = caller(&tls(&ca, &["customer"]), wire.address);
    let call = tokio::spawn(async move { mesh.call(&mut scope(), Do::Wait).await });
    for _ in 0..2 {
        callee.seen.entered.notified().await;
        wire.cut();
    }
    assert!(matches!(call.await.unwrap(), Err(CallError::Unavailable { .. })));
    assert_eq!(callee.seen.calls(), 4);
}

#[tokio::test]
async fn the_callers_deadline_ends_the_callees_work() {
    let ca = generate_ca().unwrap();
    let callee = Callee::start(tls(&ca, &["organization"])).await;
    let mesh = caller(&tls(&ca, &["customer"]), callee.address);
    mesh.call(&mut scope(), echo()).await.unwrap();

    let start = Instant::now();
    let mut short = support::DO.scope(TenantId::new(), Duration::from_millis(150));
    let result = mesh.call(&mut short, Do::Wait).await;
    assert!(matches!(result, Err(CallError::Timeout { .. })), "{result:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let dropped = &callee.seen.dropped;
    until("the end of the callee's work", async || {
        dropped.load(Ordering::SeqCst) == 1
    })
    .await;
}
