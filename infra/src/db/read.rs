//! Reads of one statement, which is a transaction of its own.
//!
//! On Postgres, the statement itself binds its transaction to the tenant, and reads the authority of the caller:
//!
//! ```sql
//! SELECT "orders".*, "caller".*
//! FROM (SELECT set_config('app.tenant_id', $1, true)::uuid AS "id", ...) AS "tenant"
//! LEFT JOIN LATERAL (<the caller, of the tenant "tenant"."id">) AS "caller" ON TRUE
//! LEFT JOIN LATERAL (<the query, for the tenant "tenant"."id">) AS "orders" ON TRUE
//! ```
//!
//! The two queries depend on a value that exists only after the tenant is set. So they run after it, whatever the plan is: with
//! an `OFFSET`, Postgres does not merge them into the outer query. If they ran before it, row-level security would hide all rows.

use std::cmp::Reverse;

use glasshouse_domain::failure::{Corrupt, StoreFailure};
use glasshouse_domain::id::TenantId;
use glasshouse_domain::page::{Page, PageRequest};
use sea_orm::sea_query::{Asterisk, Expr, ExprTrait, JoinType, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, DbErr, FromQueryResult, QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait,
    Select, SelectTwoRequired, Statement,
};
use tracing::Instrument;

use super::Pool;
use super::caller_check::CallerCheck;
use super::entity::{IdentifiedEntity, TenantEntity, TenantQueries, user};
use super::failure::store_failure;
use super::transaction::{Authority, application_name, authority, current, sleep, sqlite_authority};

/// The alias of the tenant that the statement is bound to.
const TENANT: &str = "tenant";
/// The alias of the caller.
const CALLER: &str = "caller";
/// The beginning of the names of the caller's columns.
const CALLER_COLUMNS: &str = "caller_";
/// A column that is true in each row of the query. If the query has no rows, the statement still returns one.
const IS_FOUND: &str = "is_found";

/// A read of the rows of one tenant. All its queries start from [`TenantQueries::find`].
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pool: &'a Pool,
    /// The name of the span, and the alias of the query.
    operation: &'static str,
    tenant: TenantId,
    /// The caller whose authority is checked.
    caller: Option<&'a CallerCheck>,
}

impl TenantQueries for Read<'_> {
    fn tenant_id(&self) -> Expr {
        if self.pool.is_sqlite() { self.tenant.uuid().into() } else { Expr::col((TENANT, "id")) }
    }
}

impl<'a> Read<'a> {
    pub(super) const fn new(
        pool: &'a Pool,
        operation: &'static str,
        tenant: TenantId,
        caller: Option<&'a CallerCheck>,
    ) -> Self {
        Self { pool, operation, tenant, caller }
    }

    /// A page of the rows of a query, newest first.
    pub(super) async fn page<E: IdentifiedEntity>(
        self,
        query: Select<E>,
        page: PageRequest,
    ) -> Result<Page<E::Model>, StoreFailure> {
        let mut rows = self.all_rows(overfetched(query, page)).await?;
        // The statement around the query does not promise its order.
        rows.sort_unstable_by_key(|row| Reverse(E::id(row)));
        Ok(Page::from_overfetched(rows, page.limit, E::id))
    }

