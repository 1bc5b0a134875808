//! Anthropic's messages. The rules travel apart from the conversation, neighbours of one speaker become one turn, and the marks for
//! its cache sit on single blocks of text. Its stream counts the input at the start and the output at the end.

use super::frames::Framing;
use super::reading::{Counts, Reading};
use super::{Ask, Endpoint, Failed, Grammar, Message, Next, Rejection, Role, Wire};
use crate::ledger::Usage;
use crate::llm::Finish;
use serde_json::{Value, json};

pub(super) const GRAMMAR: Grammar = Grammar { key_header: "x-api-key", headers: HEADERS, framing: Framing::Events, request, read, refusal };

/// The version of the format, which the provider wants to be told.
const HEADERS: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];
/// A request with more marks for the cache is refused.
const CACHE_MARKS_MAX: usize = 4;
/// How it says that a prompt is too long, alone or together with the output that is asked for.
const TOO_LONG: [&str; 2] = ["prompt is too long", "exceed context limit"];

/// How it says, as of an invalid request, that the account is empty, or at the limit that its owner has set.
const NOTHING_LEFT: [&str; 2] = ["credit balance", "usage limits"];

fn request(_: &Endpoint, wire: &Wire<'_>) -> Result<Ask, Rejection> {
    let turns = wire.turns();
    // Of too many marks the last ones stay: each covers everything before it.
    let marks =
        wire.rules().chain(turns.iter().flat_map(|(_, parts)| parts.iter().copied())).filter(|message| message.cache_prefix).count();
    let mut surplus = marks.saturating_sub(CACHE_MARKS_MAX);
    let mut block = |message: &Message| {
        let mut block = json!({ "type": "text", "text": message.text });
        if message.cache_prefix && surplus > 0 {
            surplus -= 1;
        } else if message.cache_prefix {
            block["cache_control"] = json!({ "type": "ephemeral" });
        }
        block
    };
    let system: Vec<Value> = wire.rules().map(&mut block).collect();
    let messages: Vec<Value> = turns
        .into_iter()
        .map(|(role, parts)| {
            let role = if role == Role::Assistant { "assistant" } else { "user" };
            json!({ "role": role, "content": parts.into_iter().map(&mut block).collect::<Vec<_>>() })
        })
        .collect();
    let mut body = json!({ "model": wire.model, "max_tokens": wire.max_output_tokens, "messages": messages, "stream": true });
    if !system.is_empty() {
        body["system"] = json!(system);
    }
    // A stop text of blanks alone is refused; without it the answer is only longer.
    let stop: Vec<&String> = wire.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
    if !stop.is_empty() {
        body["stop_sequences"] = json!(stop);
    }
    Ok(Ask { path: "/messages".to_owned(), body })
}

/// Thinking and other kinds of block are no visible text; kinds of event that are new say nothing.
fn read(event: &Value, reading: &mut Reading) -> Next {
    let is_text = |block: &Value| block.get("type").and_then(Value::as_str) == Some("text");
    match event.get("type").and_then(Value::as_str) {
        Some("message_start") => reading.count(event.pointer("/message/usage"), usage),
        Some("content_block_start") => {
            let block = event.get("content_block").filter(|block| is_text(block));
            reading.add(block.and_then(|block| block.get("text")));
        }
        Some("content_block_delta") if event.pointer("/delta/type").and_then(Value::as_str) == Some("text_delta") => {
            reading.add(event.pointer("/delta/text"));
        }
        Some("message_delta") => {
            let reason = finish(event.pointer("/delta/stop_reason"));
            // The start counts a token or so of output; where the end counts none, nobody has counted it.
            if reason.is_some() && event.pointer("/usage/output_tokens").is_none() {
                reading.forget_counts();
            }
            reading.reason = reason.or(reading.reason);
            reading.count(event.get("usage"), usage);
        }
        Some("message_stop") => return Next::End,
        Some("error") => return Next::Fault,
        // A whole answer.
        Some("message") => {
            for block in event.get("content").and_then(Value::as_array).into_iter().flatten().filter(|block| is_text(block)) {
                reading.add(block.get("text"));
            }
            reading.reason = finish(event.get("stop_reason"));
            reading.count(event.get("usage"), usage);
        }
        _ => {}
    }
    Next::More
}

fn finish(reason: Option<&Value>) -> Option<Finish> {
    Some(match reason?.as_str()? {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "stop_sequence" => Finish::Stopped,
        "refusal" => Finish::Filtered,
        _ => Finish::Complete,
    })
}

/// The wire counts input beside what was read from the cache and written to it, and thinking within the output.
fn usage(counts: &Counts) -> Option<Usage> {
    let reasoning = counts.or_zero("/output_tokens_details/thinking_tokens")?;
    Some(Usage {
        input: counts.required("/input_tokens")?,
        cached_input: counts.or_zero("/cache_read_input_tokens")?,
        cache_write: counts.or_zero("/cache_creation_input_tokens")?,
        output: counts.required("/output_tokens")?.checked_sub(reasoning)?,
        reasoning,
    })
}

fn refusal(status: u16, body: &Value) -> Option<Failed> {
    let words = body.to_string().to_lowercase();
    match status {
        400 if NOTHING_LEFT.iter().any(|sign| words.contains(sign)) => Some(Failed::Rejected(Rejection::Quota)),
        400 if TOO_LONG.iter().any(|sign| words.contains(sign)) => Some(Failed::Rejected(Rejection::ContextTooLong)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn of_too_many_marks_for_the_cache_the_last_four_stay() {
        let messages: Vec<Message> = (0..6)
            .map(|number| {
                let role = if number == 0 { Role::System } else { Role::User };
                Message { role, text: format!("part {number}"), cache_prefix: true }
            })
            .collect();
        let wire = Wire { model: "m", messages: &messages, max_output_tokens: 9, stop: &["\n".to_owned()], request_id: "r" };
        let second = Duration::from_secs(1);
        let endpoint = Endpoint { url: String::new(), key: None, key_header: None, first_byte_timeout: second, idle_timeout: second };
        let body = request(&endpoint, &wire).expect("a request").body;
        assert_eq!(body["system"][0].get("cache_control"), None);
        let marked = |block: &Value| block.get("cache_control").is_some();
        let content = body["messages"][0]["content"].as_array().expect("one turn");
        assert_eq!(content.iter().map(marked).collect::<Vec<_>>(), [false, true, true, true, true]);
        assert_eq!(body.get("stop_sequences"), None, "blanks are no stop text");
    }
}
