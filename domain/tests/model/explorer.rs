//! The search: visits every state that can be reached from the first one, once.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};

use glasshouse_domain::order::OrderState;
use glasshouse_domain::payment::PaymentState;

use crate::invariants::violated;
use crate::state::{State, Step};

/// What a complete search has seen.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// The number of ways from the first state to a last one.
    pub(crate) executions: u128,
    /// The states of the orders and payments when nothing is left to do.
    pub(crate) outcomes: BTreeSet<(OrderState, PaymentState)>,
}

/// The numbers, as columns of a table.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, executions, .. } = self;
        write!(f, "{states} | {steps} | {:.1e}", *executions as f64)
    }
}

/// An invariant that does not hold, and an execution that leads there.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    state: Box<State>,
    /// Last step first.
    steps: Vec<Step>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} does not hold after", self.invariant)?;
        for step in self.steps.iter().rev() {
            writeln!(f, "    {step:?}")?;
        }
        write!(f, "in {:#?}", self.state.world)
    }
}

/// Visits every state that can be reached from `first`.
pub(crate) fn explore(first: &State) -> Result<Report, Box<Violation>> {
    let mut explorer = Explorer::default();
    let executions = explorer.visit(first)?;
    Ok(Report { states: explorer.visited.len(), executions, ..explorer.report })
}

#[derive(Default)]
struct Explorer {
    /// By the hash of a state: the number of executions from there, or `None` while they are visited.
    visited: HashMap<u128, Option<u128>>,
    report: Report,
}

impl Explorer {
    /// Visits a state and all that follow it, depth first. Returns the number of executions.
    fn visit(&mut self, state: &State) -> Result<u128, Box<Violation>> {
        let hash = hash(state);
        match self.visited.insert(hash, None) {
            None => {}
            Some(Some(executions)) => {
                self.visited.insert(hash, Some(executions));
                return Ok(executions);
            }
            Some(None) => return Err(violation("every_schedule_ends", state)),
        }
        let successors = state.successors();
        if let Some(invariant) = violated(state, successors.is_empty()) {
            return Err(violation(invariant, state));
        }
        let mut executions = u128::from(successors.is_empty());
        if successors.is_empty() {
            self.report.outcomes.extend(state.world.rows.iter().map(|row| (row.order, row.payment)));
        }
        for (step, next) in &successors {
            self.report.steps += 1;
            executions += self.visit(next).map_err(|mut violation| {
                violation.steps.push(*step);
                violation
            })?;
        }
        self.visited.insert(hash, Some(executions));
        Ok(executions)
    }
}

fn violation(invariant: &'static str, state: &State) -> Box<Violation> {
    Box::new(Violation { invariant, state: Box::new(state.clone()), steps: Vec::new() })
}

fn hash(state: &State) -> u128 {
    let mut hasher = Fnv::default();
    state.hash(&mut hasher);
    hasher.0
}

/// FNV-1a with 128 bits, by words. Of a million states, two have the same hash with a probability of about 10⁻²⁷.
struct Fnv(u128);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv {
    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ u128::from(word)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        (self.0 >> 64) as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.add(u64::from(*byte)));
    }

    fn write_usize(&mut self, word: usize) {
        self.add(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.add(word as u64);
    }
}
