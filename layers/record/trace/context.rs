//! What travels with a request: its trace, and its baggage.

use super::{Baggage, TraceParent, TraceState};

/// What travels with a request from service to service: `traceparent`, `tracestate` and `baggage`.
///
/// Put incoming headers into span fields of these names; [`current_trace_context`](crate::handler::current_trace_context)
/// returns the headers of outgoing requests.
///
/// ```
/// use tracing_strata::record::TraceContext;
///
/// let header = |name: &str| match name {
///     "traceparent" => Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
///     "baggage" => Some("tier=gold"),
///     _ => None,
/// };
/// let context = TraceContext::from_headers(header);
/// assert_eq!(context.baggage().get("tier"), Some("gold"));
/// assert_eq!(context.headers().map(|(name, _)| name).collect::<Vec<_>>(), ["traceparent", "baggage"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceContext {
    parent: Option<TraceParent>,
    state: TraceState,
    baggage: Baggage,
}

impl TraceContext {
    /// From its parts. Without a parent, the state is dropped.
    pub fn new(parent: Option<TraceParent>, state: TraceState, baggage: Baggage) -> Self {
        let state = if parent.is_some() { state } else { TraceState::default() };
        Self { parent, state, baggage }
    }

    /// From headers, by lower-case name. As the specifications require, an invalid header counts as missing, and without a
    /// `traceparent` there is no `tracestate`. Join several `tracestate` or `baggage` headers with commas.
    pub fn from_headers<'h>(mut header: impl FnMut(&str) -> Option<&'h str>) -> Self {
        let parent = header(TraceParent::FIELD).and_then(|text| text.parse().ok());
        let state = header(TraceState::FIELD).and_then(|text| text.parse().ok()).unwrap_or_default();
        let baggage = header(Baggage::FIELD).and_then(|text| text.parse().ok()).unwrap_or_default();
        Self::new(parent, state, baggage)
    }

    /// The ids.
    pub fn parent(&self) -> Option<TraceParent> {
        self.parent
    }

    /// The data of tracing vendors.
    pub fn state(&self) -> &TraceState {
        &self.state
    }

    /// The application's values.
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    /// Names and values of the headers to send, without empty ones.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let parent = self.parent.map(|parent| (TraceParent::FIELD, parent.to_string()));
        let state = (!self.state.is_empty()).then(|| (TraceState::FIELD, self.state.to_string()));
        let baggage = (!self.baggage.is_empty()).then(|| (Baggage::FIELD, self.baggage.to_string()));
        [parent, state, baggage].into_iter().flatten()
    }
}
