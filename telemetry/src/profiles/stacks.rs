//! Samples, counted by stack, endpoint and span.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use indexmap::IndexSet;
use opentelemetry::SpanId;
use pyroscope::backend::StackTrace;
use pyroscope::encode::r#gen::google::{
    Function, Label as PprofLabel, Line, Location, Profile, Sample, ValueType,
};

use super::label::Label;

/// Samples per second of CPU time.
pub(super) const HERTZ: u32 = 100;
/// The CPU time of one sample.
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / HERTZ as u64);

/// The number of samples of each stack, endpoint and span. Names are interned, so that many stacks need little memory.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    texts: IndexSet<String>,
    /// Name and file.
    functions: IndexSet<(usize, usize)>,
    /// Function and line.
    locations: IndexSet<(usize, u32)>,
    counts: HashMap<Stack, u64>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Stack {
    /// Innermost frame first.
    locations: Box<[usize]>,
    endpoint: Option<usize>,
    span: Option<SpanId>,
}

impl Stacks {
    /// Adds samples of a stack.
    pub(super) fn add(&mut self, stack: &StackTrace, samples: usize) {
        let locations = stack.frames.iter().map(|frame| {
            let name = self.text(frame.name.as_deref().unwrap_or_default());
            let file = self.text(frame.filename.as_deref().unwrap_or_default());
            let function = self.functions.insert_full((name, file)).0;
            self.locations.insert_full((function, frame.line.unwrap_or_default())).0
        });
        let locations = locations.collect();
        let (endpoint, span) = stack.thread_name.as_deref().and_then(Label::decode).unzip();
        let endpoint = endpoint.map(|endpoint| self.text(&endpoint));
        let stack = Stack { locations, endpoint, span: span.flatten() };
        *self.counts.entry(stack).or_default() += samples as u64;
    }

    /// Drops the samples of all other endpoints, and those outside of requests.
    pub(super) fn retain_endpoint(&mut self, endpoint: &str) {
        let endpoint = self.texts.get_index_of(endpoint);
        self.counts.retain(|stack, _| endpoint.is_some() && stack.endpoint == endpoint);
    }

    fn text(&mut self, text: &str) -> usize {
        self.texts.get_index_of(text).unwrap_or_else(|| self.texts.insert_full(text.to_owned()).0)
    }

    /// In the format of pprof.
    pub(super) fn pprof(&self, begun: SystemTime, took: Duration) -> Profile {
        let mut texts = Texts::new(&self.texts);
        let cpu = ValueType { r#type: texts.add("cpu"), unit: texts.add("nanoseconds") };
        let (endpoint, span_id) = (texts.add("endpoint"), texts.add("span_id"));
        let label = |key, str| PprofLabel { key, str, ..PprofLabel::default() };
        let period = nanoseconds(PERIOD);
        let samples = self.counts.iter().map(|(stack, count)| Sample {
            location_id: stack.locations.iter().map(|index| id(*index)).collect(),
            value: vec![period.saturating_mul(i64::try_from(*count).unwrap_or(i64::MAX))],
            label: (stack.endpoint.map(|index| label(endpoint, Texts::of(index))))
                .into_iter()
                .chain(stack.span.map(|span| label(span_id, texts.add(&span.to_string()))))
                .collect(),
        });
        let locations = self.locations.iter().enumerate().map(|(index, (function, line))| Location {
            id: id(index),
            line: vec![Line { function_id: id(*function), line: (*line).into() }],
            ..Location::default()
        });
        let functions = self.functions.iter().enumerate().map(|(index, (name, file))| Function {
            id: id(index),
            name: Texts::of(*name),
            filename: Texts::of(*file),
            ..Function::default()
        });
        Profile {
            sample_type: vec![cpu],
            sample: samples.collect(),
            location: locations.collect(),
            function: functions.collect(),
            string_table: texts.0,
            time_nanos: nanoseconds(begun.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()),
            duration_nanos: nanoseconds(took),
            period_type: Some(cpu),
            period,
            ..Profile::default()
        }
    }

    /// One line a stack, in the folded format of flame graphs: the endpoint, the functions, outermost first, and the
    /// number of samples.
    pub(super) fn folded(&self) -> Vec<String> {
        let text = |index: usize| self.texts.get_index(index).map_or("", String::as_str);
        let function = |location: &usize| {
            let function = self.locations.get_index(*location).map(|(function, _line)| *function);
            let names = function.and_then(|function| self.functions.get_index(function));
            names.map_or("", |(name, _file)| text(*name)).replace(';', ":")
        };
        let line = |(stack, count): (&Stack, &u64)| {
            let mut line = stack.endpoint.map_or("(no request)", text).to_owned();
            for location in stack.locations.iter().rev() {
                line.push(';');
                line.push_str(&function(location));
            }
            format!("{line} {count}")
        };
        self.counts.iter().map(line).collect()
    }
}

/// The string table of a profile. Its first entry is empty, as the format requires; the interned texts follow.
struct Texts(Vec<String>);

impl Texts {
    fn new(texts: &IndexSet<String>) -> Self {
        Self(std::iter::once(String::new()).chain(texts.iter().cloned()).collect())
    }

    /// The index of an interned text.
    const fn of(index: usize) -> i64 {
        index as i64 + 1
    }

    fn add(&mut self, text: &str) -> i64 {
        self.0.push(text.to_owned());
        Self::of(self.0.len() - 2)
    }
}

/// Ids begin with 1.
const fn id(index: usize) -> u64 {
    index as u64 + 1
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
