//! Random histories: whatever comes in whatever order, the invariants hold and nothing leaks.

mod model;

use proptest::prelude::*;

use model::{Model, WORKERS};

/// Something that happens; numbers choose among what there is to choose from.
#[derive(Clone, Debug)]
enum Step {
    Assign {
        function: usize,
        zone: usize,
    },
    Deploy {
        function: usize,
        generation: u64,
    },
    GoAway(usize),
    LosePatience(usize),
    Record {
        which: usize,
        lasts_seconds: u64,
    },
    EndCreation {
        which: usize,
        well: bool,
    },
    Return(usize),
    ReturnAgain(usize),
    Die(usize),
    Destroyed(usize),
    Wish {
        counts: [usize; 2],
        held: bool,
    },
    Pass {
        seconds: u64,
    },
    Drain,
    /// Another process leads from here on; what the worker had not received is not done.
    Move {
        received: bool,
    },
    EndOrphan {
        which: usize,
        well: bool,
    },
    WorkerGone(u64),
    WorkersDrain {
        first: bool,
        second: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>();
    prop_oneof![
        12 => (0..2usize, 0..3usize).prop_map(|(function, zone)| Step::Assign { function, zone }),
        1 => (0..2usize, 1..5u64)
            .prop_map(|(function, generation)| Step::Deploy { function, generation }),
        2 => any.prop_map(Step::GoAway),
        4 => any.prop_map(Step::LosePatience),
        8 => (any, 0..2_000u64)
            .prop_map(|(which, lasts_seconds)| Step::Record { which, lasts_seconds }),
        8 => (any, prop::bool::weighted(0.8))
            .prop_map(|(which, well)| Step::EndCreation { which, well }),
        10 => any.prop_map(Step::Return),
        2 => any.prop_map(Step::ReturnAgain),
        2 => any.prop_map(Step::Die),
        4 => any.prop_map(Step::Destroyed),
        3 => ([0..4usize, 0..4usize], prop::bool::ANY)
            .prop_map(|(counts, held)| Step::Wish { counts, held }),
        3 => (0..700u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => prop::bool::ANY.prop_map(|received| Step::Move { received }),
        4 => (any, prop::bool::weighted(0.8))
            .prop_map(|(which, well)| Step::EndOrphan { which, well }),
        1 => (1..=WORKERS).prop_map(Step::WorkerGone),
        1 => (prop::bool::ANY, prop::bool::ANY)
            .prop_map(|(first, second)| Step::WorkersDrain { first, second }),
        1 => prop::bool::weighted(0.05)
            .prop_map(|drain| if drain { Step::Drain } else { Step::Pass { seconds: 1 } }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_an_invariant_or_leaves_anything(
        steps in proptest::collection::vec(step(), 1..150)
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.state.assert_invariants(model.now, &model.journal);
        }
        model.settle();
    }

    #[test]
    fn after_any_history_what_is_wished_for_comes_to_be(
        steps in proptest::collection::vec(step(), 1..80)
    ) {
        let mut model = Model::new();
        let steps = steps.into_iter().filter(|step| !matches!(step, Step::Drain));
        for step in steps {
            model.take(step);
        }
        model.prosper();
        model.state.assert_invariants(model.now, &model.journal);
    }
}
