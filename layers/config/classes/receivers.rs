//! Services over HTTP, under short names.

#[cfg(feature = "http")]
use self::with_http::{better_stack, datadog, elasticsearch, http_json, logstash, loki, sematext, splunk_hec, webhook};
use crate::config::class::{Class, DEFAULTS};

/// Own keys, and those that all of them have.
macro_rules! keys {
    ($($own:literal),*) => {
        &[
            $($own,)*
            "failover", "headers", "user", "password", "auth", "compression", "tls", "proxy", "redirects",
            "connect_timeout", "timeout", "capacity", "max_bytes", "max_batch", "max_batch_bytes", "schedule_delay", "retry_for",
            "flush_timeout", "spool",
        ]
    };
}

pub(super) const RECEIVERS: &[&Class] = &[
    &Class { names: &["http_json"], keys: keys!("url", "body", "content_type"), make: http_json, ..RECEIVER },
    &Class {
        names: &["elasticsearch"],
        keys: keys!("url", "data_stream", "index", "daily_index"),
        make: elasticsearch,
        ..RECEIVER
    },
    &Class {
        names: &["loki"],
        keys: keys!(
            "url",
            "labels",
            "level_label",
            "target_label",
            "field_labels",
            "metadata",
            "max_streams",
            "tenant",
            "protobuf"
        ),
        make: loki,
        ..RECEIVER
    },
    &Class {
        names: &["splunk_hec"],
        keys: keys!("url", "token", "host", "source", "sourcetype", "index", "acks", "raw"),
        make: splunk_hec,
        ..RECEIVER
    },
    &Class {
        names: &["datadog"],
        keys: keys!("site", "api_key", "source", "service", "host", "tags"),
        make: datadog,
        ..RECEIVER
    },
    &Class { names: &["better_stack"], keys: keys!("url", "token"), make: better_stack, ..RECEIVER },
    &Class { names: &["sematext"], keys: keys!("url", "token"), make: sematext, ..RECEIVER },
    &Class { names: &["logstash"], keys: keys!("url"), make: logstash, ..RECEIVER },
    &Class { names: &["webhook"], keys: keys!("url", "key", "before", "after"), make: webhook, ..RECEIVER },
];

const RECEIVER: Class = Class { has_own_format: true, ..DEFAULTS };

#[cfg(not(feature = "http"))]
use self::without_http::{
    missing as better_stack, missing as datadog, missing as elasticsearch, missing as http_json, missing as logstash,
    missing as loki, missing as sematext, missing as splunk_hec, missing as webhook,
};

#[cfg(not(feature = "http"))]
mod without_http {
    use crate::{
        Error,
        config::{class::BuildContext, configured_handler::Output},
    };

    pub(super) fn missing(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
        // The keys may be valid: only the feature is missing.
        let names: Vec<_> = context.args.names().collect();
        context.args.accept(&names);
        Err(Error::config("a class of services over HTTP needs the feature \"http\" of tracing-strata"))
    }
}

#[cfg(feature = "http")]
mod with_http {
    use super::super::connection::{self, required_secret};
    use crate::{
        Error,
        config::{
            class::{BuildContext, placeholder},
            configured_handler::Output,
            handler_args::SetIfSome as _,
        },
        output::{
            BetterStack, Datadog, Elasticsearch, Http, HttpBody, HttpBuilder, Logstash, Loki, Sematext, SplunkHec,
            Webhook,
        },
        sink::{
            Compression,
            http::{Auth, Redirects},
        },
    };

    type Made = Result<Output, Error>;

    pub(super) fn http_json(context: &BuildContext<'_, '_>) -> Made {
        let bodies = [("lines", HttpBody::lines()), ("array", HttpBody::array()), ("single", HttpBody::single())];
        let body = context.args.choice("body", &bodies).unwrap_or_else(HttpBody::lines);
        let body = body.set_if_some(context.args.str("content_type"), HttpBody::content_type);
        make(context, Http::builder(context.args.required("url")).body(body))
    }

    pub(super) fn elasticsearch(context: &BuildContext<'_, '_>) -> Made {
        let args = context.args;
        let to = Elasticsearch::new(args.required("url"))
            .set_if_some(args.str("data_stream"), Elasticsearch::data_stream)
            .set_if_some(args.str("index"), Elasticsearch::index)
            .set_if_some(args.str("daily_index"), Elasticsearch::daily_index);
        make(context, Http::builder(to))
    }

    pub(super) fn loki(context: &BuildContext<'_, '_>) -> Made {
        let args = context.args;
        let mut loki = Loki::new(args.required("url"))
            .set_if_some(args.size("max_streams"), Loki::max_streams)
            .set_if_some(args.str("tenant"), Loki::tenant)
            .set_if_some(args.bool("protobuf"), Loki::protobuf);
        for (key, set) in
            [("level_label", Loki::level_label as fn(Loki, Option<&str>) -> Loki), ("target_label", Loki::target_label)]
        {
            if args.is_given(key) {
                // Null for none.
                loki = set(loki, args.str(key).as_deref());
            }
        }
        for (name, value) in args.pairs("labels").unwrap_or_default() {
            loki = loki.label(&name, value);
        }
        for field in args.texts("field_labels").unwrap_or_default() {
            loki = loki.field_label(&field);
        }
        for field in args.texts("metadata").unwrap_or_default() {
            loki = loki.metadata(&field);
        }
        make(context, Http::builder(loki))
    }

