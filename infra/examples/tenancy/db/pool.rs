//! The connections, and the beginning of a transaction: on Postgres, it sets the tenant for row-level security.

use std::sync::Arc;

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::TenantId;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement,
    TransactionTrait, TryGetable, Value,
};
use time::OffsetDateTime;

use super::open_transaction::OpenTransaction;
use super::scope::Scope;
use super::suspicion::Suspicion;
use super::{TenantStore, WorkQueue};

const SCHEMA_POSTGRES: &str = include_str!("postgres.sql");
const SCHEMA_SQLITE: &str = include_str!("sqlite.sql");

#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(super) suspicion: Suspicion,
    connection: DatabaseConnection,
}

/// The pool of this process. Its owner decides who gets which tenant: a verified token, or a leased message.
pub(crate) struct Database(Arc<Pool>);

impl Database {
    /// Creates the tables as their owner, and connects as the service.
    pub(crate) async fn connect(url: &str, owner: &str) -> Result<Self, DbErr> {
        let connect = |url: &str| {
            let mut options = ConnectOptions::new(url);
            options.max_connections(1).sqlx_logging(false); // a SQLite in memory is that of its connection
            sea_orm::Database::connect(options)
        };
        let connection = connect(url).await?;
        if connection.get_database_backend() == DbBackend::Postgres {
            connect(owner).await?.execute_unprepared(SCHEMA_POSTGRES).await?;
        } else {
            connection.execute_unprepared(SCHEMA_SQLITE).await?;
        }
        Ok(Self(Arc::new(Pool { suspicion: Suspicion, connection })))
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.0.backend() == DbBackend::Postgres
    }

    /// The rows of one tenant.
    pub(crate) fn tenant(&self, tenant: TenantId) -> TenantStore {
        TenantStore::open(self.0.clone(), tenant)
    }

    /// The outbox of all tenants.
    pub(crate) fn work_queue(&self) -> WorkQueue {
        WorkQueue::new(self.0.clone())
    }

    /// What a statement sees that forgot the tenant: with row-level security nothing.
    pub(crate) async fn orders_without_a_tenant(&self) -> Result<i64, DbErr> {
        let count = Statement::from_string(self.0.backend(), "SELECT count(*) AS orders FROM orders");
        let row = self.0.connection.query_one_raw(count).await?;
        row.map_or(Ok(0), |row| row.try_get("", "orders"))
    }
}

impl Pool {
    fn backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    /// Begins a transaction of one tenant, whose statements are in a client span.
    pub(super) async fn begin(
        &self,
        operation: &'static str,
        tenant: TenantId,
    ) -> Result<Scope, StoreFailure> {
        let span =
            tracing::info_span!("database", otel.name = operation, otel.status_code = tracing::field::Empty);
        let begun = async {
            let transaction = self.connection.begin().await?;
            if self.backend() == DbBackend::Postgres {
                let sql = "SELECT set_config('app.tenant_id', $1, true)";
                let bind =
                    Statement::from_sql_and_values(DbBackend::Postgres, sql, [tenant.to_string().into()]);
                transaction.execute_raw(bind).await?;
            }
            Ok(OpenTransaction::new(transaction))
        };
        let transaction = begun.await.map_err(|error| self.suspicion.failure(error))?;
        Ok(Scope::new(span, Arc::new(transaction), (tenant, OffsetDateTime::now_utc()), self))
    }

    /// SQLite needs one in front of concurrent writers. This service has one connection.
    pub(super) async fn sqlite_write_permit(&self) -> Result<Option<()>, StoreFailure> {
        Ok(None)
    }

    /// Runs a statement without a tenant, such as the lease of messages.
    pub(super) async fn query<const N: usize>(
        &self,
        sql: DialectSql,
        values: impl Fn(OffsetDateTime) -> [Value; N],
    ) -> Result<Vec<QueryResult>, StoreFailure> {
        let text = if self.backend() == DbBackend::Sqlite { sql.sqlite } else { sql.postgres };
        let values = values(OffsetDateTime::now_utc());
        let statement = Statement::from_sql_and_values(self.backend(), text, values);
        self.connection.query_all_raw(statement).await.map_err(|error| self.suspicion.failure(error))
    }
}

pub(super) struct DialectSql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

pub(super) fn get<T: TryGetable>(row: &QueryResult, column: &str) -> Result<T, StoreFailure> {
    row.try_get("", column).map_err(|error| StoreFailure::Unexpected(Box::new(error)))
}
