//! Ollama's own chat: a JSON document a line, with the counts in the last one. It costs nothing, but its counts decide when a budget
//! of tokens ends, and it leaves out the count of a prompt that it had cached.

use super::frames::Framing;
use super::reading::{Counts, Reading};
use super::{Ask, Endpoint, Failed, Grammar, Next, Rejection, Wire, plain_messages};
use crate::ledger::Usage;
use crate::llm::Finish;
use serde_json::{Value, json};

/// The key is for servers that stand behind a guard; Ollama itself wants none.
pub(super) const GRAMMAR: Grammar = Grammar { key_header: "authorization", headers: &[], framing: Framing::Lines, request, read, refusal };

/// How it says that a prompt is too long.
const TOO_LONG: [&str; 2] = ["context length", "context size"];

fn request(_: &Endpoint, wire: &Wire<'_>) -> Result<Ask, Rejection> {
    let mut options = json!({ "num_predict": wire.max_output_tokens });
    if !wire.stop.is_empty() {
        options["stop"] = json!(wire.stop);
    }
    let body = json!({
        "model": wire.model,
        "messages": plain_messages(wire),
        "stream": true,
        // Without these a long conversation loses its beginning, or is shifted while the model answers, and nobody hears of it.
        // Servers that do not know them pass over them.
        "truncate": false,
        "shift": false,
        "options": options,
    });
    Ok(Ask { path: "/api/chat".to_owned(), body })
}

/// A line of the stream, or a whole answer: they have the same form. What the model thinks is a field of its own.
fn read(event: &Value, reading: &mut Reading) -> Next {
    if event.get("error").is_some_and(|error| !error.is_null()) {
        return Next::Fault;
    }
    reading.add(event.pointer("/message/content"));
    if event.get("done").and_then(Value::as_bool) != Some(true) {
        return Next::More;
    }
    reading.count(Some(event), usage);
    reading.reason = Some(match event.get("done_reason").and_then(Value::as_str) {
        Some("length") => Finish::Length,
        // `stop` is said at the end and at a stop text alike; old versions give no reason.
        _ => Finish::Complete,
    });
    Next::End
}

/// Both counts have to be there: a missing one is not zero. Newer versions count cached tokens, within the prompt; thinking is
/// counted within the output.
fn usage(counts: &Counts) -> Option<Usage> {
    let cached_input = counts.or_zero("/prompt_eval_cached_count")?;
    let input = counts.required("/prompt_eval_count")?.checked_sub(cached_input)?;
    Some(Usage { input, cached_input, output: counts.required("/eval_count")?, ..Usage::default() })
}

fn refusal(status: u16, body: &Value) -> Option<Failed> {
    let words = body.get("error").and_then(Value::as_str)?.to_lowercase();
    let too_long = status == 400 && TOO_LONG.iter().any(|sign| words.contains(sign));
    too_long.then_some(Failed::Rejected(Rejection::ContextTooLong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_cached_prompt_is_missing_and_not_zero() {
        let mut reading = Reading::default();
        read(&json!({ "message": { "content": "" }, "done": true, "eval_count": 9 }), &mut reading);
        assert_eq!((reading.usage, reading.reason), (None, Some(Finish::Complete)));
    }
}
