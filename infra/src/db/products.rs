//! The storage of products.

use glasshouse_domain::failure::StoreFailure;
use glasshouse_domain::id::ProductId;
use glasshouse_domain::idempotency::{Idempotent, IdempotentRequest};
use glasshouse_domain::page::{Page, PageRequest};
use glasshouse_domain::product::{Product, ProductChange, ProductError, StockError, StockMovement};
use glasshouse_domain::version::ExpectedVersion;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, QueryFilter, Select};

use super::TenantStore;
use super::entity::TenantQueries;
use super::entity::product::{Column, Entity, Model};
use super::idempotency::Claim;
use super::scope::Scope;
use super::stock::Movement;

impl TenantStore {
    /// Adds a product.
    ///
    /// # Errors
    /// When its SKU is taken, or the database fails.
    pub async fn add_product(&self, product: &Product) -> Result<(), ProductError> {
        self.repeated(|| async {
            let scope = self.write("add_product").await?;
            let row = row(product, self.tenant_id().uuid());
            if scope.insert_checked(row).await?.is_err() {
                return Err(ProductError::SkuTaken);
            }
            Ok(scope.commit().await?)
        })
        .await
    }

    /// A page of the products that are for sale, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn products(&self, page: PageRequest) -> Result<Page<Product>, StoreFailure> {
        let read = self.read("products");
        Ok(read.page(for_sale(&read), page).await?.try_map(Product::try_from)?)
    }

    /// One product that is for sale.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreFailure> {
        let read = self.read("product");
        read.one(by_id(&read, id)).await
    }

    /// Changes a product, if it still has a version that the client has read.
    ///
    /// # Errors
    /// When there is no such product, it has another version, or the database fails.
    pub async fn change_product(
        &self,
        id: ProductId,
        expected: &ExpectedVersion,
        change: &ProductChange,
    ) -> Result<Product, ProductError> {
        let mut values = Vec::new();
        if let Some(name) = &change.name {
            values.push((Column::Name, name.as_str().into()));
        }
        if let Some(price) = change.price {
            values.push((Column::PriceMinor, price.minor().into()));
            values.push((Column::Currency, price.currency().code().into()));
        }
        self.update_version(id, expected, values).await
    }

    /// Archives a product, if it still has a version that the client has read. Existing orders keep it.
    ///
    /// # Errors
    /// When there is no such product, it has another version, or the database fails.
    pub async fn archive_product(
        &self,
        id: ProductId,
        expected: &ExpectedVersion,
    ) -> Result<(), ProductError> {
        self.update_version(id, expected, vec![(Column::Archived, true.into())]).await?;
        Ok(())
    }

    async fn update_version(
        &self,
        id: ProductId,
        expected: &ExpectedVersion,
        values: Vec<(Column, Expr)>,
    ) -> Result<Product, ProductError> {
        self.repeated(|| async {
            let scope = self.write("update_version").await?;
            let mut update = scope
                .update_by_id::<Entity>(id.uuid())
                .col_expr(Column::Version, Expr::col(Column::Version).add(1))
                .filter(Column::Archived.eq(false));
            if let ExpectedVersion::OneOf(versions) = expected {
                update = update.filter(Column::Version.is_in(versions.iter().copied()));
            }
            for (column, value) in &values {
                update = update.col_expr(*column, value.clone());
            }
            let changed = scope.run_returning(update).await?;
            match changed.into_iter().next() {
                Some(product) => {
                    scope.commit().await?;
                    Ok(product)
                }
                None if scope.one_row(by_id(&scope, id)).await?.is_some() => {
                    Err(ProductError::VersionMismatch)
                }
                None => Err(ProductError::NotFound),
            }
        })
        .await
    }

    /// Adds units to the stock of a product, or removes them.
    ///
    /// # Errors
    /// When there is no such product, the stock would leave its range, the key belongs to another request, or
    /// the database fails.
    pub async fn move_stock(
        &self,
        id: ProductId,
        movement: StockMovement,
        request: &IdempotentRequest<Product>,
    ) -> Result<Idempotent<Product>, StockError> {
        self.repeated(|| async {
            let scope = self.write("move_stock").await?;
            if let Claim::Completed(response) = scope.claim::<_, StockError>(request, id.uuid()).await? {
                return Ok(Idempotent::Replayed(response));
            }
            let product = match movement {
                StockMovement::In(_) => add_stock(&scope, id, movement.delta()).await?,
                StockMovement::Out(_) => remove_stock(&scope, id, movement.delta()).await?,
            };
            scope.record(request, &product);
            scope.commit().await?;
            Ok(Idempotent::Executed(product))
        })
        .await
    }
}

/// Adds units, unless the stock would exceed its maximum once pending orders return theirs.
async fn add_stock(scope: &Scope, id: ProductId, delta: i32) -> Result<Product, StockError> {
    // An order that reserves or returns units waits for this lock, so both numbers belong together.
    let available = scope.lock_stock_for_sale(id).await?.ok_or(StockError::NotFound)?;
    let reserved = scope.reserved_stock(id).await?;
    let added = scope.move_stock(&[(id, delta)], Movement::Add { reserved }).await?;
    added.into_iter().next().ok_or(StockError::AboveMaximum { available, reserved })
}

/// Removes units, unless the stock would become negative.
async fn remove_stock(scope: &Scope, id: ProductId, delta: i32) -> Result<Product, StockError> {
    let removed = scope.move_stock(&[(id, delta)], Movement::Remove).await?;
    match removed.into_iter().next() {
        Some(product) => Ok(product),
        None => {
            let available = scope.stock_for_sale(id).await?.ok_or(StockError::NotFound)?;
            Err(StockError::BelowZero { available })
        }
    }
}

fn for_sale(tenant: &impl TenantQueries) -> Select<Entity> {
    tenant.find::<Entity>().filter(Column::Archived.eq(false))
}

fn by_id(tenant: &impl TenantQueries, id: ProductId) -> Select<Entity> {
    tenant.find_by_id(id.uuid()).filter(Column::Archived.eq(false))
}

fn row(product: &Product, tenant_id: uuid::Uuid) -> Model {
    Model {
        id: product.id.uuid(),
        tenant_id,
        sku: product.sku.as_str().to_owned(),
        name: product.name.as_str().to_owned(),
        price_minor: product.price.minor(),
        currency: product.price.currency().code().to_owned(),
        stock: product.stock,
        archived: product.archived,
        version: product.version,
        created_at: product.created_at,
        received: Some(product.stock.into()),
    }
}
