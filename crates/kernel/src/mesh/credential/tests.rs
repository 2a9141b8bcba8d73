use super::*;
use crate::mesh::certificates::{Authority, generate_ca, issue};
use crate::scope::SystemScope;
use jiff::SignedDuration;
use stoa_types::UserId;

fn tls(ca: &Authority, services: &[&str], clock: &Clock) -> MeshTls {
    let leaf = issue(ca, services).unwrap();
    MeshTls::from_pem(
        ca.pem().as_bytes(),
        leaf.certificate.as_bytes(),
        leaf.key.as_bytes(),
    )
    .unwrap()
    .with_clock(clock.clone())
}

fn peer(tls: &MeshTls) -> PeerCertificate {
    PeerCertificate {
        key: tls.key().public_key().as_ref().try_into().unwrap(),
        services: tls.services().to_vec(),
    }
}

use aws_lc_rs::signature::KeyPair;

fn scope(name: &'static str) -> Scope {
    SystemScope::named(name).scope(TenantId::new(), Duration::from_secs(5))
}

// covers: SC-01
#[test]
fn a_credential_is_signed_again_only_after_half_its_life() {
    let clock = Clock::adjustable();
    let ca = generate_ca().unwrap();
    let sender = tls(&ca, &["customer"], &clock);
    let minter = Minter::new(sender.clone(), "organization");
    let verifier = Verifier::new(clock.clone());
    let scope = scope("customer.import");

    let first = minter.call(&scope).unwrap();
    clock.advance(SignedDuration::from_secs(25));
    assert_eq!(minter.call(&scope).unwrap(), first);
    clock.advance(SignedDuration::from_secs(10));
    let second = minter.call(&scope).unwrap();
    assert_ne!(second, first);

    let verify = |header: &HeaderValue| verifier.call(&peer(&sender), header.as_bytes(), "organization");
    assert_eq!(verify(&first).unwrap(), (scope.tenant(), scope.actor().clone()));
    clock.advance(SignedDuration::from_secs(31));
    assert_eq!(verify(&first), Err(Refusal::Expired), "cached, but asked again");
    assert!(verify(&second).is_ok());
    // A clock that was set back does not make credentials that live longer.
    clock.advance(SignedDuration::from_secs(-120));
    assert_eq!(verify(&second), Err(Refusal::Expired));
}

#[test]
fn different_scopes_never_share_a_credential() {
    let ca = generate_ca().unwrap();
    let sender = tls(&ca, &["gateway", "customer"], &Clock::system());
    let minter = Minter::new(sender, "organization");
    let identity = |tenant, user| Some(Identity { tenant, user });
    let (tenant, user) = (TenantId::new(), UserId::new());
    let headers = [
        minter.call(&scope("customer.a")).unwrap(),
        minter.call(&scope("customer.a")).unwrap(),
        minter.call(&scope("customer.b")).unwrap(),
        minter.edge(identity(tenant, user)).unwrap(),
        minter.edge(identity(tenant, UserId::new())).unwrap(),
        minter.edge(identity(TenantId::new(), user)).unwrap(),
        minter.edge(None).unwrap(),
    ];
    for (n, header) in headers.iter().enumerate() {
        assert!(!headers[..n].contains(header), "{n}");
    }
}

// covers: SC-01
#[test]
fn a_process_speaks_only_for_the_services_of_its_certificate() {
    let ca = generate_ca().unwrap();
    let minter = Minter::new(tls(&ca, &["customer"], &Clock::system()), "organization");
    assert!(
        minter
            .call(&scope("identity.login"))
            .unwrap_err()
            .contains("identity")
    );
    assert!(
        minter
            .call(&scope("platform.demo"))
            .unwrap_err()
            .contains("platform")
    );
    assert!(minter.edge(None).unwrap_err().contains("gateway"));
    assert!(minter.call(&scope("kernel.decisions")).is_ok());
}

// covers: SC-01
#[test]
fn every_changed_byte_is_noticed() {
    let ca = generate_ca().unwrap();
    let sender = tls(&ca, &["customer"], &Clock::system());
    let verifier = Verifier::new(Clock::system());
    let good = Minter::new(sender.clone(), "organization")
        .call(&scope("customer.a"))
        .unwrap();
    let good = good.as_bytes();
    assert!(verifier.call(&peer(&sender), good, "organization").is_ok());
    for at in 0..good.len() {
        let mut bad = good.to_vec();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let refused = verifier.call(&peer(&sender), &bad, "organization");
        assert!(
            matches!(refused, Err(Refusal::Signature | Refusal::Malformed)),
            "byte {at}: {refused:?}"
        );
    }
    for bad in [&b""[..], b".", b"..", &good[..good.len() - 1], &[b'A'; 4096]] {
        assert!(verifier.call(&peer(&sender), bad, "organization").is_err());
    }
}
