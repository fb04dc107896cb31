//! Which traces are exported.

use super::env::{self, Vars};
use crate::{Error, record::TraceParent};

/// Which spans are sampled, that is, exported. Variables: `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`.
///
/// Log records are exported in any case; their flags say whether their span is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Sampler {
    /// All (`always_on`).
    Always,
    /// None (`always_off`).
    Never,
    /// This ratio of all traces, by trace id (`traceidratio`).
    Ratio(f64),
    /// As the caller decided; of new traces this ratio (`parentbased_traceidratio`).
    Parent(f64),
}

impl Default for Sampler {
    /// `parentbased_always_on`: as the caller decided; all new traces.
    fn default() -> Self {
        Self::Parent(1.0)
    }
}

impl Sampler {
    pub(super) fn from_vars(vars: &Vars) -> Result<Option<Self>, Error> {
        const EXPECTED: &str = "\"always_on\", \"always_off\", \"traceidratio\", \"parentbased_always_on\", \
                                \"parentbased_always_off\" or \"parentbased_traceidratio\"";
        let ratio = vars.get("OTEL_TRACES_SAMPLER_ARG", env::ratio);
        let Some(name) = vars.get("OTEL_TRACES_SAMPLER", |text| Ok(text.to_owned()))? else { return Ok(None) };
        // Other samplers ignore the argument.
        let ratio = || Ok::<_, Error>(ratio?.unwrap_or(1.0));
        Ok(Some(match name.as_str() {
            "always_on" => Self::Always,
            "always_off" => Self::Never,
            "traceidratio" => Self::Ratio(ratio()?),
            "parentbased_always_on" => Self::Parent(1.0),
            "parentbased_always_off" => Self::Parent(0.0),
            "parentbased_traceidratio" => Self::Parent(ratio()?),
            other => {
                return Err(Error::config(format_args!("OTEL_TRACES_SAMPLER: expected {EXPECTED}, got {other:?}")));
            }
        }))
    }

    pub(super) fn decides(self, trace_id: u128, parent: Option<TraceParent>) -> bool {
        match (self, parent) {
            (Self::Always, _) => true,
            (Self::Never, _) => false,
            (Self::Parent(_), Some(parent)) => parent.is_sampled(),
            (Self::Ratio(ratio) | Self::Parent(ratio), _) => is_within(trace_id, ratio),
        }
    }
}

/// By the lower 63 bits of the id, as in the SDKs, so that all services decide alike.
fn is_within(trace_id: u128, ratio: f64) -> bool {
    let position = (trace_id as u64 >> 1) as f64;
    ratio >= 1.0 || position < ratio.max(0.0) * (1u64 << 63) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios() {
        for ratio in [0.0, 0.1, 0.5, 1.0] {
            let sampled = (0..10_000).filter(|_| is_within(fastrand::u128(1..), ratio)).count() as f64 / 10_000.0;
            assert!((sampled - ratio).abs() < 0.05, "{ratio}: {sampled}");
        }
        let unsampled = TraceParent::new(1, 1, 0);
        assert!(!Sampler::Parent(1.0).decides(1, unsampled) && Sampler::Always.decides(1, unsampled));
        assert!(Sampler::default().decides(1, None) && !Sampler::Never.decides(1, TraceParent::new(1, 1, 1)));
    }
}
