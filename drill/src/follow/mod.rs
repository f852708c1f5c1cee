//! Follows the links between signals as a person would: from a dot in a panel to its trace, from there to the lines,
//! the profile and the metrics, and from a line back to the trace.
//!
//! Everything is asked through Grafana's data sources, or of the servers themselves, with the queries by which these data
//! sources lead to each other, so that they are tested too.

mod exemplar;
mod lines;
mod links;
mod places;
mod profile;
mod trace;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::dashboards::Dashboard;
use crate::data_source::LINES;
use crate::watch::until;
pub use links::Links;
use links::NamedQuery;
pub use places::Places;
use trace::Trace;

/// How long exemplars may take after the start of a stack: they have to be scraped.
const EXEMPLAR_PATIENCE: Duration = Duration::from_secs(90);
/// How long a trace may take: the collector waits for its last spans.
const TRACE_PATIENCE: Duration = Duration::from_secs(60);
/// How long lines, profiles and metrics may take that belong to a trace which has arrived.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(45);
/// How many exemplars are followed to their traces: enough that some have samples in a profile.
const FOLLOWED: usize = 20;

/// Somebody who follows links.
pub struct Follower<'a> {
    /// Where everything is.
    pub places: &'a Places,
    /// How one thing leads to another.
    pub links: &'a Links,
    /// Told about each step.
    pub progress: &'a dyn Fn(&str),
}

