//! One request and its answer over HTTP, whatever the dialect. Everything has a bound here: the time to the first byte, the silence
//! between two, the whole time, the size of the answer and of an error. Nothing is sent twice, and neither a provider's words nor a
//! URL get into what is reported: errors of the HTTP library carry URLs, so they are never shown.

use super::frames::Frames;
use super::reading::{Reading, seconds};
use super::{Answer, Endpoint, Failed, Finish, Grammar, Next, NotAcceptedCause, Rejection, Wire};
use crate::ledger::Usage;
use crate::llm::unknown::Outcome;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// An answer larger than this is no code but a fault.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a stream may be in bytes: an event of a few letters has a wrapping of a few hundred.
const STREAM_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How much of an error's body is read to tell a long prompt from other faults.
const ERROR_BYTES_MAX: usize = 16 * 1024;
/// How long it may take.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the answer to a question that costs nothing may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(20);
/// No answer takes longer than this from its first byte to its last, however lively its stream.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30 * 60);

/// The last event of the providers that announce the end instead of closing; it is no document.
const END_MARK: &[u8] = b"[DONE]";

// Why there is no whole answer, in our words.
const IDLE: &str = "the stream stopped coming";
const CUT: &str = "the stream was cut off";
const NO_REASON: &str = "the stream ended without saying why";
const TOO_LONG: &str = "the answer took too long";
const TOO_LARGE: &str = "the answer is too large";
const ODD: &str = "the answer is not in the provider's format";
const FAULT: &str = "the provider reported an error instead of going on";

/// Sends one request and reads its answer to the end.
pub(super) async fn send(
    grammar: &Grammar,
    client: &reqwest::Client,
    endpoint: &Endpoint,
    wire: &Wire<'_>,
    seen: impl FnMut(&str, Option<&Usage>) + Send,
) -> Result<Answer, Failed> {
    let request = request(grammar, client, endpoint, wire).map_err(Failed::Rejected)?;
    let response = match timeout(endpoint.first_byte_timeout, request.send()).await {
        Err(_) => {
            let why = format!("no answer within {} s (ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S)", endpoint.first_byte_timeout.as_secs());
            return Err(Failed::Unknown { why, outcome: Outcome::NoFirstByte });
        }
        Ok(Err(error)) if error.is_connect() => {
            let why = "no connection".to_owned();
            return Err(Failed::NotAccepted { why, cause: NotAcceptedCause::Connect, retry_after: None });
        }
        // It never was a request: the URL is none.
        Ok(Err(error)) if error.is_builder() => return Err(Failed::Rejected(Rejection::NotFound)),
        // The request may have arrived before the connection broke.
        Ok(Err(_)) => return Err(unknown("the connection broke before an answer")),
        Ok(Ok(response)) => response,
    };
    if !response.status().is_success() {
        return Err(refused(grammar, response).await);
    }
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    match json {
        true => whole(grammar, response, endpoint).await,
        false => streamed(grammar, response, endpoint, seen).await,
    }
}

/// Asks for something that costs nothing, to see whether the provider takes the key.
pub(super) async fn check(grammar: &Grammar, client: &reqwest::Client, endpoint: &Endpoint, path: &str) -> Result<(), Failed> {
    let request = with_key(grammar, endpoint, client.get(format!("{}{path}", endpoint.url))).map_err(Failed::Rejected)?;
    match timeout(endpoint.first_byte_timeout.min(CHECK_TIMEOUT), request.send()).await {
        Err(_) => Err(unknown("no answer in time")),
        Ok(Err(_)) => {
            let why = "no connection".to_owned();
            Err(Failed::NotAccepted { why, cause: NotAcceptedCause::Connect, retry_after: None })
        }
        Ok(Ok(response)) if response.status().is_success() => Ok(()),
        Ok(Ok(response)) => Err(refused(grammar, response).await),
    }
}

fn request(
    grammar: &Grammar,
    client: &reqwest::Client,
    endpoint: &Endpoint,
    wire: &Wire<'_>,
) -> Result<reqwest::RequestBuilder, Rejection> {
    let ask = (grammar.request)(endpoint, wire)?;
    let request = client.post(format!("{}{}", endpoint.url, ask.path)).header("x-request-id", wire.request_id).json(&ask.body);
    with_key(grammar, endpoint, request)
}

