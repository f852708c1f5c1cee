//! The end of a process: requests and background work finish within a grace period.

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

impl Shutdown {
    /// Finishes requests and background work, and then ends the threads of the servers.
    ///
    /// # Errors
    /// When that takes longer than `grace`. What is left of it is cut when the process exits.
    pub(super) async fn finish_within(mut self, grace: Duration) -> anyhow::Result<()> {
        let finished = timeout(grace, self.finish_work()).await;
        if let Some(database) = &self.database {
            let _ = timeout(CLOSE_TIMEOUT, database.close()).await;
        }
        match finished {
            Ok(finished) => finished.context("background work ended by itself")?,
            Err(_elapsed) => return self.report(),
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
    fn report(&self) -> anyhow::Result<()> {
        let connections = self.servers().map(ServerStop::connections).sum::<usize>() as u64;
        let is_working = !self.working.is_empty();
        ShutdownGraceExceeded { connections, is_working }.emit();
        let work = if is_working { " and background work" } else { "" };
        bail!(
            "{connections} connections{work} did not finish in time and are cut: see GLASSHOUSE_SHUTDOWN_GRACE_SECONDS"
        )
    }
}
