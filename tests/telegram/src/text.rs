//! Text as Telegram keeps it: plain, with entities beside it that are counted in UTF-16 code units. What a bot sends is read by
//! `html`; what people type has entities of its own (`typed`).

use crate::html;
use crate::refusal::Refusal;
use serde_json::{Value, json};

/// A stretch of text that means more than its letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Telegram's `type`.
    pub kind: String,
    /// Where it begins, in UTF-16 code units.
    pub offset: usize,
    /// How long it is, in UTF-16 code units.
    pub length: usize,
    /// The `url` of a link or the `language` of code.
    pub argument: String,
}

/// Text, what it means, and how it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formatted {
    /// What a person reads.
    pub plain: String,
    /// What parts of it mean.
    pub entities: Vec<Entity>,
    /// What the sender wrote.
    pub source: String,
}

impl Formatted {
    /// As it stands, with nothing special about it.
    pub(crate) fn plain(source: &str) -> Formatted {
        let mut formatted = Formatted { plain: source.to_owned(), entities: Vec::new(), source: source.to_owned() };
        formatted.trim();
        formatted
    }

    /// As Telegram reads `parse_mode` HTML. With `strict` it also refuses what Telegram only advises against.
    pub(crate) fn html(source: &str, strict: bool) -> Result<Formatted, Refusal> {
        let (plain, entities) =
            html::parse(source, strict).map_err(|words| Refusal::bad_request(format_args!("can't parse entities: {words}")))?;
        let mut formatted = Formatted { plain, entities, source: source.to_owned() };
        formatted.trim();
        Ok(formatted)
    }

    /// As a person's client marks what they type: commands, mentions and links.
    pub(crate) fn typed(text: &str) -> Formatted {
        let mut entities = Vec::new();
        let mut offset = 0;
        for word in text.split_inclusive(char::is_whitespace) {
            let trimmed = word.trim_end();
            let name = |rest: &str| -> usize {
                rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').map(char::len_utf16).sum()
            };
            let (kind, length) = match trimmed.chars().next() {
                Some('/') => match name(&trimmed[1..]) {
                    0 => ("", 0),
                    command => {
                        let rest = &trimmed[1 + command..];
                        let at = rest.strip_prefix('@').map_or(0, |bot| if name(bot) > 0 { 1 + name(bot) } else { 0 });
                        ("bot_command", 1 + command + at)
                    }
                },
                // A user name has at least three letters.
                Some('@') if name(&trimmed[1..]) >= 3 => ("mention", 1 + name(&trimmed[1..])),
                Some('h') if trimmed.starts_with("http://") || trimmed.starts_with("https://") => ("url", units(trimmed)),
                _ => ("", 0),
            };
            if length > 0 {
                entities.push(Entity { kind: kind.to_owned(), offset, length, argument: String::new() });
            }
            offset += units(word);
        }
        Formatted { plain: text.to_owned(), entities, source: text.to_owned() }
    }

    /// How long Telegram takes it to be.
    pub(crate) fn length(&self) -> usize {
        units(&self.plain)
    }

    /// Its entities, as they are in a message.
    pub(crate) fn entities_json(&self) -> Value {
        let entity = |entity: &Entity| {
            let mut value = json!({ "type": entity.kind, "offset": entity.offset, "length": entity.length });
            match entity.kind.as_str() {
                "text_link" => value["url"] = json!(entity.argument),
                "pre" if !entity.argument.is_empty() => value["language"] = json!(entity.argument),
                _ => {}
            }
            value
        };
        self.entities.iter().map(entity).collect()
    }

    /// Takes the space around it away, as Telegram does.
    fn trim(&mut self) {
        let before = units(&self.plain) - units(self.plain.trim_start());
        self.plain = self.plain.trim().to_owned();
        let end = units(&self.plain);
        for entity in &mut self.entities {
            let (from, to) = (entity.offset.max(before) - before, (entity.offset + entity.length).max(before) - before);
            entity.offset = from.min(end);
            entity.length = to.min(end) - entity.offset;
        }
        self.entities.retain(|entity| entity.length > 0);
    }
}

/// How many UTF-16 code units these letters are.
pub(crate) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}
