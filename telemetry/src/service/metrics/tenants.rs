//! The names of tenants, for queries that show them instead of ids.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use crate::metrics::{CappedLabel, Error, IntGaugeVec, Registrar};

/// Slug and plan of each tenant that has series of its own, and of `other`.
#[derive(Clone, Debug)]
pub(super) struct TenantInfo {
    family: IntGaugeVec<3>,
    tenants: CappedLabel,
    /// Slug and plan by id: a tenant has one series, also after a change of its plan.
    current: Arc<Mutex<HashMap<String, [String; 2]>>>,
}

impl TenantInfo {
    pub(super) fn register(registrar: &mut Registrar, tenants: CappedLabel) -> Result<Self, Error> {
        let family = IntGaugeVec::unregistered(
            "tenant_info",
            "Always 1; the labels are slug and plan of a tenant, which other series join by tenant_id.",
            ["tenant_id", "slug", "plan"],
        )?;
        family.with([CappedLabel::OTHER; 3]).set(1);
        registrar.register(Self { family, tenants, current: Arc::default() })
    }

    /// Sets slug and plan of a tenant, unless it has no series of its own.
    pub(super) fn set(&self, tenant: &str, slug: &str, plan: &str) {
        if !self.tenants.exports(tenant) {
            return;
        }
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = current.insert(tenant.to_owned(), [slug.to_owned(), plan.to_owned()]);
        if let Some([old_slug, old_plan]) = previous {
            self.family.remove([tenant, &old_slug, &old_plan]);
        }
        self.family.with([tenant, slug, plan]).set(1);
    }
}

impl Collector for TenantInfo {
    fn desc(&self) -> Vec<&Desc> {
        self.family.desc()
    }

    /// Collects the series, and removes those of tenants that lost theirs.
    fn collect(&self) -> Vec<MetricFamily> {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|tenant, _| self.tenants.exports(tenant));
        self.family.collect_retained(|values| values.first().is_none_or(|first| self.tenants.exports(first)))
    }
}
