//! What can break, and how it heals. Each fault is injected while the load runs, lasts for a while, and is healed from
//! outside, as an operator or an orchestrator would.

mod clock;
mod disk;
mod inject;
mod poison;
mod pooler;
mod upgrade;

use std::fmt;
use std::time::Duration;

use crate::proxy::{Condition, FailPoint, Misbehavior};
use crate::system::{Role, System, pool_mode};
use clock::Jump;
use disk::FullDisk;
pub(crate) use pooler::PoolerFault;
pub(crate) use upgrade::Upgrade;

/// Something that breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault: what the load looks like by itself.
    Nothing,
    /// The first process with this role that reaches a statement is killed there, and restarted.
    KillAt(Role, FailPoint),
    /// The first process with this role that reaches a statement is paused there for longer than its leases, while the
    /// other works.
    PauseAt(Role, FailPoint),
    /// All processes with this role are killed at once, and restarted at the end.
    KillAll(Role),
    /// All processes are killed at once, and restarted at the end.
    KillEverything,
    /// The machine of a process with this role dies: the process is killed, and its servers receive no FIN.
    MachineDies(Role),
    /// Each process with this role is asked to end and started again, one after the other.
    RollingRestart(Role),
    /// The schema or the service is replaced by another version.
    Upgrade(Upgrade),
    /// A process with this role is paused for longer than its leases, while the other works.
    Pause(Role),
    Postgres(PostgresFault),
    /// Something happens to a pooler, through which the service connects to Postgres meanwhile.
    Pooler(PoolerFault),
    /// A disk of Postgres is full.
    Disk(FullDisk),
    /// The clock of a process with this role jumps.
    Clock(Role, Jump),
    Redis(RedisFault),
    Gateway(Misbehavior),
    /// The network between processes with a role and a server is in a condition.
    Network(Role, Server, Condition),
    /// All connections between processes with a role and a server are closed, again and again.
    Cut(Role, Server),
    /// Messages that no receiver takes.
    PoisonMessages,
}

