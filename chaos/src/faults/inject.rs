//! Injects faults and heals them.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::select_all;
use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::poison::poison;
use super::upgrade::rolling_restart;
use super::{Fault, PostgresFault, RedisFault, Server};
use crate::proxy::{Condition, FailPoint, Misbehavior, Proxy};
use crate::system::{Replica, Role, SERVICE, System};

/// The pause between repetitions of a fault that happens again and again.
const AGAIN: Duration = Duration::from_millis(300);
/// How long a process that was killed stays away.
pub(super) const RESTART_DELAY: Duration = Duration::from_millis(300);
/// Longer than the leases of background work, so that a worker takes over, and shorter than the time after which Postgres ends
/// an idle transaction, so that the paused process goes on with its own.
const PAUSE: Duration = Duration::from_millis(2500);
/// How long a fail point is waited for. A statement that is rare under the load may not come.
const FAIL_POINT_TIMEOUT: Duration = Duration::from_secs(8);

impl Fault {
    /// Injects the fault, waits while it lasts, and heals it. Returns whether it took effect, and when it had ended.
    ///
    /// # Errors
    /// The fault cannot be injected or healed. The system is broken then.
    pub(crate) async fn happen(&self, system: &mut System, duration: Duration) -> Result<(bool, Instant)> {
        let took_effect = self.last(system, duration).await?;
        let ended = Instant::now();
        system.restart_stopped().await?;
        Ok((took_effect, ended))
    }

    /// Injects the fault, and ends it unless it leaves processes stopped. Returns whether it took effect.
    async fn last(&self, system: &mut System, duration: Duration) -> Result<bool> {
        match self {
            Self::Nothing => sleep(duration).await,
            Self::KillAt(role, fail_point) => {
                let kill = async |replica: &Replica| {
                    replica.kill()?;
                    sleep(RESTART_DELAY).await;
                    Ok(())
                };
                return at_fail_point(system, *role, fail_point, kill).await;
            }
            Self::PauseAt(role, fail_point) => {
                let pause = async |replica: &Replica| {
                    replica.pause()?;
                    sleep(PAUSE).await;
                    replica.resume()
                };
                return at_fail_point(system, *role, fail_point, pause).await;
            }
            Self::KillAll(role) => {
                system.with_role(*role).try_for_each(Replica::kill)?;
                sleep(RESTART_DELAY).await;
            }
            Self::KillEverything => {
                system.replicas.iter().try_for_each(Replica::kill)?;
                sleep(RESTART_DELAY).await;
            }
            Self::MachineDies(role) => {
                if let Some(replica) = system.with_role(*role).next() {
                    let links = replica.links()?;
                    for proxy in [Some(&links.postgres), links.redis.as_ref(), Some(&links.gateway)] {
                        proxy.into_iter().for_each(Proxy::lose);
                    }
                    replica.kill()?;
                }
                sleep(RESTART_DELAY).await;
            }
            Self::RollingRestart(role) => {
                rolling_restart(system, *role, Duration::ZERO).await?;
            }
            Self::Upgrade(upgrade) => return upgrade.happen(system, duration).await,
            Self::Pause(role) => {
                if let Some(replica) = system.with_role(*role).next() {
                    replica.pause()?;
                    sleep(duration).await;
                    replica.resume()?;
                }
            }
            Self::Pooler(fault) => return fault.happen(system, duration).await,
            Self::Disk(disk) => return disk.happen(system, duration).await,
            Self::Clock(role, jump) => return jump.happen(system, *role, duration).await,
            Self::PoisonMessages => poison(system, duration).await?,
            Self::Postgres(fault) => postgres(*fault, system, duration).await?,
            Self::Redis(fault) => redis(*fault, system, duration).await?,
            Self::Gateway(misbehavior) => {
                let set = |misbehavior| {
                    for replica in &system.replicas {
                        replica.links()?.gateway.misbehave(misbehavior);
                    }
                    anyhow::Ok(())
                };
                set(*misbehavior)?;
                sleep(duration).await;
                set(Misbehavior::None)?;
            }
            Self::Network(role, server, condition) => {
                let proxies = proxies(system, *role, *server)?;
                proxies.iter().for_each(|proxy| proxy.set(*condition));
                sleep(duration).await;
                proxies.iter().for_each(|proxy| proxy.set(Condition::Healthy));
            }
            Self::Cut(role, server) => {
                let proxies = proxies(system, *role, *server)?;
                again_and_again(duration, async || {
                    proxies.iter().for_each(|proxy| proxy.cut());
                    Ok(())
                })
                .await?;
            }
        }
        Ok(true)
    }
}

/// Repeats an action until the duration has passed.
pub(super) async fn again_and_again(
    duration: Duration,
    mut act: impl AsyncFnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + duration;
    while Instant::now() < deadline {
        act().await?;
        sleep(AGAIN).await;
    }
    Ok(())
}

