//! The end of a process: requests and background work finish within a grace period.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::future::{join, join_all};
use glasshouse_infra::db::Database;
use glasshouse_telemetry::service::events::process::ShutdownGraceExceeded;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::servers::ServerStop;

/// How long closing the connections to the database may take. It waits for connections in use, and a stuck request never
/// returns its connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a process has to finish before it ends.
pub(super) struct Shutdown {
    pub(super) api: Option<ServerStop>,
    /// The servers that stop after the API: it calls the payment-gateway simulator, and the management interface reports
    /// until the end.
    pub(super) others: Vec<ServerStop>,
    pub(super) working: JoinSet<()>,
    pub(super) database: Option<Arc<Database>>,
}

/// What is left when the grace period ends.
struct Unfinished {
    connections: usize,
    is_working: bool,
}

impl Shutdown {
    /// Finishes requests and background work, and then ends the threads of the servers.
    ///
    /// # Errors
    /// When that takes longer than `grace`. What is left of it is cut when the process exits.
    pub(super) async fn finish_within(mut self, grace: Duration) -> anyhow::Result<()> {
        let finished = timeout(grace, self.finish_work()).await.map_err(|_elapsed| self.report());
        if let Some(database) = &self.database {
            let _ = timeout(CLOSE_TIMEOUT, database.close()).await;
        }
        match finished {
            Ok(finished) => finished.context("background work ended by itself")?,
            Err(unfinished) => bail!(
                "the shutdown did not finish in time and cuts {unfinished}: see GLASSHOUSE_SHUTDOWN_GRACE_SECONDS"
            ),
        }
        // Threads share the database connections that each of them opened, so none of them ends before the last request has.
        join_all(self.servers().map(ServerStop::end)).await;
        Ok(())
    }

    async fn finish_work(&mut self) -> Result<(), JoinError> {
        let of_api = async {
            if let Some(api) = &self.api {
                api.finish_requests().await;
            }
        };
        let work = async {
            while let Some(ended) = self.working.join_next().await {
                ended?;
            }
            Ok(())
        };
        let ((), worked) = join(of_api, work).await;
        join_all(self.others.iter().map(ServerStop::finish_requests)).await;
        worked
    }

    fn servers(&self) -> impl Iterator<Item = &ServerStop> {
        self.api.iter().chain(&self.others)
    }

    /// Reports what is cut.
    fn report(&self) -> Unfinished {
        let connections = self.servers().map(ServerStop::connections).sum();
        let is_working = !self.working.is_empty();
        ShutdownGraceExceeded { connections: connections as u64, is_working }.emit();
        Unfinished { connections, is_working }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = match self.connections {
            0 => None,
            1 => Some("1 open connection".to_owned()),
            more => Some(format!("{more} open connections")),
        };
        match (connections, self.is_working) {
            (Some(connections), true) => write!(f, "{connections} and background work"),
            (Some(connections), false) => f.write_str(&connections),
            (None, true) => f.write_str("background work"),
            // A connection that a listener has not accepted yet may be reset.
            (None, false) => f.write_str("the close of its listeners"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_has_a_name() {
        for (connections, is_working, name) in [
            (0, false, "the close of its listeners"),
            (1, false, "1 open connection"),
            (0, true, "background work"),
            (2, true, "2 open connections and background work"),
        ] {
            assert_eq!(Unfinished { connections, is_working }.to_string(), name);
        }
    }
}
