//! Resource attributes from the environment.

use crate::{Fields, text::percent_decoded};

/// The resource attributes of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`, which wins, as the
/// [specification](https://opentelemetry.io/docs/specs/otel/resource/sdk/) requires. A malformed list is ignored as a whole.
pub(super) fn from_env() -> Fields {
    let text = |name| std::env::var(name).unwrap_or_default();
    let mut fields = parse(&text("OTEL_RESOURCE_ATTRIBUTES")).unwrap_or_default();
    let service = text("OTEL_SERVICE_NAME");
    if !service.is_empty() {
        fields.set("service.name", &service);
    }
    fields
}

fn parse(list: &str) -> Option<Fields> {
    let mut fields = Fields::new();
    for pair in list.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) = pair.split_once('=')?;
        fields.set(percent_decoded(name.trim())?, &percent_decoded(value.trim())?);
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_percent_encoded_or_nothing() {
        let fields = parse("service.name=shop, zone = eu%2C1%20%C3%A4 ,,").unwrap();
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        assert_eq!(pairs, ["service.name:shop", "zone:eu,1 ä"]);
        assert_eq!(parse("").unwrap().len(), 0);
        for wrong in ["a", "a=1,b", "a=%2", "a=%zz", "a=%ff", "a=%+1"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
