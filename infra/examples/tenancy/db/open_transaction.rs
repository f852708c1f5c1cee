//! A transaction of sea-orm. Glasshouse has its own, to save round trips.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex;

/// Dropped without [`commit`](Self::commit), it is rolled back.
pub(super) struct OpenTransaction {
    backend: DbBackend,
    open: Mutex<Option<DatabaseTransaction>>,
}

impl OpenTransaction {
    pub(super) fn new(transaction: DatabaseTransaction) -> Self {
        Self { backend: transaction.get_database_backend(), open: Mutex::new(Some(transaction)) }
    }

    pub(super) async fn commit(&self) -> Result<(), DbErr> {
        self.open.lock().await.take().ok_or_else(ended)?.commit().await
    }
}

#[async_trait]
impl ConnectionTrait for OpenTransaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.open.lock().await.as_ref().ok_or_else(ended)?.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.open.lock().await.as_ref().ok_or_else(ended)?.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.open.lock().await.as_ref().ok_or_else(ended)?.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.open.lock().await.as_ref().ok_or_else(ended)?.query_all_raw(statement).await
    }
}

fn ended() -> DbErr {
    DbErr::Custom("the transaction has ended".to_owned())
}
