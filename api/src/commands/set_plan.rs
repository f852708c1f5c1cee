//! `set-plan`: gives a tenant another plan.

use anyhow::{Context, anyhow};
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::values::Slug;
use glasshouse_infra::db::{Database, Plans};
use glasshouse_telemetry::service::events::users::TenantPlanChanged;
use glasshouse_telemetry::service::metrics::{Metrics, MetricsSettings};

use crate::config::StorageSettings;
use crate::environment::{Reader, environment};

/// The tenant and its new plan.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SetPlanArgs {
    /// The slug of the tenant.
    #[arg(value_parser = |text: &str| Slug::parse(text))]
    tenant: Slug,
    /// `free`, `pro` or `enterprise`. Its rate limit applies within 30 seconds.
    #[arg(value_parser = |text: &str| text.parse::<Plan>().map_err(|_| "must be free, pro or enterprise"))]
    plan: Plan,
}

/// Changes the plan.
pub(crate) async fn run(args: SetPlanArgs) -> anyhow::Result<()> {
    let SetPlanArgs { tenant, plan } = args;
    let mut env = Reader::new(environment);
    let storage = StorageSettings::read(&mut env);
    let storage = env.finish(storage)?;
    let database = Database::connect(&storage.database, &Metrics::new(MetricsSettings::default())?)
        .await
        .context("database_connection_failed")?;
    let plans = Plans::new(database);
    let changed = plans.set(&tenant, plan).await;
    plans.close().await;
    let tenant_id = changed?.ok_or_else(|| anyhow!("there is no tenant with the slug {tenant}"))?;
    TenantPlanChanged { tenant_id: &tenant_id, plan: plan.as_str() }.emit();
    Ok(())
}
