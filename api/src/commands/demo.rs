//! `demo`: everything in one process, with a migrated and seeded database.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;
use glasshouse_domain::login::LoggedIn;
use glasshouse_domain::user::Role as UserRole;
use glasshouse_infra::clock;
use glasshouse_infra::db::{Database, DatabaseSettings, Directory, Seeder, create_private_folder};
use glasshouse_infra::passwords::{Argon2Hasher, HashingQueue};
use glasshouse_infra::tokens::Tokens;
use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};
use secrecy::ExposeSecret;

use super::{migrate, serve};
use crate::application::{Addresses, Application};
use crate::config::{AuthSettings, Config, DemoConfig};
use crate::demo::DemoSettings;
use crate::demo::data::{self, PASSWORD, TENANTS};
use crate::stdout;

/// The options of the demo.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct DemoArgs {
    /// Make about 12 requests a second, so that there is something to see. The default on a terminal.
    #[arg(long, conflicts_with = "no_traffic")]
    traffic: bool,
    /// Make no requests.
    #[arg(long)]
    no_traffic: bool,
}

/// Migrates and seeds the database, and runs the demo until the process receives a signal to stop.
pub(crate) async fn run(mut config: Box<DemoConfig>, args: DemoArgs) -> anyhow::Result<()> {
    let on_terminal = io::stdout().is_terminal();
    let has_console = config.process.console.is_some();
    if let Some(directory) = &config.data_directory {
        create_private_folder(directory)
            .with_context(|| format!("GLASSHOUSE_DATA_DIR: cannot create {}", directory.display()))?;
    }
    migrate::migrate(&config.storage.migration_address, None).await?;
    let mail_folder = config.worker.mail_folder.clone();
    let (tenants, order) = prepare(&config.storage.database, &config.auth).await?;
    config.demo = DemoSettings { traffic: args.traffic || (on_terminal && !args.no_traffic), tenants };
    let application = Application::build(Config::Demo(config)).await?;
    if on_terminal {
        welcome(application.addresses(), has_console, mail_folder.as_deref(), order.as_ref())?;
    }
    application.run_until(serve::stop_signal()?).await
}

/// What the printed `curl` command that places an order contains.
struct DemoOrder {
    token: String,
    product: String,
}

/// The slugs of the demo's tenants, by their ids.
type TenantNames = BTreeMap<String, &'static str>;

/// Adds the demo's tenants, and prepares an order of the first one; `None` if it has no product.
async fn prepare(
    database: &DatabaseSettings,
    auth: &AuthSettings,
) -> anyhow::Result<(TenantNames, Option<DemoOrder>)> {
    let metrics = Metrics::new(MetricsSettings::default())?;
    let database = Database::connect(database, &metrics).await.context("database_connection_failed")?;
    let hasher = HashingQueue::new(auth.hashing, metrics.admission)?.enter()?;
    let seeder = Seeder::new(database);
    let (mut names, mut order) = (TenantNames::new(), None);
    for tenant in &TENANTS {
        tenant.add(&seeder, &hasher).await?;
        let Some(owner) = tenant.log_in(&seeder.directory(), &hasher).await? else { continue };
        names.insert(owner.tenant().to_string(), tenant.slug);
        if order.is_none() {
            order = demo_order(&owner, &seeder, &Tokens::new(&auth.tokens)).await?;
        }
    }
    seeder.close().await;
    Ok((names, order))
}

async fn demo_order(
    owner: &LoggedIn<Directory, Argon2Hasher>,
    seeder: &Seeder,
    tokens: &Tokens,
) -> anyhow::Result<Option<DemoOrder>> {
    let store = seeder.tenant(owner.tenant());
    let Some(product) = data::any_product(&store).await? else { return Ok(None) };
    let token = tokens.issue(owner, clock::now())?;
    Ok(Some(DemoOrder { token: token.expose_secret().to_owned(), product: product.id.to_string() }))
}

fn welcome(
    addresses: Addresses,
    has_console: bool,
    mail_folder: Option<&Path>,
    order: Option<&DemoOrder>,
) -> io::Result<()> {
    let url = |address: Option<std::net::SocketAddr>| address.map(|address| format!("http://{address}"));
    let (api, management) =
        (url(addresses.http).unwrap_or_default(), url(addresses.management).unwrap_or_default());
    let gateway = url(addresses.gateway).unwrap_or_default();
    let mut out = Vec::new();
    writeln!(out, "\nGlasshouse is running. Press Ctrl-C to stop it.\n")?;
    if has_console {
        writeln!(
            out,
            "  Console            {management}/     traffic, requests, traces, faults: start here"
        )?;
    }
    writeln!(out, "  API                {api}/v1     documentation at {api}/docs/")?;
    writeln!(out, "  Management         {management}/metrics     and /health/ready")?;
    writeln!(
        out,
        "  Gateway simulator  {gateway}/control     sets latency, error, timeout and decline rates"
    )?;
    if let Some(folder) = mail_folder {
        writeln!(
            out,
            "  Mail               {}     messages to users, such as password resets",
            folder.display()
        )?;
    }
    writeln!(out, "\n  Logins: password {PASSWORD}")?;
    for tenant in &TENANTS {
        let emails = [UserRole::Owner, UserRole::Admin, UserRole::Member].map(|role| tenant.email(role));
        writeln!(out, "    tenant {:<7} {}", tenant.slug, emails.join("  "))?;
    }
    if let Some(DemoOrder { token, product }) = order {
        writeln!(out, "\n  Place an order:\n")?;
        writeln!(out, "curl -s {api}/v1/orders \\")?;
        writeln!(out, "  -H 'Authorization: Bearer {token}' \\")?;
        writeln!(out, "  -H \"Idempotency-Key: demo-$(date +%s)-$RANDOM\" \\")?;
        writeln!(out, "  -H 'Content-Type: application/json' \\")?;
        writeln!(out, "  -d '{{\"items\":[{{\"product_id\":\"{product}\",\"quantity\":2}}]}}'\n")?;
    }
    stdout::print(&String::from_utf8_lossy(&out))
}
