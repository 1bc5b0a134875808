//! A strict double of an OpenAI-compatible model server. It checks every request as a provider would, answers from a script, and
//! keeps the provider's own log, so that a test can hold the ledger against it.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{
    Json, Router,
    routing::{get, post},
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How one request is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As a provider should, streamed, with usage in the last chunk.
    Text(String),
    /// After a while.
    Slow(Duration, Box<Answer>),
    /// When the gate opens.
    Behind(Gate, Box<Answer>),
    /// With this usage, whatever was sent.
    Usage(String, u64, u64),
    /// As one JSON document, as a server does that can't stream.
    Whole(String),
    /// Streamed, with no word on usage.
    NoUsage(String),
    /// Whole, with its reason, and then nothing, for ever.
    NoEnd(String),
    /// With a usage that is no usage.
    OddUsage(String),
    /// At its output limit.
    Length(String),
    /// A status and no body.
    Status(u16),
    /// 401, with the key in the words of its body, as some providers do.
    KeyRefused,
    /// 429 with `retry-after`, in seconds.
    RateLimited(u64),
    /// 400 as OpenAI's when the prompt is too long.
    ContextTooLong,
    /// Not a byte, for ever.
    Silence,
    /// This much, then nothing, for ever.
    Stall(String),
    /// This much, then the connection closes.
    Cut(String),
    /// Bytes that are no stream at all.
    Garbage,
}

/// A gate that answers wait behind while it is shut.
#[derive(Clone, Debug)]
pub struct Gate {
    is_shut: Arc<watch::Sender<bool>>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate { is_shut: Arc::new(watch::Sender::new(false)), waiting: Arc::default() }
    }
}

impl Gate {
    /// Shuts it, or opens it for all that wait.
    pub fn shut(&self, is_shut: bool) {
        self.is_shut.send_replace(is_shut);
    }

    /// Answers that wait now, for callers that are still there.
    pub fn waiting(&self) -> usize {
        // Behind one that is open nobody waits, though they may not have noticed yet.
        if *self.is_shut.borrow() { self.waiting.load(Ordering::SeqCst) } else { 0 }
    }

    async fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        // Also where the caller leaves and this is never finished.
        let _waiting = Waiting(self.waiting.clone());
        let _ = self.is_shut.subscribe().wait_for(|is_shut| !is_shut).await;
    }
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What was asked, as it came over the wire.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Our request id.
    pub request_id: String,
    /// The key that came with it, without `Bearer`.
    pub key: String,
    /// The body.
    pub body: Value,
}

impl Asked {
    /// The last message, which is what was asked just now.
    pub fn last_message(&self) -> &str {
        self.body["messages"].as_array().and_then(|messages| messages.last()).and_then(|last| last["content"].as_str()).unwrap_or_default()
    }

    /// Every message.
    pub fn text(&self) -> String {
        let messages = self.body["messages"].as_array().into_iter().flatten();
        messages.filter_map(|message| message["content"].as_str()).collect::<Vec<_>>().join("\n")
    }
}

type Script = dyn FnMut(&Asked, usize) -> Answer + Send;

struct Inner {
    script: Mutex<Box<Script>>,
    asked: Mutex<Vec<Asked>>,
    ids: Mutex<BTreeSet<String>>,
    log: Mutex<Vec<Value>>,
    log_file: Mutex<Option<File>>,
    complaints: Mutex<Vec<String>>,
    /// When callers left a stalled answer.
    left: Arc<Mutex<Vec<Instant>>>,
}

/// Notes when it is dropped, as the body of an answer is when its connection closes.
struct Leaving(Arc<Mutex<Vec<Instant>>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        lock(&self.0).push(Instant::now());
    }
}

impl Inner {
    /// Puts a line down before the answer leaves; in a file it is on the disk by then.
    fn note(&self, line: Value) {
        if let Some(file) = &mut *lock(&self.log_file) {
            writeln!(file, "{line}").and_then(|()| file.sync_data()).expect("the log can be written");
        }
        lock(&self.log).push(line);
    }
}

