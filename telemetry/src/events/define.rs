//! The macro that declares events.

/// Declares the events of one concern: each is a struct whose fields are those of its log record.
///
/// An event is emitted as a whole, so its log record and its metrics cannot drift apart: `emit` writes the record and
/// moves the metrics, and there is no other way to do either. An event that moves metrics can be emitted with a handle
/// to them alone.
///
/// - The doc comment is the event's description in the telemetry contract.
/// - `struct Name: LEVEL "event_name"` gives the level and the message of the log record.
/// - The fields have plain types that implement [`FieldValue`](crate::events::FieldValue).
/// - `unlogged { .. }` has further fields, such as the values of labels, that the log record leaves out.
/// - `moves Metrics { field: |event, metric| .. }` moves metrics: each line names a field of the struct `Metrics`, and
///   gets the event and that field.
///
/// The macro also declares `definitions`, which returns the definitions of these events for the contract.
///
/// ```
/// use glasshouse_telemetry::events;
/// use glasshouse_telemetry::metrics::{IntCounterVec, Registrar};
///
/// struct ShopMetrics {
///     sold: IntCounterVec<1>,
/// }
///
/// impl AsRef<Self> for ShopMetrics {
///     fn as_ref(&self) -> &Self {
///         self
///     }
/// }
///
/// events! {
///     "shop"
///
///     /// An item was sold.
///     pub struct ItemSold<'a>: INFO "item_sold" { item: &'a str, pieces: u64 }
///     moves ShopMetrics { sold: |event, sold| sold.with([event.item]).inc_by(event.pieces); }
///
///     /// The shop closes for today.
///     pub struct ShopClosed: INFO "shop_closed" {}
/// }
///
/// let mut registrar = Registrar::default();
/// let metrics = ShopMetrics { sold: registrar.int_counter_vec("sold_total", "Items sold.", ["item"])? };
/// ItemSold { item: "mug", pieces: 2 }.emit(&metrics);
/// ShopClosed {}.emit();
/// assert_eq!(metrics.sold.with(["mug"]).get(), 2);
/// assert_eq!(definitions(&metrics)[0].metrics, ["sold_total"]);
/// # Ok::<_, prometheus::Error>(())
/// ```
///
/// Without the metrics it does not compile:
///
/// ```compile_fail
/// use glasshouse_telemetry::events::http::RequestCompleted;
///
/// RequestCompleted { status_code: 200, duration_ms: 1.5, method: "GET", endpoint: "/", scheme: "http" }.emit();
/// ```
#[macro_export]
macro_rules! events {
    (
        $group:literal
        $(
            $(#[doc = $doc:literal])+
            pub struct $event:ident $(<$lifetime:lifetime>)?: $level:ident $name:literal {
                $($field:ident: $type:ty),* $(,)?
            }
            $(unlogged { $($unlogged:ident: $unlogged_type:ty),* $(,)? })?
            $(moves $metrics:ty { $($metric:ident: |$this:pat_param, $handle:ident| $move:expr;)+ })?
        )+
    ) => {
        $(
            $(#[doc = $doc])+
            #[allow(missing_docs, reason = "a field of the log record is documented by its name")]
            #[derive(Clone, Copy)]
            pub struct $event $(<$lifetime>)? {
                $(pub $field: $type,)*
                $($(pub $unlogged: $unlogged_type,)*)?
            }

            impl $(<$lifetime>)? $event $(<$lifetime>)? {
                /// Writes the log record, and moves the metrics of the event.
                pub fn emit(self $(, metrics: &impl $crate::events::MetricsHandle<$metrics>)?) {
                    $crate::events::tracing::event!(
                        $crate::events::tracing::Level::$level,
                        $($field = $crate::events::FieldValue::value(&self.$field),)*
                        $name
                    );
                    $(if let Some(metrics) = $crate::events::MetricsHandle::metrics(metrics) {
                        $({
                            let ($this, $handle) = (&self, &metrics.$metric);
                            $move;
                        })+
                    })?
                }
            }
        )+

        /// The definitions of these events.
        #[must_use]
        pub fn definitions<M>(metrics: &M) -> ::std::vec::Vec<$crate::events::EventDefinition>
        where
            $($(M: ::std::convert::AsRef<$metrics>,)?)+
        {
            let _ = metrics;
            ::std::vec![$(
                $crate::events::EventDefinition {
                    name: $name,
                    level: ::std::stringify!($level),
                    description: ::std::concat!($($doc),+).trim().to_owned(),
                    fields: ::std::vec![$(::std::stringify!($field)),*],
                    metrics: {
                        $(let metrics: &$metrics = metrics.as_ref();)?
                        ::std::vec![$($($crate::events::metric_name(&metrics.$metric)),+)?]
                    },
                    group: $group,
                }
            ),+]
        }
    };
}
