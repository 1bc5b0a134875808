//! OpenAI's chat completions, streamed, with the usage in the last chunk. Most servers speak it: Ollama, vLLM, llama.cpp,
//! gateways and many providers; so it sends what all of them know, and reads leniently.

use super::frames::Framing;
use super::reading::{Counts, Reading};
use super::{Ask, Endpoint, Failed, Grammar, Next, Rejection, Wire, plain_messages};
use crate::ledger::Usage;
use crate::llm::Finish;
use serde_json::{Value, json};

pub(super) const GRAMMAR: Grammar = Grammar { key_header: "authorization", headers: &[], framing: Framing::Events, request, read, refusal };

/// How such servers say that a prompt is too long: OpenAI by a code, others in their own words.
const TOO_LONG: [&str; 4] = ["context_length", "context length", "context size", "too many tokens"];

/// How they say that the account is empty or closed.
const NOTHING_LEFT: [&str; 4] = ["insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_not_active"];

fn request(endpoint: &Endpoint, wire: &Wire<'_>) -> Result<Ask, Rejection> {
    let mut body = json!({
        "model": wire.model,
        "messages": plain_messages(wire),
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    body[limit_field(&endpoint.url)] = json!(wire.max_output_tokens);
    if !wire.stop.is_empty() {
        body["stop"] = json!(wire.stop);
    }
    Ok(Ask { path: "/chat/completions".to_owned(), body })
}

/// OpenAI itself has replaced `max_tokens`, which its reasoning models refuse; many servers that speak its dialect know only that.
fn limit_field(url: &str) -> &'static str {
    match url.starts_with("https://api.openai.com/") {
        true => "max_completion_tokens",
        false => "max_tokens",
    }
}

/// A chunk of a stream, or a whole answer: they differ only in `delta` and `message`.
fn read(event: &Value, reading: &mut Reading) -> Next {
    if event.get("error").is_some_and(|error| !error.is_null()) {
        return Next::Fault;
    }
    reading.count(event.get("usage"), usage);
    if let Some(choice) = event.pointer("/choices/0") {
        let said = choice.get("delta").or_else(|| choice.get("message"));
        match said.and_then(|said| said.get("content")) {
            // Some models think in parts of the content.
            Some(Value::Array(parts)) => {
                for part in parts.iter().filter(|part| part.get("type").and_then(Value::as_str) == Some("text")) {
                    reading.add(part.get("text"));
                }
            }
            text => reading.add(text),
        }
        reading.declined |= said.and_then(|said| said.get("refusal")?.as_str()).is_some_and(|refusal| !refusal.is_empty());
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            reading.reason = Some(match reason {
                "length" => Finish::Length,
                "content_filter" => Finish::Filtered,
                // `stop` is said at the end and at a stop text alike.
                _ => Finish::Complete,
            });
        }
    }
    Next::More
}

/// The wire counts tokens read from the cache and written to it within the prompt, and reasoning within the completion; ours are
/// disjoint. Models since gpt-5.6 bill what they write to the cache dearer than plain input. Some servers leave the reasoning out of
/// the completion, and only their total shows it; they bill it all the same.
fn usage(counts: &Counts) -> Option<Usage> {
    let (prompt, completion) = (counts.required("/prompt_tokens")?, counts.required("/completion_tokens")?);
    let cached_input = counts.or_zero("/prompt_tokens_details/cached_tokens")?;
    let cache_write = counts.or_zero("/prompt_tokens_details/cache_write_tokens")?;
    let reported = counts.or_zero("/completion_tokens_details/reasoning_tokens")?;
    let sum = prompt.checked_add(completion)?;
    let (output, reasoning) = match counts.or("/total_tokens", sum)?.checked_sub(sum)? {
        0 => (completion.checked_sub(reported)?, reported),
        hidden if reported == 0 || reported == hidden => (completion, hidden),
        _ => return None,
    };
    Some(Usage { input: prompt.checked_sub(cached_input)?.checked_sub(cache_write)?, cached_input, cache_write, output, reasoning })
}

fn refusal(status: u16, body: &Value) -> Option<Failed> {
    let signs = ["/error/code", "/error/type"].map(|field| body.pointer(field).and_then(Value::as_str).unwrap_or_default());
    let words = body.to_string().to_lowercase();
    match status {
        // An empty account answers like a busy one; waiting does not fill it.
        400 | 429 if signs.iter().any(|sign| NOTHING_LEFT.contains(sign)) => Some(Failed::Rejected(Rejection::Quota)),
        400 if signs.contains(&"content_filter") => Some(Failed::Rejected(Rejection::Filtered)),
        400 if TOO_LONG.iter().any(|sign| words.contains(sign)) => Some(Failed::Rejected(Rejection::ContextTooLong)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage_of(report: Value) -> Option<Usage> {
        let mut reading = Reading::default();
        read(&json!({ "usage": report }), &mut reading);
        reading.usage
    }

    #[test]
    fn only_openai_itself_gets_the_new_name_of_the_limit() {
        assert_eq!(limit_field("https://api.openai.com/v1"), "max_completion_tokens");
        for url in ["http://127.0.0.1:11434/v1", "https://api.openai.com.example/v1", "https://gateway.example/v1"] {
            assert_eq!(limit_field(url), "max_tokens", "{url}");
        }
    }

    #[test]
    fn buckets_of_usage_are_disjoint() {
        let report = json!({ "prompt_tokens": 10, "completion_tokens": 7, "prompt_tokens_details": { "cached_tokens": 4 },
            "completion_tokens_details": { "reasoning_tokens": 5 } });
        assert_eq!(usage_of(report), Some(Usage { input: 6, cached_input: 4, cache_write: 0, output: 2, reasoning: 5 }));
    }

    #[test]
    fn reasoning_beside_the_completion_is_counted_too() {
        let expected = Some(Usage { input: 10, output: 7, reasoning: 5, ..Usage::default() });
        let told = json!({ "reasoning_tokens": 5 });
        assert_eq!(usage_of(json!({ "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 22 })), expected);
        let report = json!({ "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 22, "completion_tokens_details": told });
        assert_eq!(usage_of(report), expected);
    }

    #[test]
    fn counts_that_do_not_add_up_are_no_count() {
        let more_cached_than_sent = json!({ "prompt_tokens": 3, "completion_tokens": 7, "prompt_tokens_details": { "cached_tokens": 4 } });
        assert_eq!(usage_of(more_cached_than_sent), None);
        let both = json!({ "cached_tokens": 2, "cache_write_tokens": 2 });
        assert_eq!(usage_of(json!({ "prompt_tokens": 3, "completion_tokens": 7, "prompt_tokens_details": both })), None);
        assert_eq!(usage_of(json!({ "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 16 })), None);
        assert_eq!(usage_of(json!({ "prompt_tokens": u64::MAX, "completion_tokens": 7 })), None);
    }
}
