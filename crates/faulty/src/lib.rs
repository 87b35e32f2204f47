//! A network between two roles, or between a role and its store: calls that are delayed, lost and duplicated.
//!
//! ```text
//!   caller ──▶ Faulty<dyn Arrow> ──▶ callee
//!                    │ asks
//!                  Faults: what becomes of this call, by chance from a seed
//! ```
//!
//! Read in this order: [`faults`] decides what happens to a call and carries it; `arrows` and `stores`
//! are each trait behind that; `relay` carries streams. With a fixed delay and no loss it is the
//! rehearsal of a network.
//!
//! A call that is lost ends in the error that its arrow has for that: the callee certainly did nothing,
//! or the outcome is not known. Where an arrow has one error for both, its contract makes a repeat
//! harmless.

mod arrows;
pub mod faults;
mod relay;
mod seeded;
mod stores;

use std::sync::Arc;

use api::Lost;
pub use faults::{Faults, Rates};
pub use seeded::Seeded;

/// An arrow or a store that is reached through a network with [`Faults`].
pub struct Faulty<T: ?Sized> {
    callee: Arc<T>,
    faults: Arc<Faults>,
}

impl<T: ?Sized> Faulty<T> {
    /// Puts a network in front of `callee`.
    pub fn new(callee: Arc<T>, faults: Arc<Faults>) -> Self {
        Self { callee, faults }
    }
}

/// An answer that can say that a call was lost.
trait Loses {
    /// What the caller learns about it.
    fn lost(lost: Lost) -> Self;
}

impl<T: ?Sized + Send + Sync + 'static> Faulty<T> {
    /// Calls the callee if the request arrives, and returns the answer if that arrives. `what` names
    /// the call in the history.
    async fn call<R, A, F>(
        &self,
        what: &'static str,
        request: R,
        ask: impl Fn(Arc<T>, R) -> F + Send + Sync,
    ) -> A
    where
        R: Clone + Send + Sync,
        A: Loses + Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        let ask = || ask(Arc::clone(&self.callee), request.clone());
        let answer = self.faults.carry(what, ask).await;
        answer.unwrap_or_else(A::lost)
    }
}
