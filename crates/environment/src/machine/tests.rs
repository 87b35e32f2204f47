//! One rule a test, then random histories.

use proptest::prelude::*;
use types::{Random as _, SystemRandom};

use super::*;

fn request() -> RequestId {
    RequestId::random(&SystemRandom)
}

fn extension(machine: &mut Machine, name: &str, shutdown: bool) -> Uuid {
    let id = SystemRandom.uuid();
    machine.register(id, name, true, shutdown).unwrap();
    id
}

fn idle() -> Machine {
    let mut machine = Machine::new();
    machine.begin_init([]);
    assert_eq!(machine.runtime_next(), Ok(vec![Effect::InitDone]));
    machine
}

#[test]
fn init_ends_when_the_runtime_and_every_extension_have_asked_for_next() {
    let mut machine = Machine::new();
    machine.begin_init(["ext".to_owned()]);
    let internal = extension(&mut machine, "inner", false);
    let external = extension(&mut machine, "ext", true);
    assert_eq!(machine.extension_next(external), Ok(vec![]));
    assert_eq!(machine.runtime_next(), Ok(vec![]));
    assert_eq!(machine.extension_next(internal), Ok(vec![Effect::InitDone]));
}

#[test]
fn init_waits_for_an_extension_that_was_started_and_never_registered() {
    let mut machine = Machine::new();
    machine.begin_init(["ext".to_owned()]);
    assert_eq!(machine.runtime_next(), Ok(vec![]));
}

#[test]
fn an_invoke_is_over_when_it_is_answered_and_all_wait_again() {
    let mut machine = idle();
    let id = request();
    assert_eq!(machine.begin_invoke(id), Ok(vec![Effect::DeliverToRuntime]));
    assert_eq!(machine.runtime_next(), Err(Refusal::WrongState));
    assert_eq!(machine.answer_begins(id), Ok(()));
    assert_eq!(machine.answer_begins(id), Err(Refusal::WrongState));
    assert!(machine.answer_ends(id));
    assert_eq!(machine.runtime_next(), Ok(vec![Effect::InvokeDone]));
    assert_eq!(machine.answer_begins(id), Err(Refusal::WrongRequest));
}

#[test]
fn an_invoke_given_early_starts_when_the_runtime_asks() {
    let mut machine = idle();
    let (first, second) = (request(), request());
    machine.begin_invoke(first).unwrap();
    assert_eq!(machine.begin_invoke(second), Err(NotReady));
    machine.answer_begins(first).unwrap();
    machine.answer_ends(first);
    assert_eq!(machine.begin_invoke(second), Ok(vec![]));
    assert_eq!(machine.begin_invoke(request()), Err(NotReady));
    let effects = machine.runtime_next();
    assert_eq!(
        effects,
        Ok(vec![Effect::InvokeDone, Effect::DeliverToRuntime])
    );
    assert!(!machine.cancel_queued(second));
    assert_eq!(machine.answer_begins(second), Ok(()));
}

#[test]
fn an_invoke_given_early_can_be_taken_back() {
    let mut machine = idle();
    let (first, second) = (request(), request());
    machine.begin_invoke(first).unwrap();
    machine.answer_begins(first).unwrap();
    machine.answer_ends(first);
    machine.begin_invoke(second).unwrap();
    assert!(machine.cancel_queued(second));
    assert_eq!(machine.runtime_next(), Ok(vec![Effect::InvokeDone]));
}

#[test]
fn internal_extensions_cannot_have_shutdown_and_nobody_registers_after_init() {
    let mut machine = Machine::new();
    machine.begin_init([]);
    let id = SystemRandom.uuid();
    assert_eq!(
        machine.register(id, "inner", true, true),
        Err(Refusal::ShutdownForInternal)
    );
    machine.runtime_next().unwrap();
    assert_eq!(
        machine.register(id, "inner", true, false),
        Err(Refusal::RegistrationClosed)
    );
}

#[test]
fn there_are_ten_extensions_at_most() {
    let mut machine = Machine::new();
    machine.begin_init([]);
    for number in 0..EXTENSIONS_MAX {
        extension(&mut machine, &number.to_string(), false);
    }
    let id = SystemRandom.uuid();
    assert_eq!(
        machine.register(id, "x", true, false),
        Err(Refusal::TooManyExtensions)
    );
}

#[test]
fn shutdown_reaches_those_who_wait_now_and_those_who_ask_later() {
    let mut machine = Machine::new();
    machine.begin_init(["a".to_owned(), "b".to_owned()]);
    let (a, b) = (
        extension(&mut machine, "a", true),
        extension(&mut machine, "b", true),
    );
    machine.extension_next(a).unwrap();
    assert_eq!(
        machine.begin_shutdown(),
        (vec![Effect::ShutExtensionDown(a)], 2)
    );
    assert_eq!(
        machine.extension_next(b),
        Ok(vec![Effect::ShutExtensionDown(b)])
    );
}

#[test]
fn shutdown_is_told_once_to_each_and_whoever_asks_again_waits() {
    let mut machine = Machine::new();
    machine.begin_init(["a".to_owned()]);
    let a = extension(&mut machine, "a", true);
    machine.extension_next(a).unwrap();
    machine.runtime_next().unwrap();
    let told = vec![Effect::ShutExtensionDown(a)];
    assert_eq!(machine.begin_shutdown(), (told.clone(), 1));
    assert_eq!(machine.extension_next(a), Ok(vec![]));
    assert_eq!(machine.begin_shutdown(), (vec![], 1));
    assert_eq!(machine.runtime_next(), Ok(vec![]));
    machine.shutdown_missed(a);
    assert_eq!(machine.extension_next(a), Ok(told));
    assert_eq!(machine.extension_next(a), Ok(vec![]));
}

proptest! {
    #[test]
    fn an_invoke_is_delivered_and_answered_at_most_once(steps in prop::collection::vec(0u8..8, 0..200)) {
        let mut machine = Machine::new();
        let mut all: Vec<RequestId> = Vec::new();
        let (mut begun, mut delivered, mut answered) = (0, 0, 0);
        let mut count = |effects: &[Effect]| {
            delivered += effects.iter().filter(|e| **e == Effect::DeliverToRuntime).count();
        };
        for step in steps {
            let last = all.last().copied().unwrap_or_else(request);
            match step {
                0 => machine.begin_init([]),
                1 => machine.stop(),
                2 => { let _ = machine.runtime_next().map(|e| count(&e)); }
                3 => {
                    let id = request();
                    if let Ok(effects) = machine.begin_invoke(id) {
                        begun += 1;
                        all.push(id);
                        count(&effects);
                    }
                }
                4 => { let _ = machine.answer_begins(last); }
                5 => answered += usize::from(machine.answer_ends(last)),
                6 => { machine.begin_shutdown(); }
                _ => { machine.cancel_queued(last); }
            }
        }
        prop_assert!(delivered <= begun);
        prop_assert!(answered <= delivered);
    }
}
