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

/// Letters, digits, `_`, `-`, `.`; 1 to 100 bytes.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
