//! Records how many units of a product came in by hand, so that `glasshouse audit` can prove its stock: the stock and the
//! units of live orders are what came in.
//!
//! Products of the previous version have no such number, and those that it adds get none. The audit counts them as not
//! provable. Their number can be set once with the statement in docs/reliability.md. Stock that the previous version moves
//! during a rolling update is not recorded.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let received = big_integer_null("received");
        manager.alter_table(Table::alter().table("products").add_column(received).take()).await
    }
}
