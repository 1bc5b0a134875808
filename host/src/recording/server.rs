//! The loopback server that answers from a recording or a script, in the form of an OpenAI-compatible provider.

use super::script::Script;
use super::{Recording, WireMessage, WireRequest};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Characters of one chunk of the stream.
const CHUNK_CHARS: usize = 40;
/// What a token is taken for; the recording's model counted the same way.
const CHARS_PER_TOKEN: usize = 4;

/// Where the answers are from.
#[derive(Clone, Debug)]
pub enum Source {
    /// From a recording, by what is asked.
    Recording(Arc<Recording>),
    /// From a script, in order.
    Script(Arc<Script>),
}

impl Source {
    fn reply(&self, messages: &[WireMessage]) -> Result<String, String> {
        match self {
            Source::Recording(recording) => recording.find(messages).map(|exchange| exchange.reply.clone()),
            Source::Script(script) => script.next(messages),
        }
    }
}

/// Serves until the future is dropped.
pub async fn serve(source: Source, listener: TcpListener) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/v1/models", get(|| async { Json(json!({ "object": "list", "data": [{ "id": "recording", "object": "model" }] })) }))
        .route("/v1/chat/completions", post(complete))
        .with_state(source);
    axum::serve(listener, routes).await
}

async fn complete(State(source): State<Source>, Json(request): Json<WireRequest>) -> Response {
    let reply = match source.reply(&request.messages) {
        Ok(reply) => reply,
        Err(difference) => {
            tracing::error!("{difference}");
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": { "message": difference } }))).into_response();
        }
    };
    let usage = usage(&request.messages, &reply);
    if !request.stream {
        let message = json!({ "role": "assistant", "content": reply });
        return Json(json!({ "object": "chat.completion", "usage": usage, "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] }))
            .into_response();
    }
    let event = |choices: Value, usage: Option<&Value>| {
        let mut event = json!({ "object": "chat.completion.chunk", "choices": choices });
        if let Some(usage) = usage {
            event["usage"] = usage.clone();
        }
        format!("data: {event}\n\n")
    };
    let letters: Vec<char> = reply.chars().collect();
    let mut body = String::new();
    for piece in letters.chunks(CHUNK_CHARS) {
        let text: String = piece.iter().collect();
        body.push_str(&event(json!([{ "index": 0, "delta": { "content": text }, "finish_reason": null }]), None));
    }
    body.push_str(&event(json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]), None));
    body.push_str(&event(json!([]), Some(&usage)));
    body.push_str("data: [DONE]\n\n");
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn usage(messages: &[WireMessage], reply: &str) -> Value {
    let tokens = |text: &str| text.chars().count().div_ceil(CHARS_PER_TOKEN);
    let prompt: usize = messages.iter().map(|message| tokens(&message.content)).sum();
    json!({ "prompt_tokens": prompt, "completion_tokens": tokens(reply), "total_tokens": prompt + tokens(reply) })
}
