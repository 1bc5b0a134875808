//! OpenAI's chat completions, streamed, with the usage in the last chunk. Most servers speak it: Ollama, vLLM, llama.cpp,
//! gateways and many providers.

use super::{Answer, Endpoint, Failed, Rejection, Wire};
use crate::ledger::Usage;
use crate::llm::{Finish, Role};
use eventsource_stream::Eventsource;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// An answer larger than this is no code but a fault.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How much of an error's body is read to tell a long prompt from other faults.
const ERROR_BYTES_MAX: usize = 16 * 1024;
/// How long each piece of it may take.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);
/// No answer takes longer than this from its first byte to its last, however lively its stream.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30 * 60);
/// A `retry-after` beyond this is no reason to keep a run waiting.
const RETRY_AFTER_S_MAX: u64 = 60;

/// Sends one request and reads its answer to the end. `seen` hears the text so far after each chunk.
pub async fn send(client: &reqwest::Client, endpoint: &Endpoint, wire: &Wire<'_>, mut seen: impl FnMut(&str)) -> Result<Answer, Failed> {
    let request = request(client, endpoint, wire);
    let response = match timeout(endpoint.first_byte_timeout, request.send()).await {
        Err(_) => {
            let why = format!("no answer within {} s (ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S)", endpoint.first_byte_timeout.as_secs());
            return Err(Failed::Unknown { why });
        }
        Ok(Err(error)) if error.is_connect() => {
            return Err(Failed::NotAccepted { why: "no connection".to_owned(), retry_after: None });
        }
        // The request may have arrived before the connection broke.
        Ok(Err(_)) => return Err(Failed::Unknown { why: "the connection broke before an answer".to_owned() }),
        Ok(Ok(response)) => response,
    };
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    match json {
        true => whole(response, endpoint).await,
        false => streamed(response, endpoint, &mut seen).await,
    }
}

