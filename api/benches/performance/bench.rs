//! What the groups of measurements share: data, receivers, and the rounds.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::groups::TENANTS;
use crate::load::Outcome;
use crate::process::{Process, Settings, cpu_seconds_of_this_thread};
use crate::receivers::Receivers;
use crate::series::Series;
use crate::shop::{Shop, Size};

/// The data of most measurements.
const SIZE: Size = Size { tenants: TENANTS, orders: 200_000 };

/// A run.
pub(crate) struct Bench {
    pub(crate) rounds: usize,
    /// The length of a round.
    pub(crate) length: Duration,
    shop: OnceCell<Rc<Shop>>,
    receivers: OnceCell<Receivers>,
}

/// What one round of a load cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Requests per second.
    pub(crate) rate: f64,
    /// CPU time of the process for each request, in milliseconds.
    pub(crate) service: f64,
    /// CPU time of Postgres for each request, in milliseconds.
    pub(crate) postgres: f64,
    /// How much of a core the clients used.
    pub(crate) clients: f64,
}

/// What the rounds of a load cost.
#[derive(Debug)]
pub(crate) struct Costs {
    pub(crate) rate: Series,
    pub(crate) service: Series,
    pub(crate) postgres: Series,
    pub(crate) clients: Series,
}

impl From<Vec<Cost>> for Costs {
    fn from(rounds: Vec<Cost>) -> Self {
        Self {
            rate: rounds.iter().map(|cost| cost.rate).collect(),
            service: rounds.iter().map(|cost| cost.service).collect(),
            postgres: rounds.iter().map(|cost| cost.postgres).collect(),
            clients: rounds.iter().map(|cost| cost.clients).collect(),
        }
    }
}

/// The cost of a load of a process, which this thread sends; that of Postgres if the process uses the database of `shop`.
pub(crate) fn cost(shop: Option<&Shop>, process: &Process, load: impl FnOnce(&Process) -> Outcome) -> Cost {
    let postgres = || shop.map_or(0.0, Shop::postgres_seconds);
    let (begun, clients_before) = (Instant::now(), cpu_seconds_of_this_thread());
    let (service_before, postgres_before) = (process.cpu_seconds(), postgres());
    let outcome = load(process);
    let milliseconds = 1000.0 / outcome.succeeded() as f64;
    Cost {
        rate: outcome.rate,
        service: (process.cpu_seconds() - service_before) * milliseconds,
        postgres: (postgres() - postgres_before) * milliseconds,
        clients: (cpu_seconds_of_this_thread() - clients_before) / begun.elapsed().as_secs_f64(),
    }
}

impl Bench {
    pub(crate) const fn new(rounds: usize, length: Duration) -> Self {
        Self { rounds, length, shop: OnceCell::new(), receivers: OnceCell::new() }
    }

    /// A database of many tenants. It is created when it is first asked for.
    pub(crate) fn shop(&self) -> &Shop {
        self.shop.get_or_init(|| Rc::new(Shop::create(SIZE)))
    }

    /// Receivers of telemetry. They start when they are first asked for.
    pub(crate) fn receivers(&self) -> &Receivers {
        self.receivers.get_or_init(Receivers::start)
    }

    /// Measures each of `subjects` once in each round, in turn. The first round warms up, and does not count.
    pub(crate) fn rounds<S, M>(&self, subjects: &[S], mut measure: impl FnMut(&S) -> M) -> Vec<Vec<M>> {
        let mut measured: Vec<Vec<M>> = subjects.iter().map(|_| Vec::new()).collect();
        for round in 0..=self.rounds {
            for (subject, measured) in subjects.iter().zip(&mut measured) {
                let measurement = measure(subject);
                if round > 0 {
                    measured.push(measurement);
                }
            }
        }
        measured
    }
}

/// Settings together.
pub(crate) fn joined(parts: &[&Settings]) -> Settings {
    parts.iter().flat_map(|settings| settings.iter().cloned()).collect()
}

/// One setting.
pub(crate) fn setting((name, value): (&'static str, &str)) -> Settings {
    vec![(name, value.to_owned())]
}
