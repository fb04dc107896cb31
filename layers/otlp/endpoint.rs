//! The URL of a collector.

use super::{
    env::{self, Vars},
    settings::{Chosen, Protocol, Signal},
};
use crate::{Error, sink::http::base64, text::percent_decoded};

/// Where a signal is sent.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Scheme and authority in one form, without credentials; for HTTP with path and query.
    pub(super) url: String,
    /// The header that the URL's credentials make.
    pub(super) authorization: Option<String>,
}

const URL: &str = "a URL like \"http://localhost:4318\" or \"https://collector:4318\"";

impl Endpoint {
    /// A signal's own endpoint is used unchanged; a general one gets the signal's path behind its own (not for gRPC).
    pub(super) fn new(signal: Signal, protocol: Protocol, chosen: &Chosen, vars: &Vars) -> Result<Self, Error> {
        let is_grpc = protocol == Protocol::Grpc;
        // gRPC's endpoint may be `host:port`; INSECURE then says whether it is encrypted.
        let insecure = vars.of_signal(signal.word(), "INSECURE", env::boolean)?.unwrap_or(false);
        let scheme = if insecure { "http" } else { "https" };
        let own = |text: &str| match is_grpc && !text.contains("://") {
            true => Self::parse(&format!("{scheme}://{text}"), None, true),
            false => Self::parse(text, None, is_grpc),
        };
        let general = |text: &str| if is_grpc { own(text) } else { Self::parse(text, Some(signal.path()), false) };
        if let Some(endpoint) = &chosen.endpoint {
            return general(endpoint).map_err(|why| {
                Error::config(format_args!("otlp: endpoint {:?}: expected {why}", env::without_credentials(endpoint)))
            });
        }
        if let Some(endpoint) = vars.get(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.word()), own)? {
            return Ok(endpoint);
        }
        let default = if is_grpc { "http://localhost:4317" } else { "http://localhost:4318" };
        match vars.get("OTEL_EXPORTER_OTLP_ENDPOINT", general)? {
            Some(endpoint) => Ok(endpoint),
            None => general(default).map_err(Error::config),
        }
    }

    fn parse(text: &str, path: Option<&str>, is_grpc: bool) -> Result<Self, &'static str> {
        let uri: http::Uri = text.parse().map_err(|_| URL)?;
        let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(URL);
        };
        let (user, host) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.as_str()),
        };
        let port = host.strip_prefix(authority.host()).ok_or(URL)?;
        let is_port = |port: &str| port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
        if authority.host().is_empty() || !(port.is_empty() || is_port(port)) {
            return Err(URL);
        }
        let authorization = match user {
            None => None,
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                let (name, password) = percent_decoded(name).zip(percent_decoded(password)).ok_or(URL)?;
                let digits = base64::encode(format!("{name}:{password}").as_bytes());
                Some(format!("Basic {digits}"))
            }
        };
        let mut url = format!("{scheme}://{host}");
        if !is_grpc {
            match path {
                Some(path) => url.extend([uri.path().trim_end_matches('/'), path]),
                None => url.push_str(uri.path()),
            }
            url.extend(uri.query().into_iter().flat_map(|query| ["?", query]));
        }
        Ok(Self { url, authorization })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(protocol: Protocol, endpoint: &str, vars: &[(&str, &str)]) -> Result<Endpoint, String> {
        let vars: Vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let endpoint = Some(endpoint.to_owned()).filter(|endpoint| !endpoint.is_empty());
        let chosen = Chosen { endpoint, ..Chosen::default() };
        Endpoint::new(Signal::Spans, protocol, &chosen, &vars).map_err(|error| error.to_string())
    }

    #[test]
    fn grpc_without_a_scheme_is_encrypted_unless_told_otherwise() {
        let of =
            |protocol, endpoint: &str, vars: &[(&str, &str)]| of(protocol, endpoint, vars).map(|endpoint| endpoint.url);
        let insecure = [("OTEL_EXPORTER_OTLP_INSECURE", "true")];
        let but_spans = [("OTEL_EXPORTER_OTLP_INSECURE", "true"), ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "false")];
        assert_eq!(of(Protocol::Grpc, "collector:4317", &[]).unwrap(), "https://collector:4317");
        assert_eq!(of(Protocol::Grpc, "collector:4317", &insecure).unwrap(), "http://collector:4317");
        assert_eq!(of(Protocol::Grpc, "collector:4317", &but_spans).unwrap(), "https://collector:4317");
        // A scheme wins over the variable.
        assert_eq!(of(Protocol::Grpc, "https://collector:4317", &insecure).unwrap(), "https://collector:4317");
        assert_eq!(of(Protocol::Grpc, "http://collector:4317", &[]).unwrap(), "http://collector:4317");
        assert!(of(Protocol::Grpc, "ftp://collector", &insecure).unwrap_err().contains("expected a URL"));
        assert!(of(Protocol::HttpJson, "collector:4318", &insecure).unwrap_err().contains("expected a URL"));
    }

    #[test]
    fn t86_urls_in_all_their_forms() {
        for (given, general, own, grpc) in [
            ("http://c:4318", "http://c:4318/v1/traces", "http://c:4318/", "http://c:4318"),
            ("http://c:4318/", "http://c:4318/v1/traces", "http://c:4318/", "http://c:4318"),
            ("http://c/a/b//", "http://c/a/b/v1/traces", "http://c/a/b//", "http://c"),
            ("http://c:4318/x?y=1", "http://c:4318/x/v1/traces?y=1", "http://c:4318/x?y=1", "http://c:4318"),
            ("http://c:4318?y=/1/&z", "http://c:4318/v1/traces?y=/1/&z", "http://c:4318/?y=/1/&z", "http://c:4318"),
            ("HTTPS://C:1/x", "https://C:1/x/v1/traces", "https://C:1/x", "https://C:1"),
            ("http://[::1]:4318/x", "http://[::1]:4318/x/v1/traces", "http://[::1]:4318/x", "http://[::1]:4318"),
            ("http://u:p@[::1]", "http://[::1]/v1/traces", "http://[::1]/", "http://[::1]"),
            ("http://c/x#f", "http://c/x/v1/traces", "http://c/x", "http://c"),
            ("http://c/a%20b?q=%20", "http://c/a%20b/v1/traces?q=%20", "http://c/a%20b?q=%20", "http://c"),
        ] {
            let url = |protocol, vars: &[(&str, &str)]| of(protocol, "", vars).unwrap().url;
            assert_eq!(of(Protocol::HttpProtobuf, given, &[]).unwrap().url, general, "{given}");
            assert_eq!(url(Protocol::HttpJson, &[("OTEL_EXPORTER_OTLP_ENDPOINT", given)]), general, "{given}");
            assert_eq!(url(Protocol::HttpJson, &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", given)]), own, "{given}");
            assert_eq!(of(Protocol::Grpc, given, &[]).unwrap().url, grpc, "{given}");
        }
        for wrong in [
            "",
            " ",
            "http://",
            "http:///x",
            "http://:4318",
            "http://c:99999",
            "http://c:x",
            "//c",
            "c",
            "ws://c",
            "http://c/\u{7f}",
        ] {
            for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
                let vars = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", wrong)];
                let is_set = !wrong.trim().is_empty();
                let is_host = protocol == Protocol::Grpc && wrong == "c";
                assert_eq!(of(protocol, "", &vars).is_err(), is_set && !is_host, "{wrong} {protocol:?}");
            }
        }
    }

    /// They are a header, and appear nowhere else.
    #[test]
    fn t86_credentials_are_a_header() {
        for (given, expected) in [
            ("http://user:pass@c", "Basic dXNlcjpwYXNz"),
            ("http://user@c", "Basic dXNlcjo="),
            ("http://a%40b:p%3A%2Fq@c", "Basic YUBiOnA6L3E="),
            ("http://:token@c", "Basic OnRva2Vu"),
        ] {
            for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
                let endpoint = of(protocol, given, &[]).unwrap();
                assert_eq!(endpoint.authorization.as_deref(), Some(expected), "{given}");
                assert!(!endpoint.url.contains('@'), "{}", endpoint.url);
            }
        }
        for wrong in
            ["http://user:secret@c:99999", "ftp://user:secret@c", "http://user:secret%zz@c", "http://user:sec/secret@c"]
        {
            let errors = [
                of(Protocol::HttpProtobuf, wrong, &[]),
                of(Protocol::HttpProtobuf, "", &[("OTEL_EXPORTER_OTLP_ENDPOINT", wrong)]),
            ];
            for error in errors {
                let error = error.unwrap_err();
                assert!(!error.contains("secret") && error.contains("://…@c"), "{error}");
            }
        }
    }
}
