//! Each target on its seeds and on random mutations of them: the short form of `make fuzz`, on any toolchain. The random numbers
//! come from a fixed seed, so a finding is found again.

mod mutation;

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread::{available_parallelism, scope};

use glasshouse_fuzz::Target;
use glasshouse_fuzz::targets::ALL;

use mutation::Mutator;

/// The number of mutations of each target.
const EXECUTIONS: usize = 4000;
const SEED: u64 = 20_261_126;

/// The first input for which a property does not hold. The panic has printed which.
fn finding(target: &Target, executions: usize) -> Option<String> {
    let mut mutator = Mutator::new(target, SEED);
    let mutations = (0..executions).map(|_| mutator.next());
    let seeds = target.seeds.iter().map(|seed| seed.as_bytes().to_vec());
    let found = seeds.chain(mutations).find(|input| catch_unwind(|| (target.run)(input)).is_err());
    found.map(|input| format!("{}: b\"{}\"", target.name, input.escape_ascii()))
}

#[test]
fn no_property_is_violated() {
    let (targets, findings) = (Mutex::new(ALL.iter()), Mutex::new(Vec::new()));
    let next = || targets.lock().unwrap().next();
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    findings.lock().unwrap().extend(finding(target, EXECUTIONS));
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    assert!(findings.is_empty(), "the seed {SEED} finds:\n{}", findings.join("\n"));
}

#[test]
fn mutations_find_what_a_seed_does_not() {
    let defects: [fn(&[u8]); 3] = [
        |input| assert!(!input.starts_with(b"c10")),
        |input| assert!(!std::str::from_utf8(input).is_ok_and(|text| !text.is_ascii())),
        |input| assert!(input.len() < 64),
    ];
    for run in defects {
        let target = Target { name: "defect", seeds: &["c1ab", "x"], dictionary: &["0"], run };
        assert!(finding(&target, EXECUTIONS).is_some());
    }
}

#[test]
fn targets_have_seeds_and_are_in_alphabetical_order() {
    assert!(ALL.is_sorted_by(|one, next| one.name < next.name));
    assert!(ALL.iter().all(|target| !target.seeds.is_empty() && !target.dictionary.is_empty()));
}
