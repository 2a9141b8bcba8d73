//! The rules of the tree, without a database.

use super::*;
use stoa_kernel::Actor;

fn origin() -> Origin {
    Origin {
        actor: Actor::System("test".to_owned()),
        correlation: stoa_types::new_id(),
        causation: None,
        traceparent: None,
    }
}

fn branch(parent: Option<&Branch>, organization: OrganizationId) -> Branch {
    let record = Record::new(&origin(), &Clock::system());
    Branch::new(BranchId::new(), organization, parent, "Branch".to_owned(), record).unwrap()
}

// covers: CRM-02
#[test]
fn moving_a_branch_rewrites_the_paths_below_it() {
    let organization = OrganizationId::new();
    let root = branch(None, organization);
    let north = branch(Some(&root), organization);
    let south = branch(Some(&root), organization);
    let city = branch(Some(&north), organization);

    let subtree = [north.clone(), city.clone()];
    let after = moved_subtree(&north, &subtree, Some(&south), &origin(), &Clock::system()).unwrap();

    assert_eq!(after[0].path, [root.id, south.id, north.id]);
    assert_eq!(after[0].parent_id, Some(south.id));
    assert_eq!(after[1].path, [root.id, south.id, north.id, city.id]);
    assert_eq!(after[1].parent_id, Some(north.id), "its own parent stays");
    assert!(after.iter().all(|b| b.record.version == 2));

    let to_top = moved_subtree(&north, &subtree, None, &origin(), &Clock::system()).unwrap();
    assert_eq!(to_top[1].path, [north.id, city.id]);
}

// covers: CRM-02
#[test]
fn a_branch_cannot_move_below_itself() {
    let organization = OrganizationId::new();
    let root = branch(None, organization);
    let child = branch(Some(&root), organization);
    let subtree = [root.clone(), child.clone()];
    for parent in [&root, &child] {
        let refused = moved_subtree(&root, &subtree, Some(parent), &origin(), &Clock::system()).unwrap_err();
        assert_eq!(
            (
                refused.errors[0].pointer.as_str(),
                refused.errors[0].rule.as_str()
            ),
            ("/parentId", "cycle")
        );
    }
}

// covers: CRM-02
#[test]
fn a_tree_has_at_most_twenty_levels() {
    let organization = OrganizationId::new();
    let mut chain = vec![branch(None, organization)];
    while chain.len() < MAX_DEPTH {
        chain.push(branch(chain.last(), organization));
    }
    let record = Record::new(&origin(), &Clock::system());
    let deeper = Branch::new(
        BranchId::new(),
        organization,
        chain.last(),
        "Branch".to_owned(),
        record,
    );
    assert_eq!(deeper.unwrap_err().errors[0].rule, "depth");

    let tall = [branch(None, organization)];
    let child = branch(Some(&tall[0]), organization);
    let subtree = [tall[0].clone(), child];
    let refused = moved_subtree(
        &tall[0],
        &subtree,
        Some(&chain[MAX_DEPTH - 2]),
        &origin(),
        &Clock::system(),
    )
    .unwrap_err();
    assert_eq!(refused.errors[0].rule, "depth", "the child would be on level 21");
}

// covers: CRM-01
#[test]
fn names_are_trimmed_and_bounded() {
    let input = |name: &str| {
        OrganizationInput {
            name: name.to_owned(),
            status: None,
        }
        .checked()
    };
    assert_eq!(input("  Acme ").unwrap().name, "Acme");
    assert_eq!(input("A").unwrap_err().errors[0].pointer, "/name");
    assert!(input(&"ü".repeat(200)).is_ok() && input(&"ü".repeat(201)).is_err());
}

#[test]
fn a_move_says_where_to() {
    assert!(serde_json::from_str::<BranchMove>("{}").is_err());
    assert_eq!(
        serde_json::from_str::<BranchMove>(r#"{"parentId":null}"#)
            .unwrap()
            .parent_id,
        None
    );
}
