//! Follows the correlations between signals as a person would in Grafana: from an exemplar in a panel to its trace, from
//! there to log records, profile and metrics, and from a log record back to the trace.
//!
//! Requests go through Grafana's data sources, or directly to the backends. The queries are those of the provisioned
//! links, so the links are tested too.

mod backends;
mod exemplar;
mod explore;
mod links;
mod logs;
mod profile;
mod trace;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::grafana::DashboardFile;
use crate::polling::poll_until;
pub use backends::Backends;
use exemplar::Exemplar;
pub use explore::Explore;
pub use links::Links;
use links::MetricsQuery;
use logs::LogRecord;
use trace::Trace;

/// The timeout for exemplars after the start of a stack: they have to be scraped first.
const EXEMPLAR_TIMEOUT: Duration = Duration::from_secs(90);
/// The timeout for a trace: the collector waits for its last spans.
const TRACE_TIMEOUT: Duration = Duration::from_secs(60);
/// The timeout for log records, profiles and metrics of a trace that is stored.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(45);
/// How many exemplars are followed to their traces: enough that some have samples in a profile.
const MAX_EXEMPLARS: usize = 20;

/// Follows the links between signals.
pub struct Follower<'a> {
    /// The telemetry backends.
    pub backends: &'a Backends,
    /// Links to the same data in Grafana, for the progress messages.
    pub explore: &'a Explore,
    /// The provisioned links between data sources.
    pub links: &'a Links,
    /// Called with a message about each step.
    pub progress: &'a dyn Fn(&str),
}

