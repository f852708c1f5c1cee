//! `dead-letters`: lists the outbox messages whose delivery was given up, and requeues them.

use anyhow::ensure;
use glasshouse_domain::id::MessageId;
use glasshouse_infra::db::DeadLetters;
use glasshouse_telemetry::service::events::outbox::DeadLettersRequeued;
use uuid::Uuid;

use crate::stdout;

/// What to do with dead letters.
#[derive(Clone, Debug, clap::Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Print the dead letters, oldest first: one JSON object on each line.
    List {
        /// The maximum number.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Deliver dead letters again, with all of their attempts.
    Requeue {
        /// Requeue all of them.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// The ids of the messages, as `list` prints them.
        ids: Vec<Uuid>,
    },
}

/// Runs the command.
pub(crate) async fn run(command: DeadLettersCommand) -> anyhow::Result<()> {
    if let DeadLettersCommand::Requeue { all, ids } = &command {
        ensure!(*all || !ids.is_empty(), "nothing to requeue: pass the ids of messages, or --all");
    }
    let dead_letters = DeadLetters::new(super::connect_to_storage().await?);
    let result = match command {
        DeadLettersCommand::List { limit } => list(&dead_letters, limit).await,
        DeadLettersCommand::Requeue { ids, .. } => requeue(&dead_letters, &ids).await,
    };
    dead_letters.close().await;
    result
}

async fn list(dead_letters: &DeadLetters, limit: u32) -> anyhow::Result<()> {
    let found = dead_letters.list(limit).await?;
    let lines = found.iter().map(|letter| Ok(serde_json::to_string(letter)? + "\n"));
    Ok(stdout::print(&lines.collect::<serde_json::Result<String>>()?)?)
}

/// Requeues these messages; all dead letters if there are none.
async fn requeue(dead_letters: &DeadLetters, ids: &[Uuid]) -> anyhow::Result<()> {
    let mut requeued = 0;
    if ids.is_empty() {
        requeued = dead_letters.requeue(None).await?;
    }
    let mut unknown = Vec::new();
    for id in ids {
        match dead_letters.requeue(Some(MessageId::from(*id))).await? {
            0 => unknown.push(id.to_string()),
            messages => requeued += messages,
        }
    }
    DeadLettersRequeued { messages: u64::try_from(requeued)? }.emit();
    ensure!(unknown.is_empty(), "no dead letter has one of these ids: {}", unknown.join(", "));
    Ok(())
}
