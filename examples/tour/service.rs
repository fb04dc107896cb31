//! The service: an axum application on loopback whose every request runs in a span with its ids.

use std::{io, net::TcpListener, sync::mpsc, thread};

use axum::{
    Router,
    extract::{Path, Request},
    http::HeaderValue,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use tracing::{Instrument as _, Span, debug, info, info_span, warn};
use tracing_strata::record::request_id;

/// Starts the server on a thread of its own; returns its address.
pub(crate) fn start() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?.to_string();
    let (ready, is_ready) = mpsc::channel();
    thread::Builder::new().name("server".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let served = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let application = Router::new().route("/order/{item}", get(order)).layer(middleware::from_fn(in_span));
                ready.send(()).map_err(io::Error::other)?;
                axum::serve(listener, application).await
            })
        });
        if let Err(error) = served {
            tracing::error!(error = &error as &dyn std::error::Error, "the server stopped");
        }
    })?;
    is_ready.recv().map_err(io::Error::other)?;
    Ok(address)
}

/// The request's span: what a client sent, or a new id.
async fn in_span(request: Request, next: Next) -> Response {
    let (id, span) = begin(&request);
    let answered = span.clone();
    async move {
        let mut response = next.run(request).await;
        answered.record("status", response.status().as_u16());
        debug!("answered");
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("x-request-id", value);
        }
        response
    }
    .instrument(span)
    .await
}

fn begin(request: &Request) -> (String, Span) {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let id = request_id(header("x-request-id")).into_owned();
    let span = info_span!(
        "request",
        request_id = id,
        traceparent = header("traceparent"),
        method = %request.method(),
        path = request.uri().path(),
        status = tracing::field::Empty,
    );
    (id, span)
}

async fn order(Path(item): Path<u32>) -> String {
    cache::look_up(item);
    let price = db::price(item).instrument(info_span!("query", table = "prices")).await;
    // Work that goes on after the answer, on another task: still the same request.
    let receipt = async move {
        tokio::task::yield_now().await;
        debug!(item, "receipt written");
    };
    let receipt = tokio::spawn(receipt.in_current_span());
    match item {
        13 => warn!(item, price, "an unlucky item\nwas \u{1b}[31mordered\u{1b}[0m"),
        7 => info!(item, price, "the item of the day"),
        _ => debug!(item, price, "ordered"),
    }
    match receipt.await {
        Ok(()) => format!("{price:.2}"),
        Err(_) => "no receipt".into(),
    }
}

mod cache {
    use tracing::{debug, trace};

    /// A noisy module.
    pub(super) fn look_up(item: u32) {
        for shard in 0..5 {
            debug!(item, shard, hit = shard % 2 == 0, "looked into a shard");
        }
        trace!(item, "never seen");
    }
}

mod db {
    use tracing::{debug, trace};

    pub(super) async fn price(item: u32) -> f64 {
        trace!(sql = "SELECT price FROM prices WHERE item = ?", item, "statement");
        tokio::task::yield_now().await;
        let price = f64::from(item) * 1.25;
        debug!(price, rows = 1, "query done");
        price
    }
}
