//! Random mutations of inputs.

use glasshouse_fuzz::Target;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Mutates the seeds of a target.
pub(crate) struct Mutator {
    seeds: Vec<Vec<u8>>,
    parts: Vec<Vec<u8>>,
    random: StdRng,
}

/// Characters at the edges of what parsers distinguish, for every target.
const CHARACTERS: &str =
    "\0\t\n\r !\"%&'()*+,-./0129:;<=>?@AZ[\\]^_`az{|}~\u{7f}\u{85}\u{a0}é\u{301}ſİ\u{200b}\u{feff}\u{fffd}😀";

/// The maximum number of mutations of one input.
const MUTATIONS: usize = 5;
/// The longest input, in bytes.
const MAX_LENGTH: usize = 1024;

impl Mutator {
    pub(crate) fn new(target: &Target, seed: u64) -> Self {
        let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let mut parts = bytes(target.dictionary);
        parts.extend(CHARACTERS.chars().map(|c| c.to_string().into_bytes()));
        Self { seeds: bytes(target.seeds), parts, random: StdRng::seed_from_u64(seed) }
    }

    /// Another input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seeds.choose(&mut self.random).cloned().unwrap_or_default();
        for _ in 0..self.random.random_range(1..=MUTATIONS) {
            self.mutate(&mut input);
        }
        input.truncate(MAX_LENGTH);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let at = self.random.random_range(0..=input.len());
        let end = self.random.random_range(at..=input.len());
        match self.random.random_range(0..7) {
            // Insert a part, or replace a range by it.
            0 => drop(input.splice(at..at, self.part())),
            1 => drop(input.splice(at..end, self.part())),
            // Remove a range, or repeat it.
            2 => drop(input.drain(at..end)),
            3 => {
                let range = input[at..end].repeat(self.random.random_range(1..=16));
                drop(input.splice(at..at, range));
            }
            // Change a byte.
            4 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.random.random();
                }
            }
            5 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.random.random_range(0..8);
                }
            }
            // Go on as another seed.
            _ => {
                let other = self.seeds.choose(&mut self.random).cloned().unwrap_or_default();
                let from = self.random.random_range(0..=other.len());
                drop(input.splice(at..end, other[from..].iter().copied()));
            }
        }
    }

    fn part(&mut self) -> Vec<u8> {
        self.parts.choose(&mut self.random).cloned().unwrap_or_default()
    }
}