    pub(super) fn splunk_hec(context: &BuildContext<'_, '_>) -> Made {
        let args = context.args;
        let to = SplunkHec::new(args.required("url"), required_secret(args, "token"))
            .set_if_some(args.str("host"), SplunkHec::host)
            .set_if_some(args.str("source"), SplunkHec::source)
            .set_if_some(args.str("sourcetype"), SplunkHec::sourcetype)
            .set_if_some(args.str("index"), SplunkHec::index)
            .set_if_some(args.seconds("acks"), SplunkHec::acks)
            .set_if_some(args.bool("raw"), SplunkHec::raw);
        make(context, Http::builder(to))
    }

    pub(super) fn datadog(context: &BuildContext<'_, '_>) -> Made {
        let args = context.args;
        let to = Datadog::new(args.required("site"), required_secret(args, "api_key"))
            .set_if_some(args.str("source"), Datadog::source)
            .set_if_some(args.str("service"), Datadog::service)
            .set_if_some(args.str("host"), Datadog::host)
            .set_if_some(args.str("tags"), Datadog::tags);
        make(context, Http::builder(to))
    }

    pub(super) fn better_stack(context: &BuildContext<'_, '_>) -> Made {
        let args = context.args;
        make(context, Http::builder(BetterStack::new(args.required("url"), required_secret(args, "token"))))
    }

    pub(super) fn sematext(context: &BuildContext<'_, '_>) -> Made {
        let (url, token) = (context.args.str("url"), context.args.required("token"));
        make(
            context,
            Http::builder(url.map_or_else(|| Sematext::new(token.clone()), |url| Sematext::at(url, token.clone()))),
        )
    }

    pub(super) fn logstash(context: &BuildContext<'_, '_>) -> Made {
        make(context, Http::builder(Logstash::new(context.args.required("url"))))
    }

    pub(super) fn webhook(context: &BuildContext<'_, '_>) -> Made {
        let args = context.args;
        let mut webhook = Webhook::new(args.required("url"));
        webhook = webhook.set_if_some(args.str("key"), |webhook, key| webhook.key(&key));
        match (args.str("before"), args.str("after")) {
            (Some(before), Some(after)) => webhook = webhook.around(before, after),
            (None, None) => {}
            (Some(_), None) => args.require("after"),
            (None, Some(_)) => args.require("before"),
        }
        make(context, Http::builder(webhook))
    }

    /// With the keys that all of them have.
    fn make(context: &BuildContext<'_, '_>, mut builder: HttpBuilder) -> Made {
        let args = context.args;
        if context.has_formatter {
            builder = builder.format(context.formatting.texts());
        }
        for (name, value) in args.pairs("headers").unwrap_or_default() {
            builder = builder.header(name, value);
        }
        for url in args.texts("failover").unwrap_or_default() {
            builder = builder.failover(url);
        }
        let basic = args.str("user").map(|user| Auth::basic(user, required_secret(args, "password")));
        let header = args.inside("auth", |auth| match auth.str("header") {
            Some(name) => Auth::header(name, required_secret(auth, "secret")),
            None => Auth::scheme(auth.str("scheme").unwrap_or("Bearer".into()), required_secret(auth, "secret")),
        });
        let compressions = [
            ("gzip", Some(Compression::gzip())),
            #[cfg(feature = "zstd")]
            ("zstd", Some(Compression::zstd())),
            ("none", None),
        ];
        builder = builder
            .set_if_some(basic.or(header), HttpBuilder::auth)
            .set_if_some(args.choice("compression", &compressions).flatten(), HttpBuilder::compression)
            .set_if_some(connection::tls_in(args), HttpBuilder::tls)
            .set_if_some(args.str("proxy"), HttpBuilder::proxy)
            .set_if_some(args.size("redirects"), |builder, most| {
                builder.redirects(Redirects::Follow(u32::try_from(most).unwrap_or(u32::MAX)))
            })
            .set_if_some(args.seconds("connect_timeout"), HttpBuilder::connect_timeout)
            .set_if_some(args.seconds("timeout"), HttpBuilder::timeout)
            .set_if_some(args.size("capacity"), HttpBuilder::capacity)
            .set_if_some(args.size("max_bytes"), HttpBuilder::max_bytes)
            .set_if_some(args.size("max_batch"), HttpBuilder::max_batch)
            .set_if_some(args.size("max_batch_bytes"), HttpBuilder::max_batch_bytes)
            .set_if_some(args.seconds("schedule_delay"), HttpBuilder::schedule_delay)
            .set_if_some(args.seconds("retry_for"), HttpBuilder::retry_for)
            .set_if_some(args.seconds("flush_timeout"), HttpBuilder::flush_timeout);
        let builder = builder.set_if_some(super::super::http::spool(args), HttpBuilder::configured_spool);
        if args.has_problems() {
            return Ok(placeholder());
        }
        Ok(super::super::http::started_later(builder.build_stopped()?))
    }
}
