//! An axum service whose every record has a request id and trace ids, without any SDK: both are taken from the caller's
//! headers or made, given back in the answer, and sent on to the next service.
//!
//! `cargo run --example axum_service`

use std::{error::Error, fs, thread};

use axum::{
    Router,
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue},
    middleware,
    middleware::Next,
    response::Response,
    routing::get,
};
use tracing::{Instrument as _, Span, info, info_span, warn};
use tracing_strata::{current_traceparent, format::Json, output::LogFile, prelude::*, record::request_id};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("strata-axum-{}.jsonl", std::process::id()));
    let file = LogFile::builder(&path).format(Json::new()).build()?;
    tracing_subscriber::registry().with(file.into_layer().trace_ids().with_filter(LevelFilter::INFO)).init();

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let service = Router::new()
        .route("/order/{item}", get(order))
        .route("/price/{item}", get(price))
        .layer(middleware::from_fn(in_span));
    runtime.spawn(async move { axum::serve(listener, service).await });

    // A client that has ids, one that has none, and one that tries to forge a line.
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let base = format!("http://{address}/order");
    let asked = thread::spawn(move || -> Result<[String; 3], ureq::Error> {
        let id = |answer: ureq::http::Response<ureq::Body>| {
            answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
        };
        Ok([
            id(ureq::get(format!("{base}/1")).header("x-request-id", "r-1").header("traceparent", header).call()?),
            id(ureq::get(format!("{base}/2")).call()?),
            id(ureq::get(format!("{base}/3")).header("x-request-id", "r-3\" level=\"ERROR").call()?),
        ])
    });
    let ids = asked.join().map_err(|_| "the client panicked")??;
    runtime.shutdown_background();

    assert_eq!(ids[0], "r-1");
    assert!(ids[1..].iter().all(|id| id.len() == 32), "made: {ids:?}");
    let text = fs::read_to_string(&path)?;
    print!("{text}");
    fs::remove_file(path)?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<serde_json::Value>, _>>()?;
    for (id, item) in ids.iter().zip(1..) {
        // The order, and the price that it asked the service for, by HTTP: one request id, one trace.
        let of_request: Vec<_> = lines.iter().filter(|line| line["request_id"] == **id).collect();
        assert_eq!(of_request.len(), 3, "{id}");
        assert!(of_request.iter().all(|line| line["trace_id"] == of_request[0]["trace_id"] && line["item"] == item));
        assert_eq!(of_request[0]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736", item == 1);
        println!("request {id}: {} lines of trace {}", of_request.len(), of_request[0]["trace_id"]);
    }
    Ok(())
}

async fn in_span(mut request: Request, next: Next) -> Response {
    let (id, span) = begin(&request);
    // For the handlers, and for the caller.
    if let Some(id) = &id {
        request.headers_mut().insert("x-request-id", id.clone());
    }
    let mut response = next.run(request).instrument(span).await;
    if let Some(id) = id {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// The request's id, and its span with the ids of the caller.
fn begin(request: &Request) -> (Option<HeaderValue>, Span) {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let id = request_id(header("x-request-id"));
    let span = info_span!(
        "request",
        request_id = &*id,
        traceparent = header("traceparent"),
        method = %request.method(),
        path = request.uri().path(),
    );
    (HeaderValue::from_str(&id).ok(), span)
}

async fn order(Path(item): Path<u32>, headers: HeaderMap) -> String {
    info!(item, "ordered");
    let own = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    // What the next service is told: this request's id, and the span it is asked from.
    let (id, traceparent) = (own("x-request-id"), current_traceparent().map(|ids| ids.to_string()));
    let url = format!("http://{}/price/{item}", own("host"));
    let asked = tokio::task::spawn_blocking(move || {
        let request = ureq::get(url).header("x-request-id", id).header("traceparent", traceparent.unwrap_or_default());
        request.call()?.into_body().read_to_string()
    });
    let price = asked.await.ok().and_then(Result::ok);
    if price.is_none() {
        warn!(item, "no price");
    }
    info!(item, "answered");
    price.unwrap_or_default()
}

async fn price(Path(item): Path<u32>) -> String {
    info!(item, "looked up");
    format!("{:.2}", f64::from(item) * 1.25)
}
