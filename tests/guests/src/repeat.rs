//! Asks the model the very same, again and again.

use atelier_sdk::llm::{self, Message, Request, Role};

/// Never takes an answer for an answer.
pub fn ask_the_same() -> String {
    loop {
        let message = Message { role: Role::User, text: "are you sure?".to_owned(), cache_prefix: false };
        let request = Request { class: "coder".to_owned(), messages: vec![message], max_output_tokens: 500, stop: vec![] };
        let _ = llm::complete(&request);
    }
}
