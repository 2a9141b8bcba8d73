//! Properties over random policies, subjects and rows.

use proptest::prelude::*;
use stoa_policy::*;

use crate::generate::{PERMISSIONS, World};
use crate::oracle;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    // covers: AZ-01, AZ-03
    #[test]
    fn decides_as_the_naive_reading_of_the_policy(seed: u64) {
        let world = World::new(seed);
        let (policy, subject) = world.compile();
        for permission in PERMISSIONS {
            let endpoint = decide(&policy, &subject, permission, None, &world.context());
            prop_assert_eq!(endpoint.allowed, oracle::allowed(&world, permission, None), "{} {:?}", permission, endpoint);
            for row in &world.rows {
                let decision = decide(&policy, &subject, permission, Some(row), &world.context());
                prop_assert_eq!(decision.allowed, oracle::allowed(&world, permission, Some(row)), "{} {:?}", permission, row);
                prop_assert_eq!(decision.allowed, decision.scope.is_some());
                prop_assert!(!decision.allowed || !decision.determining.as_slice().is_empty());
                // Whatever a row allows, its endpoint must not have refused.
                prop_assert!(endpoint.allowed || !decision.allowed);
            }
        }
    }

    // covers: AZ-04
    #[test]
    fn filters_rows_as_it_decides_them(seed: u64) {
        let world = World::new(seed);
        let (policy, subject) = world.compile();
        let context = world.context();
        for permission in PERMISSIONS {
            let wide = row_filter(&policy, &subject, permission, None, &context);
            for narrow in DataScope::EVERY.map(Some).into_iter().chain([None]) {
                let filter = row_filter(&policy, &subject, permission, narrow, &context);
                for row in &world.rows {
                    let allowed = decide(&policy, &subject, permission, Some(row), &context).allowed;
                    let within = narrow.is_none_or(|scope| oracle::scope(&world, row, scope) == Some(true));
                    prop_assert_eq!(filter.matches(row), allowed && within, "{} {:?} {:?}", permission, narrow, row);
                    prop_assert!(wide.matches(row) || !filter.matches(row), "narrowing widened");
                    prop_assert!(!filter.is_all() || filter.matches(row));
                    prop_assert!(!filter.is_none() || !filter.matches(row));
                }
            }
        }
    }

    // covers: AZ-04
    #[test]
    fn a_scope_holds_what_it_includes(seed: u64) {
        let world = World::new(seed);
        for (wide, narrow) in DataScope::EVERY.iter().flat_map(|wide| DataScope::EVERY.map(|narrow| (*wide, narrow))) {
            let escapes = |row| oracle::scope(&world, row, narrow) == Some(true)
                && oracle::scope(&world, row, wide) != Some(true);
            prop_assert!(!wide.includes(narrow) || !world.rows.iter().any(escapes), "{:?} {:?}", wide, narrow);
            prop_assert!(!wide.includes(narrow) || wide >= narrow, "the order contradicts inclusion");
        }
    }

    // covers: AZ-09
    #[test]
    fn explains_the_decision_it_makes(seed: u64) {
        let world = World::new(seed);
        let (policy, subject) = world.compile();
        for permission in PERMISSIONS {
            for row in world.rows.iter().map(Some).chain([None]) {
                let resource = row.map(|row| row as &dyn Attributes);
                let explanation = explain(&policy, &subject, permission, resource, &world.context());
                prop_assert_eq!(explanation.decision, decide(&policy, &subject, permission, resource, &world.context()));
                prop_assert!(explanation.near_misses.len() <= MAX_NEAR_MISSES);
                for id in explanation.decision.determining.as_slice() {
                    prop_assert!(explanation.considered.iter().any(|considered| considered.grant == *id));
                }
            }
        }
    }

    // covers: AZ-04
    #[test]
    fn numbers_every_parameter_of_the_sql_once_and_in_order(seed: u64, first in 1usize..5) {
        let world = World::new(seed);
        let (policy, subject) = world.compile();
        for permission in PERMISSIONS {
            let filter = row_filter(&policy, &subject, permission, None, &world.context());
            let sql = filter.to_sql(&World::schema(), first);
            let numbers: Vec<usize> = sql.sql.split('$').skip(1)
                .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap())
                .collect();
            prop_assert_eq!(&numbers, &(first..first + sql.params.len()).collect::<Vec<_>>(), "{}", sql.sql);
            prop_assert_eq!(sql, filter.to_sql(&World::schema(), first));
        }
    }

    #[test]
    fn survives_the_wire(seed: u64) {
        let world = World::new(seed);
        let policy = serde_json::to_string(&world.policy).unwrap();
        prop_assert_eq!(&serde_json::from_str::<TenantPolicy>(&policy).unwrap(), &world.policy);
        let grants = serde_json::to_string(&world.grants).unwrap();
        prop_assert_eq!(&serde_json::from_str::<SubjectGrants>(&grants).unwrap(), &world.grants);
        let (policy, subject) = world.compile();
        let explanation = explain(&policy, &subject, PERMISSIONS[0], None, &world.context());
        let json = serde_json::to_string(&explanation).unwrap();
        prop_assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation);
    }
}
