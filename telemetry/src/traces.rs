//! Spans: made by `tracing`, recorded by the OpenTelemetry SDK, sent over OTLP.
//!
//! Without a receiver no span is sent, nor recorded, unless recent telemetry is kept. Trace ids exist all the same, for log
//! records and responses.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::trace::{Link, Span as _, SpanKind, Status, TraceId};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, SamplingResult, SdkTracerProvider,
    ShouldSample, Span, SpanData, SpanExporter as ExportSpans, SpanProcessor,
};

use crate::otlp::{CAPACITY, Receiver, SPANS};
use crate::recent::RecentTelemetry;
use crate::redaction::{REDACTED, Redactor, safe};

/// Which traces are recorded, in the terms of `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether a trace that a caller began is recorded if and only if the caller recorded it.
    pub follow_parent: bool,
    /// The ratio of recorded traces among all others, from 0 to 1.
    pub ratio: f64,
}

impl Default for Sampling {
    /// `parentbased_always_on`, OpenTelemetry's default.
    fn default() -> Self {
        Self { follow_parent: true, ratio: 1.0 }
    }
}

/// The sampler is none of those that OpenTelemetry defines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be always_on, always_off, traceidratio, or one of these with parentbased_ in front, such as \
     parentbased_traceidratio"
)]
pub struct UnknownSampler;

impl Sampling {
    /// The sampler of this name. `ratio` is used where the name ends in `traceidratio`.
    ///
    /// # Errors
    /// When OpenTelemetry defines no such sampler.
    pub fn parse(name: &str, ratio: f64) -> Result<Self, UnknownSampler> {
        let (follow_parent, rest) = match name.strip_prefix("parentbased_") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        match rest {
            "always_on" => Ok(Self { follow_parent, ratio: 1.0 }),
            "always_off" => Ok(Self { follow_parent, ratio: 0.0 }),
            "traceidratio" => Ok(Self { follow_parent, ratio }),
            _ => Err(UnknownSampler),
        }
    }

    fn sampler(self) -> Sampler {
        let root = match self.ratio {
            1.0.. => Sampler::AlwaysOn,
            0.0 => Sampler::AlwaysOff,
            ratio => Sampler::TraceIdRatioBased(ratio),
        };
        if self.follow_parent { Sampler::ParentBased(Box::new(root)) } else { root }
    }
}

/// Records spans, sends them to the receiver, if there is one, and keeps them in `recent`.
pub(crate) fn provider(
    receiver: Option<&Receiver>,
    sampling: Sampling,
    redactor: Redactor,
    resource: Resource,
    recent: Option<&RecentTelemetry>,
) -> Result<SdkTracerProvider, ExporterBuildError> {
    let provider = SdkTracerProvider::builder().with_resource(resource);
    let batches = receiver.map(batches).transpose()?;
    let sampler = if batches.is_some() { sampling.sampler() } else { Sampler::AlwaysOff };
    if batches.is_none() && recent.is_none() {
        return Ok(provider.with_sampler(sampler).build());
    }
    let provider = match recent {
        Some(_) => provider.with_sampler(RecordAll(sampler)),
        None => provider.with_sampler(sampler),
    };
    let processor = RedactingProcessor { batches, redactor, recent: recent.cloned() };
    Ok(provider.with_span_processor(processor).build())
}

/// The queue of spans on their way to the receiver.
fn batches(receiver: &Receiver) -> Result<BatchSpanProcessor, ExporterBuildError> {
    let exporter = receiver.configure(SpanExporter::builder().with_tonic()).build()?;
    let exporter = CountingExporter(exporter);
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(CAPACITY)
        .with_scheduled_delay(Duration::from_secs(1))
        .build();
    Ok(BatchSpanProcessor::builder(exporter).with_batch_config(config).build())
}

/// Records the spans that another sampler drops, without their flag `sampled`: they are kept here, and sent nowhere.
#[derive(Clone, Debug)]
struct RecordAll(Sampler);

impl ShouldSample for RecordAll {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.0.should_sample(parent, trace, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}

/// Redacts spans, and bounds the queue.
#[derive(Debug)]
struct RedactingProcessor {
    batches: Option<BatchSpanProcessor>,
    redactor: Redactor,
    recent: Option<RecentTelemetry>,
}

impl SpanProcessor for RedactingProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if let Some(recent) = &self.recent {
            recent.begin(span.span_context());
        }
        if let Some(batches) = &self.batches {
            batches.on_start(span, context);
        }
    }

    fn on_end(&self, mut span: SpanData) {
        let batches = self.batches.as_ref().filter(|_| span.span_context.is_sampled() && SPANS.enter());
        if batches.is_none() && self.recent.is_none() {
            return;
        }
        self.redact(&mut span);
        match (batches, &self.recent) {
            (Some(batches), Some(recent)) => {
                recent.end(span.clone());
                batches.on_end(span);
            }
            (Some(batches), None) => batches.on_end(span),
            (None, Some(recent)) => recent.end(span),
            (None, None) => {}
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.as_ref().map_or(Ok(()), SpanProcessor::force_flush)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.as_ref().map_or(Ok(()), |batches| batches.shutdown_with_timeout(timeout))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.iter_mut().for_each(|batches| batches.set_resource(resource));
    }
}

impl RedactingProcessor {
    /// Redacts all that is text in a span, also what `tracing-opentelemetry` derives from fields.
    fn redact(&self, span: &mut SpanData) {
        redact_name(&mut span.name);
        if let Status::Error { description } = &mut span.status {
            redact_name(description);
        }
        self.redact_attributes(&mut span.attributes);
        for event in &mut span.events.events {
            redact_name(&mut event.name);
            self.redact_attributes(&mut event.attributes);
        }
        for link in &mut span.links.links {
            self.redact_attributes(&mut link.attributes);
        }
    }

    fn redact_attributes(&self, attributes: &mut [KeyValue]) {
        for attribute in attributes {
            if self.redactor.is_secret(attribute.key.as_str()) {
                attribute.value = Value::from(REDACTED);
                continue;
            }
            match &mut attribute.value {
                Value::String(text) => redact_value(text),
                Value::Array(Array::String(texts)) => texts.iter_mut().for_each(redact_value),
                _ => {}
            }
        }
    }
}

fn redact_name(name: &mut Cow<'static, str>) {
    if let Cow::Owned(redacted) = safe(name) {
        *name = redacted.into();
    }
}

fn redact_value(text: &mut StringValue) {
    if let Cow::Owned(redacted) = safe(text.as_str()) {
        *text = redacted.into();
    }
}

/// Counts the spans that the receiver did not accept.
#[derive(Debug)]
struct CountingExporter(SpanExporter);

impl ExportSpans for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let result = self.0.export(batch).await;
        SPANS.leave(count, result.is_ok());
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_have_the_names_that_opentelemetry_defines() {
        let sampling = |follow_parent, ratio| Ok(Sampling { follow_parent, ratio });
        assert_eq!(Sampling::parse("always_on", 0.1), sampling(false, 1.0));
        assert_eq!(Sampling::parse("always_off", 0.1), sampling(false, 0.0));
        assert_eq!(Sampling::parse("parentbased_traceidratio", 0.1), sampling(true, 0.1));
        assert_eq!(Sampling::parse("sometimes", 0.1), Err(UnknownSampler));
    }
}