impl Follower<'_> {
    /// Starts from the panels that show exemplars. An error says which link is broken, and where to look.
    pub async fn follow(&self, dashboards: &[Dashboard]) -> Result<()> {
        let traces = self.panel_to_traces(dashboards).await.context("panel -> trace is broken")?;
        let trace = self.trace_to_profile(&traces).await.context("trace -> profile is broken")?;
        self.trace_to_lines(trace).await.context("trace -> log lines is broken")?;
        self.trace_to_metrics(trace).await.context("trace -> metrics is broken")?;
        self.line_to_trace(trace).await.context("log line -> trace is broken")
    }

    /// The traces of the newest requests in a panel, which are the dots at its right edge.
    async fn panel_to_traces(&self, dashboards: &[Dashboard]) -> Result<Vec<Trace>> {
        let mut queries: Vec<_> = dashboards.iter().flat_map(Dashboard::promql_with_exemplars).collect();
        // Panels about requests first: other spans may belong to background work, which has no request at its root.
        queries.sort_by_key(|query| !query.expression.contains("SPAN_KIND_SERVER"));
        ensure!(!queries.is_empty(), "no panel of the dashboards asks for exemplars");
        let first = async || exemplar::first_of(self.places, self.links, &queries).await;
        let enough = async || Ok(first().await?.filter(|(_, exemplars)| exemplars.len() >= FOLLOWED));
        let found = match until(EXEMPLAR_PATIENCE, enough).await? {
            Some(found) => Some(found),
            None => first().await?, // there is little load
        };
        let (place, exemplars) = found.with_context(|| {
            format!(
                "no exemplar within {EXEMPLAR_PATIENCE:?}. Is there load (docker compose --profile average-load up)? Look at \
                 the target `spans` of Prometheus, at span_metrics in deploy/otel-collector/config.yml, and at \
                 exemplarTraceIdDestinations in grafana/provisioning/datasources"
            )
        })?;
        self.tell(
            &format!("{place}: {} dots in the last minutes", exemplars.len()),
            &self.places.panel(&place),
        );

        let ids: Vec<_> = exemplars.iter().take(FOLLOWED).map(|one| one.trace_id.as_str()).collect();
        let (traces, missing) = self.arrived(&ids).await?;
        let followed = ids.len();
        ensure!(
            traces.len() > missing.len(),
            "only {} of {followed} exemplars lead to a trace in Tempo, and {} to none. The conditions of \
             transform/exemplars and of tail_sampling in deploy/otel-collector/config.yml should be the same; or Tempo refuses \
             traces: look at the log of otel-collector",
            traces.len(),
            missing.join(", "),
        );
        (self.progress)(&format!("panel -> trace: {} of {followed} dots have theirs", traces.len()));
        Ok(traces)
    }

    /// The traces that arrive in time, and the ids of those that do not.
    async fn arrived<'i>(&self, ids: &[&'i str]) -> Result<(Vec<Trace>, Vec<&'i str>)> {
        let (mut traces, mut missing) = (Vec::new(), ids.to_vec());
        let all = until(TRACE_PATIENCE, async || {
            for id in std::mem::take(&mut missing) {
                match trace::find(self.places, id).await? {
                    Some(trace) => traces.push(trace),
                    None => missing.push(id),
                }
            }
            Ok(missing.is_empty().then_some(()))
        });
        all.await?;
        Ok((traces, missing))
    }

    /// The first trace with samples. Requests that take less than a hundredth of a second of CPU time often have none.
    async fn trace_to_profile<'t>(&self, traces: &'t [Trace]) -> Result<&'t Trace> {
        let queries: Vec<_> =
            traces.iter().filter_map(|trace| Some((trace, self.links.profile(trace)?))).collect();
        ensure!(
            !queries.is_empty(),
            "none of {} traces has pyroscope.profile.id at its root: PYROSCOPE_SERVER_ADDRESS is not set",
            traces.len()
        );
        let found = until(SIGNAL_PATIENCE, async || {
            for (trace, query) in &queries {
                if let Some(profile) = profile::find(self.places, query, &trace.root).await? {
                    return Ok(Some((*trace, query, profile)));
                }
            }
            Ok(None)
        });
        let (trace, query, profile) = found.await?.with_context(|| {
            format!(
                "no sample for the spans {} in Pyroscope within {SIGNAL_PATIENCE:?}. Does it have profiles of {} at all? Then \
                 their label span_id is lost; otherwise look at profiles_not_accepted in the service's log",
                queries.iter().map(|(_, query)| query.span.as_str()).collect::<Vec<_>>().join(", "),
                queries[0].1.labels
            )
        })?;
        let root = &trace.root;
        let took = root.seconds();
        let shown = format!(
            "trace {}: {} of {}, {} spans, {took:.3} s",
            trace.id,
            root.name,
            root.service(),
            trace.spans
        );
        self.tell(&shown, &self.places.trace(trace));
        let shown = format!(
            "trace -> profile: {:.0} ms of CPU time in {} functions",
            profile.milliseconds, profile.functions
        );
        self.tell(&shown, &self.places.profile(query, trace));
        Ok(trace)
    }

    async fn trace_to_lines(&self, trace: &Trace) -> Result<()> {
        let query = self.links.lines(trace)?;
        let lines = self.lines(&query, trace).await?;
        let shown = format!("trace -> log lines: {}, such as “{}”", lines.len(), lines[0].text);
        self.tell(&shown, &self.places.lines(&query, trace));
        Ok(())
    }

    /// Never empty.
    async fn lines(&self, query: &str, trace: &Trace) -> Result<Vec<lines::Line>> {
        let found = until(SIGNAL_PATIENCE, async || {
            let lines = lines::find(self.places, query, &trace.root).await?;
            Ok((!lines.is_empty()).then_some(lines))
        });
        found.await?.with_context(|| {
            format!(
                "Loki has no line for {query} within {SIGNAL_PATIENCE:?}. Does it have lines of {} at all? Then the field is \
                 not in their structured metadata; otherwise look at the log of otel-collector",
                trace.root.service()
            )
        })
    }

    async fn trace_to_metrics(&self, trace: &Trace) -> Result<()> {
        for NamedQuery { name, query } in self.links.metrics(trace)? {
            let value = until(SIGNAL_PATIENCE, async || exemplar::value(self.places, &query).await).await?;
            let value = value.with_context(|| {
                format!("Prometheus has nothing for {query}: does span_metrics in deploy/otel-collector/config.yml have these labels?")
            })?;
            self.tell(&format!("trace -> metrics: “{name}”: {value:.3}"), &self.places.metrics(&query));
        }
        Ok(())
    }

    /// A line that was found by its request, as the caller knows it, leads to the same trace.
    async fn line_to_trace(&self, trace: &Trace) -> Result<()> {
        let Some(request_id) = trace.root.request_id() else {
            bail!("the root of trace {} has no request_id", trace.id);
        };
        let query = format!(r#"{LINES} | request_id="{request_id}""#);
        let lines = self.lines(&query, trace).await?;
        let found = lines.iter().find_map(|line| Some((line, self.links.trace_of_line(&line.labels)?)));
        let (line, id) = found.with_context(|| format!("no line of {query} leads to a trace"))?;
        let (back, _) = self.arrived(&[id]).await?;
        let back = back.first().with_context(|| format!("Tempo has no trace {id}"))?;
        ensure!(back.id == trace.id, "it leads to {}, and not back to {}", back.id, trace.id);
        let shown = format!("log line -> trace: “{}” of request {request_id} leads back to it", line.text);
        self.tell(&shown, &self.places.lines(&query, trace));
        Ok(())
    }

    fn tell(&self, what: &str, link: &str) {
        (self.progress)(&format!("{what}\n        {link}"));
    }
}
