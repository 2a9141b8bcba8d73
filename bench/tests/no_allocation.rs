//! A decision allocates nothing. A test program of its own, because it replaces the allocator of the whole process.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use stoa_bench::decide::questions::{Engine, Question, Size, World, world};
use stoa_policy::DataScope;
use uuid::Uuid;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

// covers: AZ-06
#[test]
fn a_decision_allocates_nothing() {
    let size = Size {
        rules: 1000,
        subjects: 100,
        questions: 2000,
    };
    let mut world = world(size, 3).expect("a world");
    assert_eq!(allowed(&world), 1000);

    // Every scope, with the longest lists that one meets.
    for (grant, scope) in world
        .policy
        .grants
        .iter_mut()
        .zip(DataScope::EVERY.iter().cycle())
    {
        grant.scope = *scope;
    }
    for subject in &mut world.subjects {
        let many = |from: u128| (from..from + 500).map(Uuid::from_u128).collect();
        (subject.team_members, subject.organization_branches) = (many(1), many(1000));
    }
    assert!((1..2000).contains(&allowed(&world)));
}

/// How many of the questions are allowed.
fn allowed(world: &World) -> usize {
    let engine = Engine::compile(world.policy.clone(), world.subjects.clone()).expect("compiled");
    let mut allowed = 0;
    let region = Region::new(COUNTING);
    for Question {
        subject,
        permission,
        resource,
    } in &world.questions
    {
        let name = &world.permissions[*permission];
        allowed += usize::from(
            engine
                .allows(*subject, name, resource)
                .is_ok_and(|allowed| allowed),
        );
    }
    let counted = region.change();
    assert_eq!(
        (counted.allocations, counted.reallocations),
        (0, 0),
        "{counted:?}"
    );
    allowed
}
