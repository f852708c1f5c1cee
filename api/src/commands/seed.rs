//! `seed`: adds the demo's tenants, or many tenants and orders for load tests.

use anyhow::{Context, ensure};
use glasshouse_domain::id::{OrderId, PaymentId, TenantId, UserId};
use glasshouse_domain::login::PasswordHasher;
use glasshouse_domain::order::{Basket, Order, OrderDraft, OrderState};
use glasshouse_domain::product::Product;
use glasshouse_domain::sign_up::SignUpStore;
use glasshouse_domain::tenant::{Plan, Tenant};
use glasshouse_domain::user::{Role as UserRole, SessionGeneration, User};
use glasshouse_domain::values::{Email, Name, Password, PasswordHash, Quantity, Slug};
use glasshouse_infra::clock;
use glasshouse_infra::db::{Database, Seeder};
use glasshouse_infra::passwords::{Argon2Hasher, HashingQueue};
use glasshouse_migrations::REQUIRED_MIGRATION;
use glasshouse_telemetry::service::events::process::DatabaseSeeded;
use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};
use time::{Duration, OffsetDateTime};

use crate::config::{StorageSettings, read_hashing, read_outbox_retention};
use crate::demo::data::{self as demo_data, PASSWORD, TENANTS};
use crate::environment::{Reader, environment};

/// The data to add.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct SeedArgs {
    /// Add the tenants of the demo, unless they exist.
    #[arg(long)]
    pub(crate) demo: bool,
    /// The number of new tenants.
    #[arg(long, default_value_t = 0)]
    pub(crate) tenants: u32,
    /// The total number of orders, spread over the new tenants and the last 30 days.
    #[arg(long, default_value_t = 0)]
    pub(crate) orders: u32,
}

/// Adds the requested data.
pub(crate) async fn run(args: SeedArgs) -> anyhow::Result<()> {
    ensure!(args.demo || args.tenants > 0, "nothing to add: pass --demo, or --tenants N and --orders M");
    ensure!(args.orders == 0 || args.tenants > 0, "--orders needs --tenants: orders go to the new tenants");
    let mut env = Reader::new(environment);
    let (storage, hashing) = (StorageSettings::read(&mut env), read_hashing(&mut env));
    let retained_since = clock::now() - read_outbox_retention(&mut env);
    let storage = env.finish(storage)?;
    let metrics = Metrics::new(MetricsSettings::default())?;
    let database =
        Database::connect(&storage.database, &metrics).await.context("database_connection_failed")?;
    database.check_schema(REQUIRED_MIGRATION).await?;
    let hasher = HashingQueue::new(hashing, metrics.admission)?.enter()?;
    let seeder = Seeder::new(database);
    if args.demo {
        for tenant in &TENANTS {
            tenant.add(&seeder, &hasher).await?;
        }
    }
    if args.tenants > 0 {
        add_many(&seeder, &hasher, args, retained_since).await?;
    }
    DatabaseSeeded { demo: args.demo, tenants: args.tenants, orders: args.orders }.emit();
    Ok(())
}

const PRODUCTS: i64 = 10;
/// Orders per statement: with three items each, well below the limit of 65,535 parameters of Postgres.
const BATCH: u32 = 1000;

async fn add_many(
    seeder: &Seeder,
    hasher: &Argon2Hasher,
    args: SeedArgs,
    retained_since: OffsetDateTime,
) -> anyhow::Result<()> {
    // Hashing takes by far the longest, and the password is public: all tenants use one hash.
    let hash = hasher.hash(Password::parse(PASSWORD.into())?).await?;
    for number in 0..args.tenants {
        let (tenant, owner, products) = add_tenant(seeder, number, &hash).await?;
        let mut left = args.orders / args.tenants + u32::from(number < args.orders % args.tenants);
        while left > 0 {
            let batch = left.min(BATCH);
            let orders = (0..batch).map(|n| finished_order(owner, &products, left - n));
            let orders = orders.collect::<anyhow::Result<Vec<_>>>()?;
            seeder.add_orders(tenant, &orders, retained_since).await?;
            left -= batch;
        }
    }
    Ok(())
}

async fn add_tenant(
    seeder: &Seeder,
    number: u32,
    hash: &PasswordHash,
) -> anyhow::Result<(TenantId, UserId, Vec<Product>)> {
    let (id, now) = (TenantId::new(), clock::now());
    // The end of the id is its random part, so that seeding again adds other tenants.
    let id_text = id.uuid().simple().to_string();
    let slug = format!("seed-{number}-{}", &id_text[id_text.len() - 8..]);
    let plan = Plan::ALL[usize::try_from(number)? % Plan::ALL.len()];
    let tenant = Tenant { id, slug: Slug::parse(&slug)?, name: Name::parse(&slug)?, plan, created_at: now };
    let owner = User {
        id: UserId::new(),
        email: Email::parse(&format!("owner@{slug}.example"))?,
        role: UserRole::Owner,
        active: true,
        sessions: SessionGeneration::FIRST,
        version: 1,
        created_at: now,
    };
    seeder.directory().create_tenant(&tenant, &owner, hash).await?;
    let store = seeder.tenant(id);
    let mut products = Vec::new();
    for n in 1..=PRODUCTS {
        let product = demo_data::product(&format!("SEED-{n}"), &format!("Product {n}"), n * 250, now)?;
        store.add_product(&product).await?;
        products.push(product);
    }
    Ok((id, owner.id, products))
}

/// A finished order of the last 30 days; one in ten is declined, and one in twenty refunded.
fn finished_order(owner: UserId, products: &[Product], number: u32) -> anyhow::Result<Order> {
    let index = usize::try_from(number)?;
    let lines = [(0, 1), (3, 2), (7, 3)].map(|(step, pieces)| {
        let product = &products[(index + step) % products.len()];
        Quantity::new(pieces).map(|quantity| (product.id, quantity))
    });
    let draft = OrderDraft {
        order: OrderId::new(),
        payment: PaymentId::new(),
        placed_by: owner,
        basket: Basket::new(lines.into_iter().collect::<Result<_, _>>()?, 3)?,
    };
    let placed_at = clock::now() - Duration::minutes(i64::from(number % (30 * 24 * 60)));
    let state = match number % 20 {
        0 => OrderState::Refunded,
        1 | 2 => OrderState::PaymentFailed,
        _ => OrderState::Paid,
    };
    Ok(draft.price(products, placed_at)?.in_state(state))
}