/// The proxies between the processes with a role and a server.
fn proxies(system: &System, role: Role, server: Server) -> Result<Vec<&Proxy>> {
    let links = system.with_role(role).map(Replica::links).collect::<Result<Vec<_>>>()?;
    Ok(links
        .into_iter()
        .filter_map(|links| match server {
            Server::Postgres => Some(&links.postgres),
            Server::Redis => links.redis.as_ref(),
            Server::Gateway => Some(&links.gateway),
        })
        .collect())
}

/// Does something to the first process with a role that reaches the fail point, which is armed in each: any may get the
/// work. Returns whether one reached it.
async fn at_fail_point(
    system: &System,
    role: Role,
    fail_point: &FailPoint,
    act: impl AsyncFnOnce(&Replica) -> Result<()>,
) -> Result<bool> {
    let waits = system.with_role(role).map(|replica| {
        Box::pin(async move {
            replica.links()?.fail_points.wait_for(fail_point.clone()).await;
            anyhow::Ok(replica)
        })
    });
    let reached = timeout(FAIL_POINT_TIMEOUT, select_all(waits)).await;
    for replica in system.with_role(role) {
        replica.links()?.fail_points.disarm();
    }
    let Ok((replica, ..)) = reached else { return Ok(false) };
    let replica = replica?;
    act(replica).await?;
    replica.links()?.fail_points.release();
    Ok(true)
}

async fn postgres(fault: PostgresFault, system: &mut System, duration: Duration) -> Result<()> {
    let postgres = &mut system.postgres;
    match fault {
        PostgresFault::ImmediateRestart => {
            postgres.signal(Signal::QUIT)?;
            postgres.restart().await?;
        }
        PostgresFault::Kill => {
            postgres.signal(Signal::KILL)?;
            sleep(RESTART_DELAY).await;
            postgres.restart().await?;
        }
        PostgresFault::Pause => {
            postgres.signal_all(Signal::STOP)?;
            sleep(duration).await;
            postgres.signal_all(Signal::CONT)?;
        }
        PostgresFault::TerminateBackends => {
            let sql =
                format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{SERVICE}'");
            again_and_again(duration, async || postgres.execute(&[&sql]).await).await?;
        }
        PostgresFault::OutOfConnections => {
            let mut held = Vec::new();
            // The service keeps the connections that it has. It loses them again and again, and others take some of them before
            // it does, until none is left.
            again_and_again(2 * duration, async || {
                for replica in &system.replicas {
                    replica.links()?.postgres.cut();
                }
                held.extend(postgres.use_up_connections().await?);
                Ok(())
            })
            .await?;
            for connection in held {
                connection.close().await?;
            }
        }
        PostgresFault::Lock => {
            let seconds = duration.as_secs_f64();
            let lock = "LOCK TABLE products, payments IN ACCESS EXCLUSIVE MODE";
            postgres.execute(&[&format!("BEGIN; {lock}; SELECT pg_sleep({seconds}); COMMIT")]).await?;
        }
        PostgresFault::ReadOnly => {
            let set = "ALTER SYSTEM SET default_transaction_read_only = on";
            postgres.execute(&[set, "SELECT pg_reload_conf()"]).await?;
            sleep(duration).await;
            let reset = "ALTER SYSTEM RESET default_transaction_read_only";
            postgres.execute(&[reset, "SELECT pg_reload_conf()"]).await?;
        }
        PostgresFault::FailOver => {
            postgres.fail_over(&mut system.ports).await?;
            for replica in &system.replicas {
                replica.links()?.postgres.retarget(postgres.address());
            }
        }
    }
    Ok(())
}

async fn redis(fault: RedisFault, system: &mut System, duration: Duration) -> Result<()> {
    let redis = &mut system.redis;
    match fault {
        RedisFault::Kill => {
            redis.signal(Signal::KILL)?;
            sleep(duration).await;
            redis.restart().await?;
        }
        RedisFault::Pause => {
            redis.signal(Signal::STOP)?;
            sleep(duration).await;
            redis.signal(Signal::CONT)?;
        }
        RedisFault::Flush => {
            again_and_again(duration, async || redis.command("FLUSHALL").await).await?;
        }
        RedisFault::OutOfMemory => {
            redis.command("CONFIG SET maxmemory 1").await?;
            sleep(duration).await;
            redis.command("CONFIG SET maxmemory 0").await?;
        }
        RedisFault::ReadOnlyReplica => {
            // Nothing listens on port 1.
            redis.command("REPLICAOF 127.0.0.1 1").await?;
            sleep(duration).await;
            redis.command("REPLICAOF NO ONE").await?;
        }
    }
    Ok(())
}