    /// The row of a query that has at most one, as a type of the domain.
    pub(super) async fn one<E, T>(self, query: Select<E>) -> Result<Option<T>, StoreFailure>
    where
        E: TenantEntity,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        self.one_row(query).await?.map(|row| T::try_from(row).map_err(StoreFailure::from)).transpose()
    }

    /// The row of a query that has at most one.
    pub(super) async fn one_row<E: TenantEntity>(
        self,
        query: Select<E>,
    ) -> Result<Option<E::Model>, StoreFailure> {
        Ok(self.all_rows(query).await?.into_iter().next())
    }

    /// All rows of a query, as types of the domain.
    pub(super) async fn all<E, T>(self, query: Select<E>) -> Result<Vec<T>, StoreFailure>
    where
        E: TenantEntity,
        T: TryFrom<E::Model, Error = Corrupt>,
    {
        self.all_rows(query)
            .await?
            .into_iter()
            .map(|row| T::try_from(row).map_err(StoreFailure::from))
            .collect()
    }

    /// The pair of rows of a query that has at most one.
    pub(super) async fn one_pair<E, R>(
        self,
        query: SelectTwoRequired<E, R>,
    ) -> Result<Option<(E::Model, R::Model)>, StoreFailure>
    where
        E: TenantEntity,
        R: TenantEntity,
    {
        let rows = self.rows(query.into_query()).await?;
        let pair =
            |row| Ok((E::Model::from_query_result(row, "A_")?, R::Model::from_query_result(row, "B_")?));
        rows.first().map(pair).transpose().map_err(store_failure)
    }

    async fn all_rows<E: TenantEntity>(self, query: Select<E>) -> Result<Vec<E::Model>, StoreFailure> {
        let rows = self.rows(query.into_query()).await?;
        let rows = rows.iter().map(|row| E::Model::from_query_result(row, ""));
        rows.collect::<Result<_, _>>().map_err(store_failure)
    }

    /// The rows of a query. Fails if the caller has lost their authority.
    pub(super) async fn rows(self, query: SelectStatement) -> Result<Vec<QueryResult>, StoreFailure> {
        let query = if self.pool.is_sqlite() { query } else { self.bound(query) };
        let statement = self.pool.connections.backend().build(&query);
        let span = self.pool.operation_span(self.operation);
        let read = self.pool.with_timeout(self.pool.retried_once(|| self.run(statement.clone())));
        let read = read.instrument(span.clone()).await;
        if read.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        let (rows, authority) = read?;
        if let Some(caller) = self.caller {
            caller.decide(current(authority)?)?;
        }
        Ok(rows)
    }

    /// Runs the statement. Returns the rows of the query, and the authority of the caller.
    async fn run(self, statement: Statement) -> Result<(Vec<QueryResult>, Option<Authority>), DbErr> {
        if self.pool.is_sqlite() {
            self.run_sqlite(statement).await
        } else {
            self.run_postgres(statement).await
        }
    }

    async fn run_postgres(
        self,
        statement: Statement,
    ) -> Result<(Vec<QueryResult>, Option<Authority>), DbErr> {
        let mut connection = self.pool.acquire().await?;
        if let Some(delay) = self.pool.injected_delay.next() {
            connection.all(sleep(delay)).await?;
        }
        let mut rows = connection.last(statement).await?;
        let Some(row) = rows.first() else { return Ok((rows, None)) };
        let authority = if self.caller.is_some() { authority(row, CALLER_COLUMNS)? } else { None };
        if row.try_get::<Option<bool>>("", IS_FOUND)?.is_none() {
            rows.clear();
        }
        Ok((rows, authority))
    }

    async fn run_sqlite(self, statement: Statement) -> Result<(Vec<QueryResult>, Option<Authority>), DbErr> {
        self.pool.check_file().await?;
        let mut connection = self.pool.acquire().await?;
        let mut found = None;
        if let Some(caller) = self.caller {
            let row = connection.first(sqlite_authority(self.tenant, caller.user())).await?;
            found = row.map_or(Ok(None), |row| authority(&row, ""))?;
        }
        Ok((connection.last(statement).await?, found))
    }

    /// The statement that binds itself to the tenant, with the rows of a query and the authority of the caller.
    fn bound(self, mut query: SelectStatement) -> SelectStatement {
        let tenant = Query::select()
            .expr_as(set_locally("app.tenant_id", self.tenant.uuid().to_string()).cast_as("uuid"), "id")
            .expr(set_locally("application_name", application_name()))
            .take();
        let query = query.expr_as(Expr::cust("TRUE"), IS_FOUND).offset(0).take();
        let mut statement = Query::select();
        statement.column((self.operation, Asterisk)).from_subquery(tenant, TENANT);
        let mut join = |query, alias| {
            statement.join_lateral(JoinType::LeftJoin, query, alias, Expr::cust("TRUE"));
        };
        // The caller comes first: there is one, and many rows of the query.
        if let Some(caller) = self.caller {
            join(self.authority_of(caller), CALLER);
        }
        join(query, self.operation);
        if self.caller.is_some() {
            statement.column((CALLER, Asterisk));
        }
        statement
    }

    /// The query for the authority of an active caller.
    fn authority_of(self, caller: &CallerCheck) -> SelectStatement {
        let active =
            self.find_by_id::<user::Entity>(caller.user().uuid()).filter(user::Column::Active.eq(true));
        let authority = active
            .select_only()
            .column_as(user::Column::Role, format!("{CALLER_COLUMNS}role"))
            .column_as(user::Column::SessionGeneration, format!("{CALLER_COLUMNS}session_generation"));
        authority.offset(0).into_query()
    }
}

/// A query for the rows of a page, newest first, and one more, which shows that there is another page. Ids are UUIDs of
/// version 7, which sort by time.
pub(super) fn overfetched<E: IdentifiedEntity>(query: Select<E>, page: PageRequest) -> Select<E> {
    let query = query.order_by_desc(E::ID).limit(page.limit + 1);
    match page.after {
        Some(after) => query.filter(E::ID.lt(after.id())),
        None => query,
    }
}

/// Sets a parameter until the end of the transaction.
fn set_locally(parameter: &str, value: String) -> Expr {
    Expr::cust_with_values("set_config($1, $2, true)", [parameter.to_owned(), value])
}
