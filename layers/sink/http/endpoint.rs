//! Where requests go.

use std::fmt;

use http::Uri;

use crate::{Error, text::percent_decoded};

/// A URL, without a name and password.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    url: String,
    /// What errors show of it.
    shown: String,
    /// Of the user and password in the URL.
    pub(super) userinfo: Option<(String, String)>,
}

impl Endpoint {
    /// `http:` or `https:`, with a host. `path` is appended to that of the URL, before its query, unless it ends with it.
    pub(crate) fn parse(output: &str, url: &str, path: &str) -> Result<Self, Error> {
        // A wrong URL may have a password in it, and its path may be a secret.
        let wrong = || {
            let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
            let host = shown.find("://").map_or(0, |at| at + 3);
            let shown = &shown[..shown[host..].find(['/', '?', '#']).map_or(shown.len(), |at| host + at)];
            Error::config(format_args!(
                "{output}: URL {shown:?}: expected one like \"https://logs.example.com:8080/path\""
            ))
        };
        let uri: Uri = url.split('#').next().unwrap_or_default().parse().map_err(|_| wrong())?;
        let scheme =
            uri.scheme_str().map(str::to_ascii_lowercase).filter(|scheme| scheme == "http" || scheme == "https");
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else { return Err(wrong()) };
        let (userinfo, host) = match authority.as_str().rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority.as_str()),
        };
        // Behind the brackets of an IPv6 address.
        let port = host.rsplit(']').next().and_then(|rest| rest.split_once(':')).map(|(_, port)| port);
        if uri.host().is_none_or(str::is_empty) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(wrong());
        }
        let base = uri.path().trim_end_matches('/');
        let whole = match path {
            "" => uri.path().to_owned(),
            path if base.ends_with(path) => base.to_owned(),
            path => format!("{base}{path}"),
        };
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let pair = |userinfo: &str| {
            let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
            Some((percent_decoded(user)?, percent_decoded(password)?))
        };
        let userinfo = userinfo.map(|userinfo| pair(userinfo).ok_or_else(wrong)).transpose()?;
        let url = format!("{scheme}://{host}{whole}{query}");
        Ok(Self { shown: url.clone(), url, userinfo })
    }

    /// Errors show it without its path and query, which are a secret.
    pub(crate) fn hide_path(mut self) -> Self {
        let host = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[host..].find(['/', '?']).map_or(self.url.len(), |at| host + at);
        self.shown = format!("{}/…", &self.url[..end]);
        self
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }

    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    /// With more of a query.
    pub(super) fn with_query(&self, query: &str) -> String {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        format!("{}{separator}{query}", self.url)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base path, slash, query, credentials, IPv6, scheme in capitals.
    #[test]
    fn t86_urls_in_all_their_forms() {
        let of = |url: &str, path: &str| Endpoint::parse("x", url, path).map(|endpoint| endpoint.url).unwrap();
        assert_eq!(of("http://h", "/push"), "http://h/push");
        assert_eq!(of("http://h/", "/push"), "http://h/push");
        assert_eq!(of("http://h/base/", "/push"), "http://h/base/push");
        assert_eq!(of("http://h/base/push", "/push"), "http://h/base/push");
        assert_eq!(of("http://h/base?a=1&b", "/push"), "http://h/base/push?a=1&b");
        assert_eq!(of("HTTPS://[::1]:8443/x#f", ""), "https://[::1]:8443/x");
        assert_eq!(of("http://h/base/", ""), "http://h/base/");
        let endpoint = Endpoint::parse("x", "http://us%40er:p%C3%A4:ss@h:1/x", "").unwrap();
        assert_eq!(endpoint.url, "http://h:1/x");
        assert_eq!(endpoint.userinfo, Some(("us@er".into(), "pä:ss".into())));
        assert_eq!(endpoint.with_query("b=2"), "http://h:1/x?b=2");
    }

    #[test]
    fn wrong_urls_are_named_without_a_password() {
        for url in
            ["", "h", "h:80", "ftp://h", "http://", "http:///x", "http://h:", "http://u:secret@h:x", "http://u:%zz@h/"]
        {
            let error = Endpoint::parse("http", url, "").unwrap_err();
            assert!(error.is_config() && error.to_string().starts_with("http: URL "), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
