//! Sends more than fits: across the boundary, into a prompt, and as a result.

use atelier_sdk::llm::{self, Message, Request, Role};

const MIB: usize = 1024 * 1024;

/// Twelve mebibytes in one argument; eight may cross.
pub fn huge_argument() -> String {
    format!("{:?}", ask(12 * MIB))
}

/// Two mebibytes of prompt, which cross and are refused.
pub fn huge_prompt() -> String {
    format!("{:?}", ask(2 * MIB))
}

/// A result of twelve mebibytes.
pub fn huge_return() -> String {
    "x".repeat(12 * MIB)
}

fn ask(bytes: usize) -> Result<llm::Reply, atelier_sdk::types::Refusal> {
    let message = Message { role: Role::User, text: "x".repeat(bytes), cache_prefix: false };
    llm::complete(&Request { class: "coder".to_owned(), messages: vec![message], max_output_tokens: 16, stop: vec![] })
}
