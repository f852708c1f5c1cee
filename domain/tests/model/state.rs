//! A state of the whole system, and the states that may follow it.

use crate::operation::{Call, Course, Defect, Operation, Reply};
use crate::processes::{Answer, Next, Role, perform};
use crate::values::Number;
use crate::world::World;

/// A process between two of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) role: Role,
    /// The order that it is about. Each attempt of a checkout has a number of its own.
    number: Number,
    /// The replies to its operations since it began or restarted.
    journal: Vec<Reply>,
    /// What it does next; `None` if it has ended, or waits for an order.
    next: Option<Next>,
    /// Whether it has ended for good.
    pub(crate) ended: bool,
    /// The last response to its client.
    pub(crate) answer: Option<Answer>,
}

/// The system between two steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) world: World,
    /// Sorted, so that states are the same if they differ only in which of two workers does what.
    pub(crate) processes: Vec<Process>,
    /// How many crashes and failures may still happen.
    failures_left: u8,
    defect: Option<Defect>,
}

/// What leads from one state to the next.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "the fields are for the report of a violation, by Debug")]
pub(crate) enum Step {
    /// A process performs an operation.
    Performs(Role, Operation, Course),
    /// A client gets its response.
    Answered(Role, Answer),
    /// A process crashes.
    Crashes(Role),
    /// A request to the gateway arrives, for which no process waits any more.
    Arrives { call: Call, declined: bool },
}

impl State {
    /// The state before the first step.
    pub(crate) fn initial(roles: &[Role], failures: u8, defect: Option<Defect>) -> Self {
        let process = |role: &Role| Process {
            role: *role,
            number: role.first_number(),
            journal: Vec::new(),
            next: None,
            ended: false,
            answer: None,
        };
        let processes = roles.iter().map(process).collect();
        let mut state = Self { world: World::new(), processes, failures_left: failures, defect };
        for index in 0..roles.len() {
            state.begin(index);
        }
        state.processes.sort_unstable();
        state
    }

    /// All states that may follow, with the steps that lead to them.
    pub(crate) fn successors(&self) -> Vec<(Step, Self)> {
        let mut successors = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            let same_as_last = index > 0 && self.processes[index - 1] == *process;
            if !same_as_last {
                self.steps_of(index, &mut successors);
            }
        }
        for (index, (call, number)) in self.world.in_flight.iter().enumerate() {
            for declined in self.outcomes(*call, *number) {
                let mut next = self.clone();
                next.world.deliver(index, *declined);
                successors.push((Step::Arrives { call: *call, declined: *declined }, next));
            }
        }
        for (_, state) in &mut successors {
            state.processes.sort_unstable();
        }
        successors
    }

    fn steps_of(&self, index: usize, successors: &mut Vec<(Step, Self)>) {
        let process = &self.processes[index];
        match process.next {
            Some(Next::Perform(operation)) if self.is_enabled(operation) => {
                for course in self.courses(operation) {
                    let next = self.performed(index, course);
                    successors.push((Step::Performs(process.role, operation, course), next));
                }
            }
            Some(Next::Return(answer)) => {
                let mut next = self.clone();
                next.end(index, Some(answer));
                successors.push((Step::Answered(process.role, answer), next));
            }
            Some(Next::Perform(_)) | None => {}
        }
        if !process.journal.is_empty() && self.failures_left > 0 {
            let mut next = self.clone();
            next.failures_left -= 1;
            next.interrupt(index);
            successors.push((Step::Crashes(process.role), next));
        }
    }

    /// A worker waits for an open payment.
    fn is_enabled(&self, operation: Operation) -> bool {
        operation != Operation::TakeOpenPayment || self.world.open_payment().is_some()
    }

    /// The courses that an operation may take.
    fn courses(&self, operation: Operation) -> Vec<Course> {
        let mut courses = vec![Course::Completes];
        if let Operation::Gateway(call, number) = operation
            && self.outcomes(call, number).len() > 1
        {
            courses.push(Course::Declines);
        }
        // A worker that fails to take a payment is one that waits.
        if self.failures_left > 0 && operation != Operation::TakeOpenPayment {
            courses.push(Course::Fails);
            if !matches!(operation, Operation::Gateway(Call::Find, _)) {
                courses.push(Course::Unreported);
            }
        }
        courses
    }

    /// Whether the gateway may decline a request, and whether it may not.
    fn outcomes(&self, call: Call, number: Number) -> &'static [bool] {
        let undecided = call == Call::Charge && self.world.charge(number).is_none();
        if undecided { &[false, true] } else { &[false] }
    }

    fn performed(&self, index: usize, course: Course) -> Self {
        let mut state = self.clone();
        if matches!(course, Course::Fails | Course::Unreported) {
            state.failures_left -= 1;
        }
        let placed = state.world.rows.len();
        match state.advance(index, Some(course)) {
            // A worker has no client, and a client without a response repeats its request at any later time.
            Next::Return(Answer::Processed | Answer::Failed) => state.interrupt(index),
            next => state.processes[index].next = Some(next),
        }
        if state.world.rows.len() > placed {
            (0..state.processes.len()).for_each(|index| state.begin(index));
        }
        state
    }

    fn advance(&mut self, index: usize, course: Option<Course>) -> Next {
        let Process { role, number, journal, .. } = &mut self.processes[index];
        perform((*role, *number), journal, &mut self.world, course, self.defect)
    }

    /// Makes a process ready for its first step, unless it has begun, has ended, or waits for an order.
    fn begin(&mut self, index: usize) {
        let process = &mut self.processes[index];
        if process.next.is_some() || process.ended {
            return;
        }
        if process.role.needs_order() {
            let Some(row) = self.world.rows.first() else { return };
            process.number = row.number;
        }
        let next = self.advance(index, None);
        self.processes[index].next = Some(next);
    }

    /// Ends an attempt without an answer. It begins again, unless the client does not repeat it.
    fn interrupt(&mut self, index: usize) {
        let process = &mut self.processes[index];
        match process.role {
            Role::Buyer => return self.end(index, None),
            Role::RepeatingBuyer => process.number += 1,
            Role::Canceller | Role::Refunder | Role::Worker => {}
        }
        process.journal.clear();
        process.next = None;
        self.begin(index);
    }

    fn end(&mut self, index: usize, answer: Option<Answer>) {
        let process = &mut self.processes[index];
        process.journal.clear();
        process.next = None;
        process.ended = true;
        process.answer = answer;
    }
}