impl Follower<'_> {
    /// Follows all links, starting from the panels that show exemplars.
    ///
    /// # Errors
    /// A link is broken. The error names the link and the likely causes.
    pub async fn follow(&self, dashboards: &[DashboardFile]) -> Result<()> {
        let traces = self.panel_to_traces(dashboards).await.context("panel -> trace is broken")?;
        let trace = self.trace_to_profile(&traces).await.context("trace -> profile is broken")?;
        self.trace_to_logs(trace).await.context("trace -> logs is broken")?;
        self.trace_to_metrics(trace).await.context("trace -> metrics is broken")?;
        self.log_record_to_trace(trace).await.context("log record -> trace is broken")
    }

    /// The traces of the newest exemplars in a panel.
    async fn panel_to_traces(&self, dashboards: &[DashboardFile]) -> Result<Vec<Trace>> {
        let (place, exemplars) = self.exemplars(dashboards).await?;
        self.report(
            &format!("{place}: {} exemplars in the last minutes", exemplars.len()),
            &self.explore.dashboard(&place),
        );

        let ids: Vec<_> = exemplars.iter().take(MAX_EXEMPLARS).map(|one| one.trace_id.as_str()).collect();
        let (traces, missing) = self.stored_traces(&ids).await?;
        let followed = ids.len();
        ensure!(
            traces.len() > missing.len(),
            "only {} of {followed} exemplars lead to a trace in Tempo; missing are {}. The conditions of \
             transform/exemplars and of tail_sampling in deploy/otel-collector/config.yml must be the same; or Tempo \
             rejects traces: see the log of otel-collector",
            traces.len(),
            missing.join(", "),
        );
        (self.progress)(&format!("panel -> trace: {} of {followed} exemplars have a trace", traces.len()));
        Ok(traces)
    }

    /// The panel with exemplars, and the exemplars from newest to oldest. Fewer than `MAX_EXEMPLARS` are accepted after
    /// the timeout.
    async fn exemplars(&self, dashboards: &[DashboardFile]) -> Result<(String, Vec<Exemplar>)> {
        let mut queries: Vec<_> = dashboards.iter().flat_map(DashboardFile::promql_with_exemplars).collect();
        // Panels of requests come first: other spans may belong to background work, which has no request at its root.
        queries.sort_by_key(|query| !query.expression.contains("SPAN_KIND_SERVER"));
        ensure!(!queries.is_empty(), "no panel of the dashboards asks for exemplars");
        let first = async || exemplar::first_with_exemplars(self.backends, self.links, &queries).await;
        let enough = async || Ok(first().await?.filter(|(_, exemplars)| exemplars.len() >= MAX_EXEMPLARS));
        let found = match poll_until(EXEMPLAR_TIMEOUT, enough).await? {
            Some(found) => Some(found),
            None => first().await?,
        };
        found.with_context(|| {
            format!(
                "no exemplar within {EXEMPLAR_TIMEOUT:?}. Is there load (docker compose --profile average-load up)? See \
                 the target `spans` of Prometheus, span_metrics in deploy/otel-collector/config.yml, and \
                 exemplarTraceIdDestinations in grafana/provisioning/datasources"
            )
        })
    }

    /// The traces that are stored before the timeout, and the ids of the others.
    async fn stored_traces<'i>(&self, ids: &[&'i str]) -> Result<(Vec<Trace>, Vec<&'i str>)> {
        let (mut traces, mut missing) = (Vec::new(), ids.to_vec());
        let all = poll_until(TRACE_TIMEOUT, async || {
            for id in std::mem::take(&mut missing) {
                match trace::find(self.backends, id).await? {
                    Some(trace) => traces.push(trace),
                    None => missing.push(id),
                }
            }
            Ok(missing.is_empty().then_some(()))
        });
        all.await?;
        Ok((traces, missing))
    }

    /// The first trace with profile samples. Requests that use less than 10 ms of CPU time often have none.
    async fn trace_to_profile<'t>(&self, traces: &'t [Trace]) -> Result<&'t Trace> {
        let queries: Vec<_> =
            traces.iter().filter_map(|trace| Some((trace, self.links.profile(trace)?))).collect();
        ensure!(
            !queries.is_empty(),
            "none of {} root spans has pyroscope.profile.id: PYROSCOPE_SERVER_ADDRESS is not set",
            traces.len()
        );
        let found = poll_until(SIGNAL_TIMEOUT, async || {
            for (trace, query) in &queries {
                if let Some(profile) = profile::find(self.backends, query, &trace.root).await? {
                    return Ok(Some((*trace, query, profile)));
                }
            }
            Ok(None)
        });
        let (trace, query, profile) = found.await?.with_context(|| {
            format!(
                "no sample for the spans {} in Pyroscope within {SIGNAL_TIMEOUT:?}. If it has profiles of {}, their label \
                 span_id is missing; otherwise search the service's log for profiles_not_accepted",
                queries.iter().map(|(_, query)| query.span.as_str()).collect::<Vec<_>>().join(", "),
                queries[0].1.labels
            )
        })?;
        self.report(&trace.summary(), &self.explore.trace(trace));
        let message = format!(
            "trace -> profile: {:.0} ms of CPU time in {} functions",
            profile.milliseconds, profile.functions
        );
        self.report(&message, &self.explore.profile(query, trace));
        Ok(trace)
    }

    async fn trace_to_logs(&self, trace: &Trace) -> Result<()> {
        let query = self.links.logs(trace)?;
        let records = self.log_records(&query, trace).await?;
        let message = format!("trace -> logs: {} records, such as “{}”", records.len(), records[0].text);
        self.report(&message, &self.explore.logs(&query, trace));
        Ok(())
    }

    /// The log records that a query finds around a trace: at least one.
    async fn log_records(&self, query: &str, trace: &Trace) -> Result<Vec<LogRecord>> {
        let found = poll_until(SIGNAL_TIMEOUT, async || {
            let records = logs::find(self.backends, query, &trace.root).await?;
            Ok((!records.is_empty()).then_some(records))
        });
        found.await?.with_context(|| {
            format!(
                "Loki has no log record for {query} within {SIGNAL_TIMEOUT:?}. If it has records of {}, the field is \
                 missing in their structured metadata; otherwise see the log of otel-collector",
                trace.root.service()
            )
        })
    }

    async fn trace_to_metrics(&self, trace: &Trace) -> Result<()> {
        for MetricsQuery { name, query } in self.links.metrics(trace)? {
            let value =
                poll_until(SIGNAL_TIMEOUT, async || exemplar::value(self.backends, &query).await).await?;
            let value = value.with_context(|| {
                format!("Prometheus has no data for {query}: does span_metrics in deploy/otel-collector/config.yml have these labels?")
            })?;
            self.report(&format!("trace -> metrics: “{name}”: {value:.3}"), &self.explore.metrics(&query));
        }
        Ok(())
    }

    /// A log record that is found by its request id leads back to the same trace.
    async fn log_record_to_trace(&self, trace: &Trace) -> Result<()> {
        let Some(request_id) = trace.root.request_id() else {
            bail!("the root span of trace {} has no request_id", trace.id);
        };
        let query = self.links.logs_of_request(trace, request_id)?;
        let records = self.log_records(&query, trace).await?;
        let linked =
            records.iter().find_map(|record| Some((record, self.links.trace_of_record(&record.labels)?)));
        let (record, id) = linked.with_context(|| format!("no log record of {query} leads to a trace"))?;
        let (found, _) = self.stored_traces(&[id]).await?;
        let found = found.first().with_context(|| format!("Tempo has no trace {id}"))?;
        ensure!(found.id == trace.id, "it leads to {}, and not back to {}", found.id, trace.id);
        let message =
            format!("log record -> trace: “{}” of request {request_id} leads back to it", record.text);
        self.report(&message, &self.explore.logs(&query, trace));
        Ok(())
    }

    fn report(&self, message: &str, link: &str) {
        (self.progress)(&format!("{message}\n        {link}"));
    }
}
