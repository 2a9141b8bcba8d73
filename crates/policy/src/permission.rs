//! The names of permissions.

/// A parsed permission of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PermissionPattern<'a> {
    /// `*` or `*:*`.
    Everything,
    /// `resource:*`.
    Resource(&'a str),
    /// `resource:action`.
    Exact {
        /// Before the colon.
        resource: &'a str,
    },
}

impl<'a> PermissionPattern<'a> {
    /// Parses what a grant may say; `None` when it is none of the four forms.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text == "*" || text == "*:*" {
            return Some(Self::Everything);
        }
        let (resource, action) = text.split_once(':')?;
        match (is_name(resource), action) {
            (true, "*") => Some(Self::Resource(resource)),
            (true, action) if is_name(action) => Some(Self::Exact { resource }),
            _ => None,
        }
    }

    /// The resource, unless it is every resource.
    pub(crate) fn resource(self) -> Option<&'a str> {
        match self {
            Self::Everything => None,
            Self::Resource(resource) | Self::Exact { resource, .. } => Some(resource),
        }
    }
}

/// Whether a grant of `wide` is about everything that a grant of `narrow` is about: `customers:*` includes
/// `customers:read` and itself. Two permissions of grants overlap exactly when one includes the other. False when either
/// is none of the four forms.
#[must_use]
pub fn permission_includes(wide: &str, narrow: &str) -> bool {
    match (PermissionPattern::parse(wide), PermissionPattern::parse(narrow)) {
        (Some(PermissionPattern::Everything), Some(_)) => true,
        (Some(PermissionPattern::Resource(resource)), Some(narrow)) => narrow.resource() == Some(resource),
        (Some(PermissionPattern::Exact { .. }), Some(_)) => wide == narrow,
        _ => false,
    }
}

/// Letters, digits, `_`, `-`, `.`; 1 to 100 bytes.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: AZ-01
    #[test]
    fn a_permission_includes_what_it_names() {
        let all = ["*", "*:*", "a:*", "a:x", "a:y", "b:*", "b:x"];
        let includes = |wide| all.map(|narrow| u8::from(permission_includes(wide, narrow)));
        assert_eq!(includes("*"), [1; 7]);
        assert_eq!(includes("*:*"), [1; 7]);
        assert_eq!(includes("a:*"), [0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(includes("a:x"), [0, 0, 0, 1, 0, 0, 0]);
        assert!(!permission_includes("a", "a") && !permission_includes("*", "a:b:c"));
    }
}
