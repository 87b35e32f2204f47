//! Words for assignment: said in order, several at once when they come fast, and again until they are heard.
//!
//! An environment of which assignment does not hear that it is idle is lent to nobody, and one of which it does
//! not hear that it is gone is lent in vain.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use api::assignment::{Assignment, Report};
use types::Backoff;

/// The first pause before words are said again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// So many words are said at once.
const AT_ONCE_MAX: usize = 1_000;

/// What has not been heard yet. Bounded by the worker's environments: each has one word to say, at its invoke's end or
/// its own, before there can be another.
#[derive(Default)]
pub(crate) struct Outbox {
    words: Mutex<Words>,
}

#[derive(Default)]
struct Words {
    waiting: VecDeque<Report>,
    /// Whether somebody is saying them.
    speaking: bool,
}

impl Outbox {
    /// Puts a word behind the others. True if whoever puts it must [`Outbox::speak`], since nobody does.
    pub(crate) fn put(&self, word: Report) -> bool {
        let mut words = self.lock();
        words.waiting.push_back(word);
        !std::mem::replace(&mut words.speaking, true)
    }

    /// Says all that waits, and what comes meanwhile.
    pub(crate) async fn speak(&self, assignment: &dyn Assignment) {
        let mut pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        while let Some(batch) = self.batch() {
            let said = batch.len();
            if assignment.report(batch).await.is_ok() {
                self.lock().waiting.drain(..said);
                pauses = Backoff::new(PAUSE_MIN, PAUSE_MAX);
            } else {
                tokio::time::sleep(pauses.pause()).await;
            }
        }
    }

    fn batch(&self) -> Option<Vec<Report>> {
        let mut words = self.lock();
        let batch: Vec<Report> = words.waiting.iter().take(AT_ONCE_MAX).cloned().collect();
        words.speaking = !batch.is_empty();
        words.speaking.then_some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, Words> {
        self.words
            .lock()
            .expect("no code panics while it holds the words")
    }
}

#[cfg(test)]
mod tests {
    use api::assignment::{Assign, Error, Event, Lease, Lend, Provision, Standing};
    use async_trait::async_trait;
    use records::examples;
    use records::functions::FunctionKey;
    use types::{EnvironmentId, SystemRandom};

    use super::*;

    /// Hears nothing so many times, and is slow.
    #[derive(Default)]
    struct Deaf {
        times: Mutex<u32>,
        heard: Mutex<Vec<Vec<Report>>>,
    }

    #[async_trait]
    impl Assignment for Deaf {
        async fn lend(&self, _: Lend) -> Result<Option<Lease>, Error> {
            Err(Error::Unavailable)
        }

        async fn assign(&self, _: Assign) -> Result<Lease, Error> {
            Err(Error::Unavailable)
        }

        async fn give_back(&self, _: Lease, _: FunctionKey) -> Result<(), Error> {
            Err(Error::Unavailable)
        }

        async fn provision(&self, _: Vec<Provision>) -> Result<Vec<Standing>, Error> {
            Err(Error::Unavailable)
        }

        async fn report(&self, reports: Vec<Report>) -> Result<(), Error> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let mut times = self.times.lock().unwrap();
            if *times > 0 {
                *times -= 1;
                return Err(Error::Unavailable);
            }
            self.heard.lock().unwrap().push(reports);
            Ok(())
        }
    }

    fn word() -> Report {
        let function = examples::function_version("f", examples::configuration());
        Report {
            environment: EnvironmentId::random(&SystemRandom),
            function: function.key(),
            event: Event::Gone,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn words_that_are_not_heard_are_said_again_in_order_until_they_are() {
        let deaf = Deaf {
            times: Mutex::new(100),
            ..Deaf::default()
        };
        let outbox = Outbox::default();
        let words: Vec<Report> = (0..10).map(|_| word()).collect();
        assert!(outbox.put(words[0].clone()));
        let others = async {
            for word in &words[1..] {
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert!(!outbox.put(word.clone()), "one speaks at a time");
            }
        };
        tokio::join!(outbox.speak(&deaf), others);
        assert_eq!(deaf.heard.lock().unwrap().concat(), words);
        assert!(outbox.put(word()), "nobody speaks any more");
    }

    #[tokio::test(start_paused = true)]
    async fn words_that_come_while_others_are_said_go_together() {
        let deaf = Deaf::default();
        let outbox = Outbox::default();
        outbox.put(word());
        let others = async {
            for _ in 0..10 {
                outbox.put(word());
            }
        };
        tokio::join!(outbox.speak(&deaf), others);
        let heard = deaf.heard.lock().unwrap();
        let said: Vec<usize> = heard.iter().map(Vec::len).collect();
        assert_eq!(said, [1, 10]);
    }
}