/// A running server.
pub struct ModelServer {
    /// Its base URL.
    pub url: String,
    inner: Arc<Inner>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl ModelServer {
    /// Answers with these, in order, and then with a 500.
    pub async fn answering(answers: impl IntoIterator<Item = Answer>) -> ModelServer {
        let answers: Vec<Answer> = answers.into_iter().collect();
        ModelServer::scripted(move |_, number| answers.get(number).cloned().unwrap_or(Answer::Status(500))).await
    }

    /// Answers each request as the function says; it gets the request and its number, from 0.
    pub async fn scripted(script: impl FnMut(&Asked, usize) -> Answer + Send + 'static) -> ModelServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let inner = Arc::new(Inner {
            script: Mutex::new(Box::new(script)),
            asked: Mutex::default(),
            ids: Mutex::default(),
            log: Mutex::default(),
            log_file: Mutex::default(),
            complaints: Mutex::default(),
            left: Arc::default(),
        });
        let routes = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/models", get(models))
            .layer(axum::extract::DefaultBodyLimit::max(16 * 1024 * 1024))
            .with_state(inner.clone());
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        ModelServer { url, inner, serving }
    }

    /// Every request so far. Fails the test if one was not as it must be.
    pub fn asked(&self) -> Vec<Asked> {
        let complaints = lock(&self.inner.complaints);
        assert!(complaints.is_empty(), "requests that a provider would refuse: {complaints:?}");
        lock(&self.inner.asked).clone()
    }

    /// When callers closed the connection of an answer that stalls.
    pub fn left(&self) -> Vec<Instant> {
        lock(&self.inner.left).clone()
    }

    /// Keeps the record in this file as well, written through to the disk line by line.
    pub fn log_to(&self, path: &Path) {
        *lock(&self.inner.log_file) = Some(File::create(path).expect("the log's file"));
    }

    /// The provider's own record, a JSON line for each request.
    pub fn log(&self) -> String {
        lock(&self.inner.log).iter().map(|line| format!("{line}\n")).collect()
    }
}

