//! Spends what there is.

use atelier_sdk::llm::{self, Message, Request, Role};

/// Calls the model until it is refused; says how often it was answered.
pub fn spend_everything() -> String {
    for number in 0..10_000 {
        let message = Message { role: Role::User, text: format!("more {number}"), cache_prefix: false };
        let request = Request { class: "coder".to_owned(), messages: vec![message], max_output_tokens: 60_000, stop: vec![] };
        if let Err(refusal) = llm::complete(&request) {
            return format!("{number} calls, then {refusal:?}");
        }
    }
    "it was never refused".to_owned()
}
