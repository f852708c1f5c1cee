//! `set-plan`: gives a tenant another plan.

use anyhow::anyhow;
use glasshouse_domain::tenant::Plan;
use glasshouse_domain::values::Slug;
use glasshouse_infra::db::Plans;
use glasshouse_telemetry::service::events::users::TenantPlanChanged;

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
    let plans = Plans::new(super::connect_to_storage().await?);
    let changed = plans.set(&tenant, plan).await;
    plans.close().await;
    let tenant_id = changed?.ok_or_else(|| anyhow!("there is no tenant with the slug {tenant}"))?;
    TenantPlanChanged { tenant_id: &tenant_id, plan: plan.as_str() }.emit();
    Ok(())
}