/// The list of models, which costs nothing: for whoever wants to know whether a key is taken.
async fn models(headers: HeaderMap) -> Response {
    match headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
        Some(key) if !key.contains("refused") => Json(json!({ "object": "list", "data": [] })).into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn complete(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let key = text("authorization").trim_start_matches("Bearer ").to_owned();
    let asked = Asked { request_id: text("x-request-id"), key, body };
    let complaints = complaints(&inner, &asked, &text("content-type"));
    if !complaints.is_empty() {
        lock(&inner.complaints).extend(complaints.clone());
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": { "message": complaints.join("; ") } }))).into_response();
    }
    let number = {
        let mut all = lock(&inner.asked);
        all.push(asked.clone());
        all.len() - 1
    };
    let mut answer = (lock(&inner.script))(&asked, number);
    let answer = loop {
        answer = match answer {
            Answer::Slow(wait, then) => {
                tokio::time::sleep(wait).await;
                *then
            }
            Answer::Behind(gate, then) => {
                gate.pass().await;
                *then
            }
            answer => break answer,
        };
    };
    if matches!(answer, Answer::Silence) {
        inner.note(json!({ "request_id": asked.request_id, "served": true }));
        std::future::pending::<()>().await;
    }
    respond(&inner, &asked, answer)
}

/// Everything about a request that a strict provider would refuse.
fn complaints(inner: &Inner, asked: &Asked, content_type: &str) -> Vec<String> {
    let body = &asked.body;
    let mut complaints = Vec::new();
    let mut check = |good: bool, complaint: &str| {
        if !good {
            complaints.push(complaint.to_owned());
        }
    };
    check(content_type == "application/json", "content-type is not application/json");
    check(!asked.request_id.is_empty(), "no x-request-id");
    check(lock(&inner.ids).insert(asked.request_id.clone()), "an x-request-id that was used before");
    check(body["model"].as_str().is_some_and(|model| !model.is_empty()), "no model");
    check(body["stream"] == true, "not streamed");
    check(body["stream_options"]["include_usage"] == true, "no usage asked for");
    check(body["max_tokens"].as_u64().is_some_and(|limit| limit > 0), "no max_tokens");
    let known = ["model", "messages", "max_tokens", "stream", "stream_options", "stop"];
    let unknown = body.as_object().into_iter().flatten().any(|(name, _)| !known.contains(&name.as_str()));
    check(!unknown, "a field that nobody knows");
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    check(!messages.is_empty(), "no messages");
    for message in messages {
        check(message["role"].as_str().is_some_and(|role| ["system", "user", "assistant"].contains(&role)), "a message without a role");
        check(message["content"].is_string(), "a message without content");
    }
    complaints
}

fn respond(inner: &Inner, asked: &Asked, answer: Answer) -> Response {
    let tokens = |text: &str| text.chars().count().div_ceil(4) as u64;
    let prompt = tokens(&asked.text());
    let note = |served: bool, usage: Option<(u64, u64)>| {
        let mut line = json!({ "request_id": asked.request_id, "served": served });
        if let Some((input, output)) = usage {
            line["usage"] = usage_json(input, output);
        }
        inner.note(line);
    };
    match answer {
        Answer::Text(text) => {
            let usage = (prompt, tokens(&text));
            note(true, Some(usage));
            stream(&text, "stop", Some(usage))
        }
        Answer::Usage(text, input, output) => {
            note(true, Some((input, output)));
            stream(&text, "stop", Some((input, output)))
        }
        Answer::Length(text) => {
            let usage = (prompt, tokens(&text));
            note(true, Some(usage));
            stream(&text, "length", Some(usage))
        }
        Answer::NoUsage(text) => {
            note(true, None);
            stream(&text, "stop", None)
        }
        Answer::Whole(text) => {
            let (input, output) = (prompt, tokens(&text));
            note(true, Some((input, output)));
            let choice = json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" });
            Json(json!({ "object": "chat.completion", "choices": [choice], "usage": usage_json(input, output) })).into_response()
        }
        Answer::Status(status) => {
            note(false, None);
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Answer::KeyRefused => {
            note(false, None);
            let error = json!({ "code": "invalid_api_key", "message": format!("Incorrect API key provided: {}", asked.key) });
            (StatusCode::UNAUTHORIZED, Json(json!({ "error": error }))).into_response()
        }
        Answer::RateLimited(seconds) => {
            note(false, None);
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Answer::ContextTooLong => {
            note(false, None);
            let error = json!({ "code": "context_length_exceeded", "message": "maximum context length is 8192 tokens" });
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
        }
        Answer::Stall(text) => {
            note(true, None);
            let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(piece(&text)))]);
            let leaving = Leaving(inner.left.clone());
            let endless = futures_util::stream::pending().inspect(move |_| {
                let _still_there = &leaving;
            });
            event_stream(Body::from_stream(begun.chain(endless)))
        }
        Answer::NoEnd(text) => {
            note(true, None);
            let body = piece(&text) + &event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }));
            let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(body))]);
            event_stream(Body::from_stream(begun.chain(futures_util::stream::pending())))
        }
        Answer::OddUsage(text) => {
            note(true, None);
            let end = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "usage": { "prompt_tokens": -1 } });
            event_stream(Body::from(piece(&text) + &event(&end) + "data: [DONE]\n\n"))
        }
        Answer::Cut(text) => {
            note(true, None);
            let begun = match text.is_empty() {
                true => String::new(),
                false => piece(&text),
            };
            event_stream(Body::from(begun))
        }
        Answer::Garbage => {
            note(true, None);
            event_stream(Body::from("data: <html>It works!</html>\n\n"))
        }
        Answer::Slow(..) | Answer::Behind(..) | Answer::Silence => unreachable!("waited for before"),
    }
}

fn stream(text: &str, reason: &str, usage: Option<(u64, u64)>) -> Response {
    let letters: Vec<char> = text.chars().collect();
    let mut body: String = letters.chunks(50).map(|piece_of| piece(&piece_of.iter().collect::<String>())).collect();
    body.push_str(&event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] })));
    if let Some((input, output)) = usage {
        body.push_str(&event(&json!({ "choices": [], "usage": usage_json(input, output) })));
    }
    body.push_str("data: [DONE]\n\n");
    event_stream(Body::from(body))
}

fn piece(text: &str) -> String {
    event(&json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] }))
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

fn event_stream(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn usage_json(input: u64, output: u64) -> Value {
    json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output) })
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