/// A server that processes connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Postgres,
    Redis,
    Gateway,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostgresFault {
    /// Shut down without a checkpoint, and started again.
    ImmediateRestart,
    /// Killed, and started again.
    Kill,
    /// Paused with all its backends.
    Pause,
    /// All backends of the service are terminated, again and again.
    TerminateBackends,
    /// All connections that the service may open are used by others.
    OutOfConnections,
    /// A table is locked.
    Lock,
    /// It rejects writes, as a standby before it is promoted.
    ReadOnly,
    /// It is killed, and its synchronous standby is promoted.
    FailOver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedisFault {
    Kill,
    Pause,
    /// All data is deleted, again and again.
    Flush,
    /// It rejects writes because its memory is full.
    OutOfMemory,
    /// It rejects writes because it is a replica of another.
    ReadOnlyReplica,
}

impl Fault {
    /// All faults but [`KillAt`](Self::KillAt) and [`PauseAt`](Self::PauseAt), whose fail points follow from the statements that the processes send.
    pub(crate) fn all() -> Vec<Self> {
        use {PostgresFault as P, RedisFault as R};
        let delay = Condition::Delayed(Duration::from_millis(100));
        let slow = Misbehavior::Slow(Duration::from_millis(300));
        let mut faults = vec![
            Self::Nothing,
            Self::KillAll(Role::Api),
            Self::KillAll(Role::Worker),
            Self::KillEverything,
            Self::MachineDies(Role::Api),
            Self::MachineDies(Role::Worker),
            Self::RollingRestart(Role::Api),
            Self::RollingRestart(Role::Worker),
            Self::Upgrade(Upgrade::Schema),
            Self::Upgrade(Upgrade::NextSchema),
            Self::Pause(Role::Api),
            Self::Pause(Role::Worker),
            Self::PoisonMessages,
        ];
        let postgres = [
            P::ImmediateRestart,
            P::Kill,
            P::Pause,
            P::TerminateBackends,
            P::OutOfConnections,
            P::Lock,
            P::ReadOnly,
            P::FailOver,
        ];
        faults.extend(postgres.map(Self::Postgres));
        faults.extend(PoolerFault::ALL.map(Self::Pooler));
        faults.extend([FullDisk::Data, FullDisk::Wal].map(Self::Disk));
        for role in [Role::Api, Role::Worker] {
            faults.extend([Jump::Forward, Jump::Back].map(|jump| Self::Clock(role, jump)));
        }
        let redis = [R::Kill, R::Pause, R::Flush, R::OutOfMemory, R::ReadOnlyReplica];
        faults.extend(redis.map(Self::Redis));
        let gateway = [
            slow,
            Misbehavior::ErrorBefore,
            Misbehavior::ErrorAfter,
            Misbehavior::NoResponse,
            Misbehavior::Garbage,
            Misbehavior::GarbageBody,
            Misbehavior::Twice,
            Misbehavior::HalfResponse,
            Misbehavior::Throttled,
        ];
        faults.extend(gateway.map(Self::Gateway));
        let links = [
            (Role::Api, Server::Postgres),
            (Role::Worker, Server::Postgres),
            (Role::Api, Server::Redis),
            (Role::Api, Server::Gateway),
            (Role::Worker, Server::Gateway),
        ];
        for (role, server) in links {
            faults.push(Self::Cut(role, server));
            for condition in [Condition::Silent, delay, Condition::Throttled(20_000), Condition::HalfClosed] {
                faults.push(Self::Network(role, server, condition));
            }
        }
        faults
    }

    /// Faults that a short run can afford.
    pub(crate) fn some_of_each_part() -> Vec<Self> {
        vec![
            Self::KillEverything,
            Self::MachineDies(Role::Api),
            Self::RollingRestart(Role::Api),
            Self::RollingRestart(Role::Worker),
            Self::Upgrade(Upgrade::NextSchema),
            Self::Pause(Role::Worker),
            Self::Postgres(PostgresFault::Kill),
            Self::Postgres(PostgresFault::ReadOnly),
            Self::Redis(RedisFault::Kill),
            Self::Gateway(Misbehavior::NoResponse),
            Self::Gateway(Misbehavior::HalfResponse),
            Self::Network(Role::Api, Server::Postgres, Condition::Silent),
        ]
    }

    /// Why this fault cannot be injected into a system; `None` if it can.
    pub(crate) fn obstacle(&self, system: &System) -> Option<&'static str> {
        match self {
            Self::Pooler(_) if pool_mode().is_none() => Some("PgBouncer is not installed"),
            Self::Disk(_) if !system.postgres.disks_can_be_full() => {
                Some("this user may not mount a small disk (unshare --mount)")
            }
            Self::Clock(..) if !system.clocks_can_jump() => Some("a C compiler on Linux makes clocks jump"),
            _ => None,
        }
    }

    /// Whether it is no fault for customers behind the load balancer, which sends them to a process that is ready.
    pub(crate) const fn is_planned(&self) -> bool {
        matches!(self, Self::RollingRestart(_) | Self::Upgrade(_))
    }

    /// The name of the kind in the report. Fail points of a role are one kind.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::KillAt(role, _) => format!("{role} killed between two statements"),
            Self::PauseAt(role, _) => format!("{role} paused between two statements"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no fault"),
            Self::KillAt(role, FailPoint { statement, moment }) => {
                write!(f, "{role} killed {moment} {statement}")
            }
            Self::PauseAt(role, FailPoint { statement, moment }) => {
                write!(f, "{role} paused {moment} {statement}")
            }
            Self::KillAll(role) => write!(f, "both {role} processes killed"),
            Self::KillEverything => f.write_str("all processes of the service killed"),
            Self::MachineDies(role) => write!(f, "the machine of one {role} process dies"),
            Self::RollingRestart(role) => write!(f, "rolling restart of the {role} processes"),
            Self::Upgrade(upgrade) => upgrade.fmt(f),
            Self::Pause(role) => write!(f, "one {role} process paused"),
            Self::Postgres(fault) => write!(f, "Postgres {fault}"),
            Self::Pooler(fault) => fault.fmt(f),
            Self::Disk(disk) => disk.fmt(f),
            Self::Clock(role, jump) => write!(f, "clock of one {role} process {jump}"),
            Self::Redis(fault) => write!(f, "Redis {fault}"),
            Self::Gateway(misbehavior) => write!(f, "gateway {misbehavior}"),
            Self::Network(role, server, condition) => write!(f, "{role} to {server}: {condition}"),
            Self::Cut(role, server) => write!(f, "{role} to {server}: connections cut"),
            Self::PoisonMessages => f.write_str("poison messages"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "Postgres",
            Self::Redis => "Redis",
            Self::Gateway => "gateway",
        })
    }
}

impl fmt::Display for PostgresFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ImmediateRestart => "restarted immediately",
            Self::Kill => "killed",
            Self::Pause => "paused",
            Self::TerminateBackends => "terminates all backends",
            Self::OutOfConnections => "out of connections",
            Self::Lock => "holds a long lock",
            Self::ReadOnly => "read-only",
            Self::FailOver => "fails over to its standby",
        })
    }
}

impl fmt::Display for RedisFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "killed",
            Self::Pause => "paused",
            Self::Flush => "flushed",
            Self::OutOfMemory => "out of memory",
            Self::ReadOnlyReplica => "a read-only replica",
        })
    }
}
