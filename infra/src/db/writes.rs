//! Writes that a transaction sends together, with its commit: one statement on Postgres, which costs it about half of what one
//! statement for each table does. A write may depend on its row: if the row is not there, or has changed, there is no commit.

use std::sync::{Mutex, PoisonError};

use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait, InsertStatement, Query, UpdateStatement, WithClause, WithQuery,
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

/// The column that says whether all required writes of a statement wrote a row.
const IS_AS_REQUIRED: &str = "is_as_required";

/// The writes of a transaction that wait for its commit.
#[derive(Debug, Default)]
pub(super) struct Writes(Mutex<Vec<Write>>);

/// A change of one table.
#[derive(Debug)]
pub(super) struct Write {
    table: &'static str,
    change: Change,
    /// Whether the transaction may only be committed if this writes a row.
    is_required: bool,
}

#[derive(Debug)]
enum Change {
    Insert(InsertStatement),
    Update(UpdateStatement),
}

impl Write {
    pub(super) const fn insert(table: &'static str, statement: InsertStatement) -> Self {
        Self { table, change: Change::Insert(statement), is_required: false }
    }

    pub(super) const fn update(table: &'static str, statement: UpdateStatement) -> Self {
        Self { table, change: Change::Update(statement), is_required: false }
    }

    /// The same as one that has to write a row.
    pub(super) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }
}

impl Writes {
    pub(super) fn add(&self, write: Write) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    /// Sends all of them, in their order. Returns whether the transaction may be committed: `false` if a required one wrote
    /// nothing.
    pub(super) async fn send(&self, connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
        let writes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // SQLite has no writes within a query, and no network that they would have to pass.
        let is_one_statement = connection.get_database_backend() == DbBackend::Postgres;
        for writes in groups(writes) {
            if writes.len() > 1 && is_one_statement {
                let row = connection.query_one(&together(writes)).await?;
                if !row.map_or(Ok(false), |row| row.try_get("", IS_AS_REQUIRED))? {
                    return Ok(false);
                }
                continue;
            }
            for write in writes {
                let result = match write.change {
                    Change::Insert(statement) => connection.execute(&statement).await?,
                    Change::Update(statement) => connection.execute(&statement).await?,
                };
                if write.is_required && result.rows_affected() == 0 {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// The writes that can be one statement. Its parts do not see each other, and change a row only once: a write to a table that
/// another one of them writes to begins the next statement.
fn groups(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut groups: Vec<Vec<Write>> = Vec::new();
    for write in writes {
        match groups.last_mut() {
            Some(group) if group.iter().all(|other| other.table != write.table) => group.push(write),
            _ => groups.push(vec![write]),
        }
    }
    groups
}

/// One statement that makes all writes, and returns whether the required ones wrote a row. Constraints are checked at its end.
fn together(writes: Vec<Write>) -> WithQuery {
    let mut with = WithClause::new();
    let mut required = Vec::new();
    for (number, write) in writes.into_iter().enumerate() {
        let name = format!("write_{number}");
        let mut part = CommonTableExpression::new();
        part.table_name(name.clone());
        let one = || Expr::cust("1");
        if write.is_required {
            required.push(Expr::exists(Query::select().expr(one()).from(name).take()));
        }
        let returned = write.is_required.then(|| Query::returning().expr(one()));
        match (write.change, returned) {
            (Change::Insert(mut statement), Some(row)) => part.query(statement.returning(row).take()),
            (Change::Insert(statement), None) => part.query(statement),
            (Change::Update(mut statement), Some(row)) => part.query(statement.returning(row).take()),
            (Change::Update(statement), None) => part.query(statement),
        };
        with.cte(part);
    }
    let is_as_required = required.into_iter().reduce(ExprTrait::and).unwrap_or_else(|| Expr::cust("TRUE"));
    with.query(Query::select().expr_as(is_as_required, IS_AS_REQUIRED).take())
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::PostgresQueryBuilder;

    use super::*;

    fn insert(table: &'static str, id: i32) -> Write {
        let mut statement = InsertStatement::new();
        statement.into_table(table).columns(["id"]).values_panic([id.into()]);
        Write::insert(table, statement)
    }

    fn update(table: &'static str, state: &str) -> Write {
        let statement = UpdateStatement::new().table(table).value("state", state).to_owned();
        Write::update(table, statement)
    }

    #[test]
    fn writes_to_several_tables_are_one_statement() {
        let statement = together(vec![insert("orders", 1), update("payments", "paid")]);
        assert_eq!(
            statement.to_string(PostgresQueryBuilder),
            r#"WITH "write_0" AS (INSERT INTO "orders" ("id") VALUES (1)) , "write_1" AS (UPDATE "payments" SET "state" = 'paid') SELECT TRUE AS "is_as_required""#
        );
    }

    #[test]
    fn a_required_write_decides_what_the_statement_returns() {
        let statement = together(vec![
            insert("orders", 1),
            update("payments", "paid").required(),
            insert("keys", 2).required(),
        ]);
        assert_eq!(
            statement.to_string(PostgresQueryBuilder),
            r#"WITH "write_0" AS (INSERT INTO "orders" ("id") VALUES (1)) , "write_1" AS (UPDATE "payments" SET "state" = 'paid' RETURNING 1) , "write_2" AS (INSERT INTO "keys" ("id") VALUES (2) RETURNING 1) SELECT EXISTS(SELECT 1 FROM "write_1") AND EXISTS(SELECT 1 FROM "write_2") AS "is_as_required""#
        );
    }

    #[test]
    fn two_writes_to_one_table_are_two_statements_in_their_order() {
        let writes = ["orders", "payments", "orders", "products", "payments", "orders"];
        let tables = groups(writes.into_iter().map(|table| update(table, "paid")).collect());
        let tables: Vec<Vec<_>> =
            tables.iter().map(|group| group.iter().map(|write| write.table).collect()).collect();
        assert_eq!(
            tables,
            [vec!["orders", "payments"], vec!["orders", "products", "payments"], vec!["orders"]]
        );
    }
}
