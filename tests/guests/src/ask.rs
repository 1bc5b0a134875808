//! Asks the user without an end.

use atelier_sdk::dialogue::{self, Question};

/// Asks until it is refused; says how often it was answered.
pub fn ask_forever() -> String {
    for number in 0.. {
        let question = Question { id: format!("q{number}"), text: format!("Question {number}?"), choices: vec![] };
        if let Err(refusal) = dialogue::ask(&question) {
            return format!("{number} answers, then {refusal:?}");
        }
    }
    String::new()
}
