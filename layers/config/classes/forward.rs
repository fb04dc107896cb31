//! Fluentd's forward protocol, and the `FluentHandler` of Python's `fluent-logger`.

use crate::{
    Error,
    config::{
        class::{BuildContext, Class, DEFAULTS},
        configured_handler::Output,
    },
};

pub(super) const FORWARD: Class = Class {
    names: &["fluent_forward"],
    keys: &[
        "address",
        "tag",
        "tag_prefix",
        "mode",
        "nanoseconds",
        "require_ack",
        "shared_key",
        "user",
        "password",
        "host",
        "tls",
        "connect_timeout",
        "timeout",
        "capacity",
        "max_bytes",
        "max_batch",
        "max_batch_bytes",
        "schedule_delay",
        "retry_for",
        "flush_timeout",
        "spool",
    ],
    has_own_format: true,
    make: made::forward,
    ..DEFAULTS
};

pub(super) const FLUENT: Class = Class {
    names: &["fluent.handler.FluentHandler"],
    keys: &[
        "tag",
        "host",
        "port",
        "timeout",
        "verbose",
        "buffer_overflow_handler",
        "msgpack_kwargs",
        "nanosecond_precision",
        "bufmax",
        "forward_packet_error",
    ],
    has_own_format: true,
    make: made::fluent,
    ..DEFAULTS
};

#[cfg(not(feature = "forward"))]
mod made {
    use super::{BuildContext, Error, FLUENT, FORWARD, Output};

    pub(super) fn forward(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
        missing(context, &FORWARD)
    }

    pub(super) fn fluent(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
        missing(context, &FLUENT)
    }

    fn missing(context: &BuildContext<'_, '_>, class: &super::Class) -> Result<Output, Error> {
        // The keys are valid: only the feature is missing.
        context.args.accept(class.keys);
        let name = class.names[0];
        Err(Error::config(format_args!("the class \"{name}\" needs the feature \"forward\" of tracing-strata")))
    }
}

#[cfg(feature = "forward")]
mod made {
    use super::{super::connection, BuildContext, Error, Output};
    use crate::{
        config::{
            class::placeholder, classes::http::started_later, handler_args::HandlerArgs, handler_args::SetIfSome as _,
        },
        output::{FluentForward, FluentForwardBuilder, ForwardMode},
        sink::net::Address,
    };

    pub(super) fn forward(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
        let args = context.args;
        if !args.is_given("address") {
            args.require("address");
        }
        let address = args.converted("address", str::parse::<Address>);
        make(context, args, address, |builder| {
            builder
                .set_if_some(args.str("tag"), FluentForwardBuilder::tag)
                .set_if_some(args.str("host"), FluentForwardBuilder::host)
                .set_if_some(args.bool("nanoseconds"), FluentForwardBuilder::nanoseconds)
                .set_if_some(args.seconds("connect_timeout"), FluentForwardBuilder::connect_timeout)
                .set_if_some(args.size("max_bytes"), FluentForwardBuilder::max_bytes)
        })
    }

    /// Python's parameters; what is ours is under `strata`.
    pub(super) fn fluent(context: &BuildContext<'_, '_>) -> Result<Output, Error> {
        let (args, strata) = (context.args, context.strata);
        let (tag, host) = (args.required("tag"), args.str("host").unwrap_or("localhost".into()));
        let port = match args.integer("port").map(|port| u16::try_from(port).ok()) {
            None => Some(24_224),
            Some(port) => port.or_else(|| args.expected("port", args.node("port")?, "a port of 16 bits")),
        };
        // Python joins the parts of a packet as they are, and tells on standard output what it sends.
        args.accept(&["msgpack_kwargs", "forward_packet_error"]);
        if args.bool("verbose") == Some(true) {
            args.report(args.wrong("verbose", "expected false: packets are not printed"));
        }
        if args.has("buffer_overflow_handler") {
            let why = "expected none: what finds no room is counted, and goes to `strata: {fallback: NAME}`";
            args.report(args.wrong("buffer_overflow_handler", why));
        }
        let address = match host.strip_prefix("unix://") {
            Some(path) => Some(Address::unix(path)),
            None => port.map(|port| connection::stream_to(context, &host, port)),
        };
        let acknowledged = strata.bool("require_ack").unwrap_or(!context.as_python);
        make(context, strata, address, |builder| {
            builder
                .tag(tag)
                .nanoseconds(args.bool("nanosecond_precision").unwrap_or(false))
                .require_ack(acknowledged)
                .set_if_some(args.seconds("timeout"), FluentForwardBuilder::connect_timeout)
                .set_if_some(args.size("bufmax"), FluentForwardBuilder::max_bytes)
        })
    }

    /// With the keys that both have.
    fn make(
        context: &BuildContext<'_, '_>,
        args: &HandlerArgs<'_>,
        address: Option<Address>,
        set: impl FnOnce(FluentForwardBuilder) -> FluentForwardBuilder,
    ) -> Result<Output, Error> {
        let is_encrypted = matches!(address, Some(Address::Tls { .. }));
        let modes = [
            ("forward", ForwardMode::Forward),
            ("packed_forward", ForwardMode::PackedForward),
            ("compressed_packed_forward", ForwardMode::CompressedPackedForward),
        ];
        // Asked before the address is known, so that a mistake in it is not the only one that is told.
        let builder = FluentForward::builder(address.unwrap_or(Address::tcp("localhost", 24_224)))
            .set_if_some(args.str("tag_prefix"), FluentForwardBuilder::tag_prefix)
            .set_if_some(args.choice("mode", &modes), FluentForwardBuilder::mode)
            .set_if_some(args.bool("require_ack"), FluentForwardBuilder::require_ack)
            .set_if_some(connection::secret(args, "shared_key"), FluentForwardBuilder::shared_key)
            .set_if_some(args.seconds("timeout"), FluentForwardBuilder::timeout)
            .set_if_some(args.size("capacity"), FluentForwardBuilder::capacity)
            .set_if_some(args.size("max_batch"), FluentForwardBuilder::max_batch)
            .set_if_some(args.size("max_batch_bytes"), FluentForwardBuilder::max_batch_bytes)
            .set_if_some(args.seconds("schedule_delay"), FluentForwardBuilder::schedule_delay)
            .set_if_some(args.seconds("retry_for"), FluentForwardBuilder::retry_for)
            .set_if_some(args.seconds("flush_timeout"), FluentForwardBuilder::flush_timeout);
        let login = args.str("user").map(|user| (user, connection::required_secret(args, "password")));
        let builder = builder.set_if_some(login, |builder, (user, password)| builder.login(user, password));
        let builder = builder.set_if_some(super::super::http::spool(args), FluentForwardBuilder::configured_spool);
        #[cfg(feature = "tls")]
        let builder = match is_encrypted {
            true if args.node("tls").is_some_and(|tls| tls.as_map().is_some()) => {
                builder.set_if_some(connection::tls_in(args), FluentForwardBuilder::tls)
            }
            _ => builder,
        };
        if !is_encrypted {
            args.reject_unused(&["tls"], "the connection is not encrypted");
        }
        let mut builder = set(builder);
        if context.has_formatter {
            builder = builder.format(context.formatting.texts());
        }
        if context.args.has_problems() || args.has_problems() {
            return Ok(placeholder());
        }
        Ok(started_later(builder.build_stopped()?))
    }
}