fn request(client: &reqwest::Client, endpoint: &Endpoint, wire: &Wire<'_>) -> reqwest::RequestBuilder {
    let messages: Vec<_> = wire
        .messages
        .iter()
        .map(|message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({ "role": role, "content": message.text })
        })
        .collect();
    let mut body = json!({
        "model": wire.model,
        "messages": messages,
        "max_tokens": wire.max_output_tokens,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if !wire.stop.is_empty() {
        body["stop"] = json!(wire.stop);
    }
    let mut request = client.post(format!("{}/chat/completions", endpoint.url)).header("x-request-id", wire.request_id).json(&body);
    if let Some(key) = &endpoint.key {
        request = match endpoint.key_header.as_str() {
            "authorization" => request.bearer_auth(key.expose_secret()),
            header => request.header(header, key.expose_secret()),
        };
    }
    request
}

/// Any status but success. The provider's words stay here: they may repeat the key or the prompt.
async fn refused(mut response: reqwest::Response) -> Failed {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(|seconds: u64| Duration::from_secs(seconds.min(RETRY_AFTER_S_MAX)));
    match status {
        401 | 403 => Failed::Rejected(Rejection::Key),
        404 => Failed::Rejected(Rejection::NotFound),
        400 | 413 => {
            let mut body = Vec::new();
            while let Ok(Ok(Some(chunk))) = timeout(ERROR_BODY_TIMEOUT, response.chunk()).await {
                body.extend_from_slice(&chunk);
                if body.len() > ERROR_BYTES_MAX {
                    break;
                }
            }
            let body = String::from_utf8_lossy(&body).to_lowercase();
            match status == 413 || body.contains("context_length") || body.contains("context length") || body.contains("too many tokens") {
                true => Failed::Rejected(Rejection::ContextTooLong),
                false => Failed::Rejected(Rejection::Status(status)),
            }
        }
        429 | 503 => Failed::NotAccepted { why: format!("status {status}"), retry_after },
        500.. => Failed::Faulty(status),
        _ => Failed::Rejected(Rejection::Status(status)),
    }
}

/// A server that does not stream answers with one JSON document.
async fn whole(mut response: reqwest::Response, endpoint: &Endpoint) -> Result<Answer, Failed> {
    let unknown = |why: &str| Failed::Unknown { why: why.to_owned() };
    let mut body = Vec::new();
    loop {
        match timeout(endpoint.idle_timeout, response.chunk()).await {
            Err(_) => return Err(unknown("the answer stopped coming")),
            Ok(Err(_)) => return Err(unknown("the connection broke")),
            Ok(Ok(None)) => break,
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
        }
        if body.len() > ANSWER_BYTES_MAX {
            return Err(unknown("the answer is too large"));
        }
    }
    let parsed: Chunk = serde_json::from_slice(&body).map_err(|_| unknown("the answer is not what an OpenAI-compatible server sends"))?;
    let usage = parsed.usage();
    let choice = parsed.choices.into_iter().next().ok_or_else(|| unknown("the answer has no choice"))?;
    Ok(Answer {
        text: choice.message.and_then(|message| message.content).unwrap_or_default(),
        finish: finish(choice.finish_reason.as_deref()),
        usage,
    })
}

async fn streamed(response: reqwest::Response, endpoint: &Endpoint, seen: &mut impl FnMut(&str)) -> Result<Answer, Failed> {
    let (started, last_byte_ms) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let (mut received, noted) = (0_usize, last_byte_ms.clone());
    let bytes = response.bytes_stream().take_while(move |chunk| {
        received += chunk.as_ref().map_or(0, |bytes| bytes.len());
        noted.store(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        std::future::ready(received <= 8 * ANSWER_BYTES_MAX)
    });
    let mut events = std::pin::pin!(bytes.eventsource());
    let (mut text, mut reason, mut usage) = (String::new(), None, None);
    // Some servers send their headers at once and then load the model.
    let mut patience = endpoint.first_byte_timeout.max(endpoint.idle_timeout);
    let why = loop {
        let event = match timeout(patience, events.next()).await {
            _ if started.elapsed() > ANSWER_TIME_MAX => break "the answer took too long",
            // A comment that keeps the connection alive is a byte and no event.
            Err(_) if is_lively(started, &last_byte_ms, patience) => continue,
            Err(_) => break IDLE,
            Ok(None) => break "the stream was cut off",
            Ok(Some(Err(_))) => break "the stream broke",
            Ok(Some(Ok(event))) => event,
        };
        patience = endpoint.idle_timeout;
        if event.data.trim() == "[DONE]" {
            break "the stream ended without saying why";
        }
        let Ok(chunk) = serde_json::from_str::<Chunk>(&event.data) else {
            break "the stream is not what an OpenAI-compatible server sends";
        };
        if chunk.error.is_some() {
            break "the provider reported an error within the stream";
        }
        usage = chunk.usage().or(usage);
        if let Some(choice) = chunk.choices.into_iter().next() {
            text.push_str(&choice.delta.and_then(|delta| delta.content).unwrap_or_default());
            reason = choice.finish_reason.or(reason);
            seen(&text);
        }
        if text.len() > ANSWER_BYTES_MAX {
            reason = None;
            break "the answer is too large";
        }
    };
    // Once the model has said why it stopped, the answer is whole, however the connection ends.
    match reason {
        Some(reason) => Ok(Answer { text, finish: finish(Some(&reason)), usage }),
        None if text.is_empty() => Err(Failed::Unknown { why: why.to_owned() }),
        None => Err(Failed::Broken { text, why: why.to_owned(), idle: why == IDLE }),
    }
}

/// Why a silent stream ended.
const IDLE: &str = "the stream stopped coming";

fn is_lively(started: Instant, last_byte_ms: &AtomicU64, idle_timeout: Duration) -> bool {
    started.elapsed().saturating_sub(Duration::from_millis(last_byte_ms.load(Ordering::Relaxed))) < idle_timeout
}

fn finish(reason: Option<&str>) -> Finish {
    match reason {
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::Filtered,
        _ => Finish::Complete,
    }
}

/// A chunk of a stream, or a whole answer: they differ only in `delta` and `message`.
#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<serde_json::Value>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

impl Chunk {
    /// Usage in a form that we can't read is no reason to lose an answer; it is estimated.
    fn usage(&self) -> Option<Usage> {
        let usage = serde_json::from_value::<WireUsage>(self.usage.clone()?).ok()?;
        Some(usage.into_usage())
    }
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Content>,
    #[serde(default)]
    message: Option<Content>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl WireUsage {
    /// The wire counts cached within prompt and reasoning within completion; ours are disjoint.
    fn into_usage(self) -> Usage {
        let cached = self.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0).min(self.prompt_tokens);
        let reasoning =
            self.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0).min(self.completion_tokens);
        Usage {
            input: self.prompt_tokens - cached,
            cached_input: cached,
            cache_write: 0,
            output: self.completion_tokens - reasoning,
            reasoning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_usage_are_disjoint() {
        let wire: WireUsage = serde_json::from_str(
            r#"{"prompt_tokens":10,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":5}}"#,
        )
        .expect("usage");
        assert_eq!(wire.into_usage(), Usage { input: 6, cached_input: 4, cache_write: 0, output: 2, reasoning: 5 });
    }
}
