//! The two tenants of the demo, with users and products. Everything is added once: a second start finds it.

use glasshouse_domain::id::{ProductId, UserId};
use glasshouse_domain::login::{LoginStore, PasswordHasher};
use glasshouse_domain::page::PageRequest;
use glasshouse_domain::product::Product;
use glasshouse_domain::sign_up::{SignUp, SignUpError, sign_up};
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::user::{Role, User};
use glasshouse_domain::values::{Currency, Email, Money, Name, Password, Sku, Slug};
use glasshouse_infra::clock;
use glasshouse_infra::db::{Database, TenantStore};
use glasshouse_infra::passwords::Argon2Hasher;
use time::OffsetDateTime;

/// The password of every demo user. It protects nothing: the demo's data is public.
pub(super) const PASSWORD: &str = "demo-password";

/// A tenant of the demo.
pub(super) struct DemoTenant {
    pub(super) slug: &'static str,
    name: &'static str,
    plan: Plan,
    products: &'static [(&'static str, &'static str, i64)],
}

/// The tenants of the demo.
pub(super) const TENANTS: [DemoTenant; 2] = [
    DemoTenant {
        slug: "acme",
        name: "Acme Corporation",
        plan: Plan::Pro,
        products: &[
            ("ANVIL-50", "Anvil, 50 kg", 19_900),
            ("ROCKET-1", "Rocket skates", 49_900),
            ("MUG-BLUE", "Blue mug", 1_250),
        ],
    },
    DemoTenant {
        slug: "globex",
        name: "Globex",
        plan: Plan::Free,
        products: &[("LASER-9", "Laser pointer", 2_900), ("HAMMOCK", "Hammock", 8_500)],
    },
];

const STOCK: i32 = 1_000_000;

impl DemoTenant {
    /// The address of the user with this role.
    pub(super) fn email(&self, role: Role) -> String {
        format!("{role}@{}.example", self.slug)
    }

    /// Adds the tenant with its users and products, unless it exists.
    pub(super) async fn add(&self, database: &Database, hasher: &Argon2Hasher) -> anyhow::Result<()> {
        let request = SignUp {
            slug: Slug::parse(self.slug)?,
            name: Name::parse(self.name)?,
            plan: self.plan,
            owner_email: Email::parse(&self.email(Role::Owner))?,
            owner_password: Password::parse(PASSWORD.into())?,
        };
        let now = clock::now();
        let store = match sign_up(database, hasher, request, now).await {
            Ok((tenant, _)) => database.tenant(tenant.id),
            Err(SignUpError::SlugTaken) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for role in [Role::Admin, Role::Member] {
            let email = Email::parse(&self.email(role))?;
            let user = User { id: UserId::new(), email, role, active: true, version: 1, created_at: now };
            let hash = hasher.hash(Password::parse(PASSWORD.into())?).await?;
            store.add_user(&user, &hash).await?;
        }
        for (sku, name, cents) in self.products {
            store.add_product(&product(sku, name, *cents, now)?).await?;
        }
        Ok(())
    }

    /// The tenant's rows and its owner's id.
    pub(super) async fn find(&self, database: &Database) -> anyhow::Result<Option<(TenantStore, UserId)>> {
        let (slug, email) = (Slug::parse(self.slug)?, Email::parse(&self.email(Role::Owner))?);
        let owner = database.credentials(&slug, &email).await?;
        Ok(owner.map(|owner| (database.tenant(owner.tenant), owner.user)))
    }
}

/// A product of a tenant, if it has any.
pub(super) async fn any_product(store: &TenantStore) -> anyhow::Result<Option<Product>> {
    let page = store.products(PageRequest { after: None, limit: 1 }).await?;
    Ok(page.items.into_iter().next())
}

/// A product with plenty of stock.
pub(super) fn product(sku: &str, name: &str, cents: i64, now: OffsetDateTime) -> anyhow::Result<Product> {
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
