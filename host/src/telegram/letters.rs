//! Messages as letters: what is too long becomes several, and a file is one of its own.

use crate::chat::Message;
use crate::store::chats::{Kind, Letter};
use crate::workspace::sha256;

/// Telegram takes so many UTF-16 units in a message.
const UNITS_MAX: usize = 4_096;

/// To whom letters go, and about what.
#[derive(Clone, Debug)]
pub(super) struct Address<'a> {
    pub(super) chat: i64,
    pub(super) person: i64,
    pub(super) project: Option<&'a str>,
}

/// Letters of this name.
pub(super) fn letters(name: &str, address: &Address<'_>, kind: Kind, messages: Vec<Message>) -> Vec<Letter> {
    let mut parts = Vec::new();
    for message in messages {
        let mut texts = split(&message.html);
        let last = texts.pop().unwrap_or_default();
        parts.extend(texts.into_iter().map(Message::text));
        parts.extend(message.documents.iter().map(|one| Message { documents: vec![*one], ..Message::text(String::new()) }));
        parts.push(Message { documents: Vec::new(), html: last, ..message });
    }
    let is_one = parts.len() == 1;
    let named = |at: usize| if is_one { name.to_owned() } else { format!("{name}.{at}") };
    let Address { chat, person, project } = *address;
    let project = project.map(str::to_owned);
    let letter = |(at, message)| Letter { name: named(at), chat, person, project: project.clone(), kind, message };
    parts.into_iter().enumerate().map(letter).collect()
}

/// Pieces that a message can hold, cut at line ends; a line that is longer than a message is cut where it must be. No tag of ours goes over
/// a line's end, and what agents say is shown in lines that are shorter.
fn split(html: &str) -> Vec<String> {
    let units = |text: &str| text.encode_utf16().count();
    let mut pieces: Vec<String> = vec![String::new()];
    for line in html.split_inclusive('\n') {
        let last = pieces.last_mut().expect("there is one");
        if units(last) + units(line) <= UNITS_MAX {
            last.push_str(line);
        } else if units(line) <= UNITS_MAX {
            pieces.push(line.to_owned());
        } else {
            for letter in line.chars() {
                let last = pieces.last_mut().expect("there is one");
                if units(last) + letter.len_utf16() > UNITS_MAX { pieces.push(letter.into()) } else { last.push(letter) }
            }
        }
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    if pieces.is_empty() { vec![String::new()] } else { pieces }
}

/// Names what was said.
pub(super) fn digest(messages: &[Message]) -> String {
    sha256(serde_json::to_string(messages).expect("our own nouns always serialize").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_line_ends_and_counted_as_telegram_does() {
        let line = format!("{}\n", "😀".repeat(1_000));
        let pieces = split(&line.repeat(5));
        assert_eq!(pieces.iter().map(|piece| piece.encode_utf16().count()).collect::<Vec<_>>(), [4_002, 4_002, 2_001]);
        assert_eq!(pieces.concat(), line.repeat(5));
        let endless = split(&"😀".repeat(4_096));
        assert_eq!(endless.iter().map(|piece| piece.encode_utf16().count()).collect::<Vec<_>>(), [4_096, 4_096]);
    }

    #[test]
    fn the_buttons_come_last_and_a_file_before_them() {
        let button = crate::chat::Button { label: "ok".to_owned(), action: crate::chat::Action::Nothing };
        let message = Message { documents: vec![crate::chat::Document::Plan], ..Message::text("words".to_owned()).with([button]) };
        let address = Address { chat: 1, person: 2, project: Some("p") };
        let letters = letters("p.1", &address, Kind::Result, vec![message]);
        assert_eq!(letters.iter().map(|letter| letter.name.as_str()).collect::<Vec<_>>(), ["p.1.0", "p.1.1"]);
        assert!(!letters[0].message.documents.is_empty() && !letters[1].message.buttons.is_empty());
    }
}
