//! Google's Gemini. The model is part of the path, so its name is looked at; the key is in a header, never in the URL. It counts
//! cumulatively in each event, leaves out what is zero, and may block a prompt before it generates anything.

use super::frames::Framing;
use super::reading::{Counts, Reading, seconds};
use super::{Ask, Endpoint, Failed, Grammar, Message, Next, NotAcceptedCause, Rejection, Role, Wire};
use crate::ledger::Usage;
use crate::llm::Finish;
use serde_json::{Value, json};

pub(super) const GRAMMAR: Grammar =
    Grammar { key_header: "x-goog-api-key", headers: &[], framing: Framing::Events, request, read, refusal };

fn request(_: &Endpoint, wire: &Wire<'_>) -> Result<Ask, Rejection> {
    // Anything else could lead to another path of the provider, with our key.
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if wire.model.is_empty() || !wire.model.chars().all(harmless) {
        return Err(Rejection::NotFound);
    }
    let part = |message: &Message| json!({ "text": message.text });
    let contents: Vec<Value> = wire
        .turns()
        .into_iter()
        .map(|(role, parts)| {
            let role = if role == Role::Assistant { "model" } else { "user" };
            json!({ "role": role, "parts": parts.into_iter().map(part).collect::<Vec<_>>() })
        })
        .collect();
    let mut body = json!({ "contents": contents, "generationConfig": { "maxOutputTokens": wire.max_output_tokens } });
    let rules: Vec<Value> = wire.rules().map(part).collect();
    if !rules.is_empty() {
        body["systemInstruction"] = json!({ "parts": rules });
    }
    if !wire.stop.is_empty() {
        body["generationConfig"]["stopSequences"] = json!(wire.stop);
    }
    Ok(Ask { path: format!("/models/{}:streamGenerateContent?alt=sse", wire.model), body })
}

/// An event of the stream is a whole answer in small. Parts that are thoughts are no visible text.
fn read(event: &Value, reading: &mut Reading) -> Next {
    if event.get("error").is_some_and(|error| !error.is_null()) {
        return Next::Fault;
    }
    let reason =
        event.pointer("/candidates/0/finishReason").and_then(Value::as_str).filter(|reason| *reason != "FINISH_REASON_UNSPECIFIED");
    // Each report is whole and replaces the one before; at the end an old one would be too small.
    if reason.is_some() || event.get("usageMetadata").is_some() {
        reading.forget_counts();
    }
    reading.count(event.get("usageMetadata"), usage);
    if event.pointer("/promptFeedback/blockReason").is_some_and(Value::is_string) {
        reading.reason = Some(Finish::Filtered);
    }
    for part in event.pointer("/candidates/0/content/parts").and_then(Value::as_array).into_iter().flatten() {
        if part.get("thought").and_then(Value::as_bool) != Some(true) {
            reading.add(part.get("text"));
        }
    }
    match reason {
        None => {}
        Some("STOP") => reading.reason = Some(Finish::Complete),
        Some("MAX_TOKENS") => reading.reason = Some(Finish::Length),
        // Safety, recitation and all the others: it was not the model that ended it.
        Some(_) => reading.reason = Some(Finish::Filtered),
    }
    Next::More
}

/// The wire counts cached tokens within the prompt, and thoughts beside the candidates. It leaves out a count of zero; whether one
/// is zero or missing, its total tells.
fn usage(counts: &Counts) -> Option<Usage> {
    let prompt = counts.required("/promptTokenCount")?;
    let tools = counts.or_zero("/toolUsePromptTokenCount")?;
    let cached_input = counts.or_zero("/cachedContentTokenCount")?;
    let reasoning = counts.or_zero("/thoughtsTokenCount")?;
    let output = match counts.has("/candidatesTokenCount") {
        true => counts.required("/candidatesTokenCount")?,
        false => counts.required("/totalTokenCount")?.checked_sub(prompt)?.checked_sub(tools)?.checked_sub(reasoning)?,
    };
    Some(Usage { input: prompt.checked_sub(cached_input)?.checked_add(tools)?, cached_input, cache_write: 0, output, reasoning })
}

fn refusal(status: u16, body: &Value) -> Option<Failed> {
    // Some of its errors come as a list of one.
    let error = body.pointer("/error").or_else(|| body.pointer("/0/error"))?;
    let details = || error.get("details").and_then(Value::as_array).into_iter().flatten();
    match status {
        400 if details().any(|detail| detail.get("reason").and_then(Value::as_str) == Some("API_KEY_INVALID")) => {
            Some(Failed::Rejected(Rejection::Key))
        }
        400 if error.get("message").and_then(Value::as_str).is_some_and(|words| words.contains("exceeds the maximum number of tokens")) => {
            Some(Failed::Rejected(Rejection::ContextTooLong))
        }
        // It says when to come back in the body instead of a header.
        429 => {
            let delay = details().find_map(|detail| detail.get("retryDelay")?.as_str()?.strip_suffix('s'));
            let why = format!("status {status}");
            Some(Failed::NotAccepted { why, cause: NotAcceptedCause::RateLimited, retry_after: delay.and_then(seconds) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_name_that_could_lead_elsewhere_is_no_model() {
        let second = Duration::from_secs(1);
        let endpoint = Endpoint { url: String::new(), key: None, key_header: None, first_byte_timeout: second, idle_timeout: second };
        for name in ["", "a/b", "../x", "a?key=b", "a:b", "a#b", "a%2fb", "a b", "é"] {
            let wire = Wire { model: name, messages: &[], max_output_tokens: 1, stop: &[], request_id: "r" };
            assert_eq!(request(&endpoint, &wire).err(), Some(Rejection::NotFound), "{name}");
        }
    }

    #[test]
    fn a_count_that_was_left_out_is_zero_only_if_the_total_says_so() {
        let usage_of = |report: Value| {
            let mut reading = Reading::default();
            read(&json!({ "usageMetadata": report }), &mut reading);
            reading.usage.map(|usage| (usage.input, usage.output, usage.reasoning))
        };
        assert_eq!(usage_of(json!({ "promptTokenCount": 7, "thoughtsTokenCount": 5, "totalTokenCount": 12 })), Some((7, 0, 5)));
        assert_eq!(usage_of(json!({ "promptTokenCount": 7, "thoughtsTokenCount": 5 })), None);
        assert_eq!(usage_of(json!({ "promptTokenCount": 7, "totalTokenCount": 6 })), None);
    }
}
