//! The callee's side: typed handlers behind one object-safe face.

use super::{Call, CallError};
use crate::problem::Problem;
use crate::scope::Scope;
use futures::future::BoxFuture;
use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use tokio::time::Instant;

/// A registered handler of one call.
pub trait Handler: Send + Sync + 'static {
    /// The service that answers, which the credential's audience must name.
    fn service(&self) -> &'static str;
    /// The call as bytes, from the wire.
    fn call_wire(&self, scope: Scope, body: &[u8]) -> BoxFuture<'static, Result<Vec<u8>, Problem>>;
    /// The call as a value, within a process.
    fn call_value(
        &self,
        scope: Scope,
        call: Box<dyn Any + Send>,
    ) -> BoxFuture<'static, Result<Box<dyn Any + Send>, Problem>>;
}

/// The calls that a service answers.
#[derive(Default)]
pub struct Calls {
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
}

impl Calls {
    /// No calls.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers `C` with `handler`.
    #[must_use]
    pub fn on<C, F, Fut>(mut self, handler: F) -> Self
    where
        C: Call,
        F: Fn(Scope, C) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<C::Reply, Problem>> + Send + 'static,
    {
        self.handlers.insert(
            C::NAME,
            Arc::new(Typed {
                handler,
                call: PhantomData,
            }),
        );
        self
    }

    /// The handlers by name.
    #[must_use]
    pub fn into_handlers(self) -> HashMap<&'static str, Arc<dyn Handler>> {
        self.handlers
    }
}

struct Typed<C, F> {
    handler: F,
    call: PhantomData<fn(C)>,
}

impl<C, F, Fut> Handler for Typed<C, F>
where
    C: Call,
    F: Fn(Scope, C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C::Reply, Problem>> + Send + 'static,
{
    fn service(&self) -> &'static str {
        C::SERVICE
    }

    fn call_wire(&self, scope: Scope, body: &[u8]) -> BoxFuture<'static, Result<Vec<u8>, Problem>> {
        let call: C = match serde_json::from_slice(body) {
            Ok(call) => call,
            Err(e) => {
                let problem =
                    Problem::bad_request("mesh.bad_call", format!("{} cannot be read: {e}", C::NAME));
                return Box::pin(async move { Err(problem) });
            }
        };
        let answer = (self.handler)(scope, call);
        Box::pin(async move { serde_json::to_vec(&answer.await?).map_err(|e| Problem::internal(&e)) })
    }

    fn call_value(
        &self,
        scope: Scope,
        call: Box<dyn Any + Send>,
    ) -> BoxFuture<'static, Result<Box<dyn Any + Send>, Problem>> {
        match call.downcast::<C>() {
            Ok(call) => {
                let answer = (self.handler)(scope, *call);
                Box::pin(async move { answer.await.map(|reply| Box::new(reply) as Box<dyn Any + Send>) })
            }
            Err(_) => Box::pin(async { Err(mismatch(C::NAME)) }),
        }
    }
}

/// Runs a call in this process under a scope of its own, which carries the caller's authority on.
pub(super) async fn call_local<C: Call>(
    handler: &dyn Handler,
    scope: &Scope,
    deadline: Instant,
    call: C,
) -> Result<C::Reply, CallError> {
    let refused = |problem| CallError::Refused(Box::new(problem));
    let scope = scope.for_callee(deadline);
    if cfg!(debug_assertions) {
        let reply = handler.call_wire(scope, &encode(&call)?).await.map_err(refused)?;
        return decode::<C>(&reply);
    }
    let reply = handler.call_value(scope, Box::new(call)).await.map_err(refused)?;
    reply
        .downcast::<C::Reply>()
        .map(|reply| *reply)
        .map_err(|_| refused(mismatch(C::NAME)))
}

pub(super) fn encode<C: Call>(call: &C) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(call).map_err(|e| CallError::Refused(Box::new(Problem::internal(&e))))
}

pub(super) fn decode<C: Call>(reply: &[u8]) -> Result<C::Reply, CallError> {
    serde_json::from_slice(reply).map_err(|e| CallError::Refused(Box::new(Problem::internal(&e))))
}

fn mismatch(name: &str) -> Problem {
    Problem::internal(&std::io::Error::other(format!(
        "two types share the call name {name}"
    )))
}
