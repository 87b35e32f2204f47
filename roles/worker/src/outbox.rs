//! Words for assignment, said again until they are heard.
//!
//! An environment of which assignment does not hear that it is idle is lent to nobody, and one of which it does
//! not hear that it is gone is lent in vain.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assignment, Report};
use types::Backoff;

/// The first pause before a word is said again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Says a word again that was not heard.
pub(crate) async fn repeat(assignment: Arc<dyn Assignment>, word: Report) {
    let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
    loop {
        tokio::time::sleep(pauses.pause()).await;
        if assignment.report(word.clone()).await.is_ok() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use api::assignment::{Assign, Error, Event, Lease, Provision, Standing};
    use async_trait::async_trait;
    use records::examples;
    use records::functions::FunctionKey;
    use types::{EnvironmentId, SystemRandom};

    use super::*;

    /// Hears nothing so many times.
    struct Deaf(Mutex<(u32, Vec<Report>)>);

    #[async_trait]
    impl Assignment for Deaf {
        async fn assign(&self, _: Assign) -> Result<Lease, Error> {
            Err(Error::Unavailable)
        }

        async fn give_back(&self, _: Lease, _: FunctionKey) -> Result<(), Error> {
            Err(Error::Unavailable)
        }

        async fn provision(&self, _: Vec<Provision>) -> Result<Vec<Standing>, Error> {
            Err(Error::Unavailable)
        }

        async fn report(&self, report: Report) -> Result<(), Error> {
            let mut inner = self.0.lock().unwrap();
            if inner.0 > 0 {
                inner.0 -= 1;
                return Err(Error::Unavailable);
            }
            inner.1.push(report);
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_word_that_is_not_heard_is_said_again_until_it_is() {
        let deaf = Arc::new(Deaf(Mutex::new((100, Vec::new()))));
        let function = examples::function_version("f", examples::configuration());
        let word = Report {
            environment: EnvironmentId::random(&SystemRandom),
            function: function.key(),
            event: Event::Idle,
        };
        repeat(Arc::clone(&deaf) as Arc<dyn Assignment>, word.clone()).await;
        assert_eq!(deaf.0.lock().unwrap().1, [word]);
    }
}
