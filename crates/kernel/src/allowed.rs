//! [`Allowed<P>`]: the proof that the caller holds a permission, and with it the only [`Scope`] a handler gets.

use crate::decisions::{Caller, Decisions};
use crate::openapi;
use crate::problem::Problem;
use crate::request::{Identity, RequestContext};
use crate::scope::Scope;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response};
use axum::extract::FromRequestParts;
use http::request::Parts;
use std::marker::PhantomData;
use stoa_policy::{Attributes, DataScope, RowFilter};

/// A permission, as a type, so that a handler's signature says what it needs.
pub trait Permission: Send + Sync + 'static {
    /// `resource:action`, such as `customers:read`.
    const NAME: &'static str;
}

/// Declares permissions as types: `permissions! { /// Read customers. ReadCustomers = "customers:read"; }` and a
/// `PERMISSIONS` list for the service's value.
#[macro_export]
macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug)]
            pub enum $name {}
            impl $crate::Permission for $name {
                const NAME: &'static str = $value;
            }
        )+
        /// Every permission of this service, with its description.
        pub const PERMISSIONS: &[(&str, &str)] = &[$(($value, concat!($($doc),+))),+];
    };
}

/// The caller holds `P`. Owns the scope of the request: without an `Allowed` a handler cannot reach the database.
pub struct Allowed<P> {
    /// On whose behalf the handler works.
    pub scope: Scope,
    /// On which rows. A field of its own, so that a row can be judged while a transaction borrows the scope.
    pub rights: Rights<P>,
}

/// The rows on which the caller holds `P`.
pub struct Rights<P> {
    caller: Caller,
    permission: PhantomData<P>,
}

impl<P: Permission> Rights<P> {
    /// What the user of `scope` holds now, for work outside of a request: a job acts for a user who may have lost the
    /// permission since. Ask again at every step; the answer does not follow later changes.
    ///
    /// # Errors
    /// 403 as a request would get it, also when Stoa itself acts and so has no user; 503 when the policies cannot be had.
    pub async fn of(decisions: &Decisions, scope: &Scope) -> Result<Self, Problem> {
        let user = scope.user().ok_or_else(|| {
            Problem::forbidden(format!("{} is a user's to hold, and no user acts here", P::NAME))
        })?;
        let tenant = scope.tenant();
        Self::held_by(decisions.caller(Identity { tenant, user }).await?)
    }

    /// The rights of a caller who holds the permission at least on some rows.
    fn held_by(caller: Caller) -> Result<Self, Problem> {
        if !caller.decide(P::NAME, None).allowed {
            return Err(caller.refusal(P::NAME, None));
        }
        Ok(Self {
            caller,
            permission: PhantomData,
        })
    }

    /// Which rows the caller may touch with `P`, narrowed (never widened) to `narrow`.
    #[must_use]
    pub fn rows(&self, narrow: Option<DataScope>) -> RowFilter {
        self.caller.row_filter(P::NAME, narrow)
    }

    /// Which rows the caller may touch with another permission.
    #[must_use]
    pub fn rows_of<Q: Permission>(&self) -> RowFilter {
        self.caller.row_filter(Q::NAME, None)
    }

    /// Whether the caller may do `P` to this row: 404 when `Visible` does not show it, 403 when it does but `P` is
    /// not granted on it.
    ///
    /// # Errors
    /// The 404 or 403 to answer with.
    pub fn on<Visible: Permission>(&self, row: &dyn Attributes, what: &str) -> Result<(), Problem> {
        if self.caller.decide(P::NAME, Some(row)).allowed {
            return Ok(());
        }
        if self.caller.decide(Visible::NAME, Some(row)).allowed {
            return Err(self.caller.refusal(P::NAME, Some(row)));
        }
        Err(Problem::not_found(what))
    }

    /// The row that was found, when the caller may do `P` to it; as [`Rights::on`].
    ///
    /// # Errors
    /// The 404 or 403 to answer with.
    pub fn find<Visible: Permission, R: Attributes>(&self, row: Option<R>, what: &str) -> Result<R, Problem> {
        let row = row.ok_or_else(|| Problem::not_found(what))?;
        self.on::<Visible>(&row, what).map(|()| row)
    }

    /// Whether the caller may do `P` to a row as it will be: what is created, or how an update leaves it.
    ///
    /// # Errors
    /// 403, also when the row would be out of sight: the caller proposed it.
    pub fn to_become(&self, row: &dyn Attributes) -> Result<(), Problem> {
        if self.caller.decide(P::NAME, Some(row)).allowed {
            return Ok(());
        }
        Err(self.caller.refusal_to_become(P::NAME, row))
    }

    /// The caller's view of the policy, for decisions beyond `P`.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl<P: Permission> Allowed<P> {
    /// As [`Rights::rows`].
    #[must_use]
    pub fn rows(&self, narrow: Option<DataScope>) -> RowFilter {
        self.rights.rows(narrow)
    }

    /// As [`Rights::rows_of`].
    #[must_use]
    pub fn rows_of<Q: Permission>(&self) -> RowFilter {
        self.rights.rows_of::<Q>()
    }

    /// As [`Rights::on`].
    ///
    /// # Errors
    /// The 404 or 403 to answer with.
    pub fn on<Visible: Permission>(&self, row: &dyn Attributes, what: &str) -> Result<(), Problem> {
        self.rights.on::<Visible>(row, what)
    }

    /// As [`Rights::caller`].
    #[must_use]
    pub fn caller(&self) -> &Caller {
        self.rights.caller()
    }
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let context = RequestContext::of(parts)?;
        let rights = Rights::held_by(context.caller().await?)?;
        let scope = context
            .scope()
            .ok_or_else(|| Problem::unauthenticated("send an access token as Bearer"))?;
        Ok(Self { scope, rights })
    }
}

impl<P: Permission> aide::OperationInput for Allowed<P> {
    fn operation_input(_ctx: &mut GenContext, operation: &mut Operation) {
        operation
            .extensions
            .insert(openapi::PERMISSION.to_owned(), P::NAME.into());
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, Response)> {
        vec![
            (Some(401), openapi::problem_response(ctx, "No valid access token")),
            (
                Some(403),
                openapi::problem_response(ctx, &format!("The caller lacks `{}`", P::NAME)),
            ),
        ]
    }
}

/// Any signed-in caller, whatever the grants: for what belongs to the caller alone, such as the own session.
pub struct SignedIn {
    /// On whose behalf the handler works.
    pub scope: Scope,
    /// The caller's view of the policy.
    pub caller: Caller,
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let context = RequestContext::of(parts)?;
        let caller = context.caller().await?;
        let scope = context
            .scope()
            .ok_or_else(|| Problem::unauthenticated("send an access token as Bearer"))?;
        Ok(Self { scope, caller })
    }
}

impl aide::OperationInput for SignedIn {
    fn operation_input(_ctx: &mut GenContext, operation: &mut Operation) {
        operation
            .extensions
            .insert(openapi::AUTHENTICATED.to_owned(), true.into());
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _operation: &mut Operation,
    ) -> Vec<(Option<u16>, Response)> {
        vec![(Some(401), openapi::problem_response(ctx, "No valid access token"))]
    }
}

/// Marks a handler that anybody may call. Without one of the three markers an endpoint has no rule, and is denied.
pub struct Public;

impl<S: Send + Sync> FromRequestParts<S> for Public {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self)
    }
}

impl aide::OperationInput for Public {
    fn operation_input(_ctx: &mut GenContext, operation: &mut Operation) {
        operation
            .extensions
            .insert(openapi::PUBLIC.to_owned(), true.into());
    }
}
