//! The tenants of the demo, one for each plan, with users and products. Adding them is idempotent.

use glasshouse_domain::id::{ProductId, TenantId, UserId};
use glasshouse_domain::login::{LoggedIn, LoginError, PasswordHasher, log_in};
use glasshouse_domain::page::PageRequest;
use glasshouse_domain::product::Product;
use glasshouse_domain::sign_up::{SignUpError, SignUpStore};
use glasshouse_domain::tenant::{Plan, Tenant};
use glasshouse_domain::user::{Role, SessionGeneration, User};
use glasshouse_domain::values::{Currency, Email, Money, Name, Password, Sku, Slug};
use glasshouse_infra::clock;
use glasshouse_infra::db::{Directory, Seeder, TenantStore};
use glasshouse_infra::passwords::Argon2Hasher;
use time::OffsetDateTime;
use uuid::Uuid;

/// The password of every demo user. It is not a secret: the demo's data is public.
pub(crate) const PASSWORD: &str = "demo-password";

/// The demo's Acme, for the examples of the documentation.
pub(crate) const ACME: &DemoTenant = &TENANTS[0];

/// The SKU of a product of Acme.
pub(crate) const BLUE_MUG: &str = "MUG-BLUE";

/// A tenant of the demo.
pub(crate) struct DemoTenant {
    pub(crate) slug: &'static str,
    name: &'static str,
    plan: Plan,
    /// Where its ids begin: they are the same in every demo, so that examples work.
    ids: u64,
    /// SKU, name and price in cents.
    products: &'static [(&'static str, &'static str, i64)],
}

/// The tenants of the demo.
pub(crate) const TENANTS: [DemoTenant; 3] = [
    DemoTenant {
        slug: "acme",
        name: "Acme Corporation",
        plan: Plan::Pro,
        ids: 0x1000,
        products: &[
            ("ANVIL-50", "Anvil, 50 kg", 19_900),
            ("ROCKET-1", "Rocket skates", 49_900),
            (BLUE_MUG, "Blue mug", 1_250),
        ],
    },
    DemoTenant {
        slug: "globex",
        name: "Globex",
        plan: Plan::Free,
        ids: 0x2000,
        products: &[("LASER-9", "Laser pointer", 2_900), ("HAMMOCK", "Hammock", 8_500)],
    },
    DemoTenant {
        slug: "initech",
        name: "Initech",
        plan: Plan::Enterprise,
        ids: 0x3000,
        products: &[("STAPLER", "Red stapler", 1_990), ("COVER", "Report cover", 150)],
    },
];

const STOCK: i32 = 1_000_000;

impl DemoTenant {
    /// The address of the user with this role.
    pub(crate) fn email(&self, role: Role) -> String {
        email(self.slug, role)
    }

    /// The id of the user with this role.
    pub(crate) fn user_id(&self, role: Role) -> Uuid {
        let number = Role::ALL.iter().position(|one| *one == role).unwrap_or_default();
        fixed_id(self.ids + number as u64)
    }

    /// The id of the product with this SKU, if it has one.
    pub(crate) fn product_id(&self, sku: &str) -> Option<Uuid> {
        let number = self.products.iter().position(|(one, ..)| *one == sku)?;
        Some(fixed_id(self.ids + 0x100 + number as u64))
    }

    /// Adds the tenant with its users and products, unless it exists.
    pub(crate) async fn add(&self, seeder: &Seeder, hasher: &Argon2Hasher) -> anyhow::Result<()> {
        let now = clock::now();
        let (slug, name) = (Slug::parse(self.slug)?, Name::parse(self.name)?);
        let tenant = Tenant { id: TenantId::new(), slug, name, plan: self.plan, created_at: now };
        let hash = hasher.hash(Password::parse(PASSWORD.into())?).await?;
        match seeder.directory().create_tenant(&tenant, &self.user(Role::Owner, now)?, &hash).await {
            Ok(()) => {}
            Err(SignUpError::SlugTaken) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let store = seeder.tenant(tenant.id);
        for role in [Role::Admin, Role::Member] {
            store.add_user(&self.user(role, now)?, &hash).await?;
        }
        for (sku, name, cents) in self.products {
            let mut product = product(sku, name, *cents, now)?;
            product.id = self.product_id(sku).map_or(product.id, ProductId::from);
            store.add_product(&product).await?;
        }
        Ok(())
    }

    fn user(&self, role: Role, created_at: OffsetDateTime) -> anyhow::Result<User> {
        let (id, email) = (UserId::from(self.user_id(role)), Email::parse(&self.email(role))?);
        let sessions = SessionGeneration::FIRST;
        Ok(User { id, email, role, active: true, sessions, version: 1, created_at })
    }

    /// Logs the owner in; `None` if the tenant or its owner was changed since it was added.
    pub(crate) async fn log_in(
        &self,
        directory: &Directory,
        hasher: &Argon2Hasher,
    ) -> anyhow::Result<Option<LoggedIn<Directory, Argon2Hasher>>> {
        let (slug, email) = (Slug::parse(self.slug)?, Email::parse(&self.email(Role::Owner))?);
        match log_in(directory, hasher, &slug, &email, PASSWORD.into()).await {
            Ok(login) => Ok(Some(login)),
            Err(LoginError::WrongCredentials) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A UUIDv7 of the beginning of 2026, which sorts by its number.
fn fixed_id(number: u64) -> Uuid {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(1_767_225_600_000, &random).into_uuid()
}

/// The address of the user of this tenant with this role.
pub(super) fn email(tenant: &str, role: Role) -> String {
    format!("{role}@{tenant}.example")
}

/// A product of a tenant, if it has any.
pub(crate) async fn any_product(store: &TenantStore) -> anyhow::Result<Option<Product>> {
    let page = store.products(PageRequest { after: None, limit: 1 }).await?;
    Ok(page.items.into_iter().next())
}

/// A product with plenty of stock.
pub(crate) fn product(sku: &str, name: &str, cents: i64, now: OffsetDateTime) -> anyhow::Result<Product> {
    Ok(Product {
        id: ProductId::new(),
        sku: Sku::parse(sku)?,
        name: Name::parse(name)?,
        price: Money::new(cents, Currency::USD)?,
        stock: STOCK,
        archived: false,
        version: 1,
        created_at: now,
    })
}