/// The request with the headers of its dialect and the key, if there is one.
fn with_key(grammar: &Grammar, endpoint: &Endpoint, mut request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder, Rejection> {
    for (name, value) in grammar.headers {
        request = request.header(*name, *value);
    }
    if let Some(key) = &endpoint.key {
        let header = endpoint.key_header.as_deref().unwrap_or(grammar.key_header);
        let key = match header.eq_ignore_ascii_case("authorization") {
            true => format!("Bearer {}", key.expose_secret()),
            false => key.expose_secret().to_owned(),
        };
        let mut key = HeaderValue::from_str(&key).map_err(|_| Rejection::Key)?;
        key.set_sensitive(true);
        request = request.header(header, key);
    }
    Ok(request)
}

/// Any status but success. What the dialect has nothing to say about means the same everywhere.
async fn refused(grammar: &Grammar, mut response: reqwest::Response) -> Failed {
    let status = response.status().as_u16();
    let wanted = retry_after(response.headers());
    let body = error_body(&mut response).await;
    let not_accepted = |cause| Failed::NotAccepted { why: format!("status {status}"), cause, retry_after: None };
    let failed = (grammar.refusal)(status, &body).unwrap_or_else(|| match status {
        401 | 403 => Failed::Rejected(Rejection::Key),
        402 => Failed::Rejected(Rejection::Quota),
        404 => Failed::Rejected(Rejection::NotFound),
        413 => Failed::Rejected(Rejection::ContextTooLong),
        429 => not_accepted(NotAcceptedCause::RateLimited),
        // 529 is Anthropic's word for it, which gateways of other dialects pass on.
        503 | 529 => not_accepted(NotAcceptedCause::Overloaded),
        500.. => Failed::Faulty(status),
        _ => Failed::Rejected(Rejection::Status(status)),
    });
    match failed {
        Failed::NotAccepted { why, cause, retry_after } => Failed::NotAccepted { why, cause, retry_after: wanted.or(retry_after) },
        failed => failed,
    }
}

/// The body of an error, if it is JSON and comes at once. It may repeat the key or the prompt, so it goes no further than the
/// dialect.
async fn error_body(response: &mut reqwest::Response) -> Value {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BYTES_MAX {
                break;
            }
        }
    };
    let _ = timeout(ERROR_BODY_TIMEOUT, read).await;
    // A proxy may answer in plain words; they are looked at as words.
    serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    seconds(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

/// A server that does not stream answers with one JSON document, or with a list of what would have been the events.
async fn whole(grammar: &Grammar, mut response: reqwest::Response, endpoint: &Endpoint) -> Result<Answer, Failed> {
    let mut body = Vec::new();
    loop {
        match timeout(endpoint.idle_timeout, response.chunk()).await {
            Err(_) => return Err(unknown("the answer stopped coming")),
            Ok(Err(_)) => return Err(unknown("the connection broke")),
            Ok(Ok(None)) => break,
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
        }
        if body.len() > ANSWER_BYTES_MAX {
            return Err(unknown(TOO_LARGE));
        }
    }
    let events = match serde_json::from_slice(&body) {
        Ok(Value::Array(events)) => events,
        Ok(document) => vec![document],
        Err(_) => return Err(unknown(ODD)),
    };
    let mut reading = Reading::default();
    for event in &events {
        if let Next::Fault = (grammar.read)(event, &mut reading) {
            return Err(unknown(FAULT));
        }
    }
    match (reading.finish(), reading.text.is_empty()) {
        (None, true) => Err(unknown(ODD)),
        // The document has an end, so the answer has one, even where the server does not say why.
        (finish, _) => {
            let usage = reading.final_usage();
            Ok(Answer { text: reading.text, finish: finish.unwrap_or(Finish::Complete), usage })
        }
    }
}

/// Reads a stream event by event. Once the model has said why it stopped, the answer is whole, however the connection ends.
async fn streamed(
    grammar: &Grammar,
    mut response: reqwest::Response,
    endpoint: &Endpoint,
    mut seen: impl FnMut(&str, Option<&Usage>) + Send,
) -> Result<Answer, Failed> {
    let deadline = Instant::now() + ANSWER_TIME_MAX;
    let (mut frames, mut reading, mut received, mut ended) = (Frames::new(grammar.framing), Reading::default(), 0, false);
    // Some servers send their headers at once and then load the model. A comment that keeps the connection alive is a byte and no
    // event, and counts as life.
    let mut patience = endpoint.first_byte_timeout.max(endpoint.idle_timeout);
    let why = 'stream: loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(patience.min(left), response.chunk()).await {
            _ if left.is_zero() => break TOO_LONG,
            Err(_) if left <= patience => break TOO_LONG,
            Err(_) => break IDLE,
            Ok(Err(_)) => break "the stream broke",
            Ok(Ok(None)) => {
                frames.end();
                ended = true;
            }
            Ok(Ok(Some(chunk))) => {
                received += chunk.len();
                if received > STREAM_BYTES_MAX || frames.push(&chunk).is_err() {
                    reading.reason = None;
                    break TOO_LARGE;
                }
            }
        }
        while let Some(event) = frames.next() {
            patience = endpoint.idle_timeout;
            if event.trim_ascii() == END_MARK {
                break 'stream NO_REASON;
            }
            let next = match serde_json::from_slice(&event) {
                Ok(event @ Value::Object(_)) => (grammar.read)(&event, &mut reading),
                // At the end of the stream it is a piece of an event.
                _ if ended => break 'stream CUT,
                _ => break 'stream ODD,
            };
            seen(&reading.text, reading.usage.as_ref());
            match next {
                Next::More => {}
                Next::End => break 'stream NO_REASON,
                Next::Fault => break 'stream FAULT,
            }
            if reading.text.len() > ANSWER_BYTES_MAX {
                reading.reason = None;
                break 'stream TOO_LARGE;
            }
        }
        if ended {
            break CUT;
        }
    };
    match reading.finish() {
        Some(finish) => {
            let usage = reading.final_usage();
            Ok(Answer { text: reading.text, finish, usage })
        }
        None if reading.text.is_empty() => Err(unknown(why)),
        None => Err(Failed::Broken { text: reading.text, why: why.to_owned(), idle: why == IDLE, usage: reading.usage }),
    }
}

fn unknown(why: &str) -> Failed {
    let outcome = if why == ODD { Outcome::Unreadable } else { Outcome::LostBeforeAnswer };
    Failed::Unknown { why: why.to_owned(), outcome }
}
