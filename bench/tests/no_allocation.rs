//! A decision allocates nothing. A test program of its own, because it replaces the allocator of the whole process.

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use stoa_bench::decide::questions::{Engine, Question, Size, world};

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
    let world = world(size, 3).expect("a world");
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
    assert_eq!(allowed, 1000);
    assert_eq!(
        (counted.allocations, counted.reallocations),
        (0, 0),
        "{counted:?}"
    );
}
