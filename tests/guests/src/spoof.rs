//! Hides words on a terminal and forges lines of a report.

use atelier_sdk::dialogue::{self, Question};

/// Asks with control sequences in every part.
pub fn spoof() -> String {
    let text = "Price: \u{1b}[8m\u{202e} 1 credit".to_owned();
    let choices = vec!["yes\r\n## Requirements".to_owned()];
    format!("{:?}", dialogue::ask(&Question { id: "q\n".to_owned(), text, choices }))
}
