//! One connection to the database, over the driver of either kind.

use std::pin::Pin;
use std::sync::Arc;

use sea_orm::{DbBackend, ExecResult, QueryResult, Values};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor};

use super::address::DriverOptions;
use super::limits::Limits;

/// The SQLSTATE with which poolers reject parameters of a session.
const PROTOCOL_VIOLATION: &str = "08P01";

/// A connection to Postgres or to a SQLite file.
pub(super) enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Connection {
    /// Opens a connection, for statements with these limits. Boxed, because the driver's futures are large, and few
    /// transactions open a connection.
    pub(super) fn open(
        options: &DriverOptions,
        limits: Limits,
    ) -> Pin<Box<dyn Future<Output = Result<Self, sqlx::Error>> + Send + '_>> {
        Box::pin(async move {
            Ok(match options {
                DriverOptions::Postgres(options) => Self::Postgres(open_session(options, limits).await?),
                DriverOptions::Sqlite(options) => {
                    Self::Sqlite(SqliteConnection::connect_with(options).await?)
                }
            })
        })
    }

    /// The SQL dialect.
    pub(super) const fn backend(&self) -> DbBackend {
        match self {
            Self::Postgres(_) => DbBackend::Postgres,
            Self::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    /// Runs a prepared statement. Returns the number of rows that it changed.
    pub(super) async fn execute(&mut self, sql: Arc<str>, values: Values) -> Result<ExecResult, sqlx::Error> {
        let (sql, values) = (AssertSqlSafe(sql), SqlxValues(values));
        Ok(match self {
            Self::Postgres(driver) => sqlx::query_with(sql, values).execute(driver).await?.into(),
            Self::Sqlite(driver) => sqlx::query_with(sql, values).execute(driver).await?.into(),
        })
    }

    /// The first row of a prepared query.
    pub(super) async fn first(
        &mut self,
        sql: Arc<str>,
        values: Values,
    ) -> Result<Option<QueryResult>, sqlx::Error> {
        let (sql, values) = (AssertSqlSafe(sql), SqlxValues(values));
        Ok(match self {
            Self::Postgres(driver) => {
                sqlx::query_with(sql, values).fetch_optional(driver).await?.map(QueryResult::from)
            }
            Self::Sqlite(driver) => {
                sqlx::query_with(sql, values).fetch_optional(driver).await?.map(QueryResult::from)
            }
        })
    }

    /// All rows of a prepared query.
    pub(super) async fn all(
        &mut self,
        sql: Arc<str>,
        values: Values,
    ) -> Result<Vec<QueryResult>, sqlx::Error> {
        let (sql, values) = (AssertSqlSafe(sql), SqlxValues(values));
        Ok(match self {
            Self::Postgres(driver) => rows(sqlx::query_with(sql, values).fetch_all(driver).await?),
            Self::Sqlite(driver) => rows(sqlx::query_with(sql, values).fetch_all(driver).await?),
        })
    }

    /// Runs SQL that is not prepared, of one or several statements, in one round trip.
    pub(super) async fn execute_unprepared(&mut self, sql: Arc<str>) -> Result<ExecResult, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        Ok(match self {
            Self::Postgres(driver) => driver.execute(sql).await?.into(),
            Self::Sqlite(driver) => driver.execute(sql).await?.into(),
        })
    }

    /// The first row of SQL that is not prepared, of one or several statements, in one round trip.
    pub(super) async fn first_unprepared(
        &mut self,
        sql: Arc<str>,
    ) -> Result<Option<QueryResult>, sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        Ok(match self {
            Self::Postgres(driver) => driver.fetch_optional(sql).await?.map(QueryResult::from),
            Self::Sqlite(driver) => driver.fetch_optional(sql).await?.map(QueryResult::from),
        })
    }

    /// Waits for a response.
    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(driver) => driver.ping().await,
            Self::Sqlite(driver) => driver.ping().await,
        }
    }

    /// Closes the connection, and says so to the server.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres(driver) => driver.close().await,
            Self::Sqlite(driver) => driver.close().await,
        }
    }
}

/// Opens a session with the settings that a transaction sets for itself, for statements that have no transaction around them. Poolers
/// reject these parameters; behind them, the session has those of its role.
async fn open_session(options: &PgConnectOptions, limits: Limits) -> Result<PgConnection, sqlx::Error> {
    let timeout = limits.statement_ms().to_string();
    let settings = [("statement_timeout", &*timeout), ("plan_cache_mode", "force_generic_plan")];
    match PgConnection::connect_with(&options.clone().options(settings)).await {
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == PROTOCOL_VIOLATION) => {
            PgConnection::connect_with(options).await
        }
        result => result,
    }
}

fn rows<R>(rows: Vec<R>) -> Vec<QueryResult>
where
    QueryResult: From<R>,
{
    rows.into_iter().map(QueryResult::from).collect()
}
