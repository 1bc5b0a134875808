//! The people, chats, messages and files that the double has, and how each looks in Telegram's JSON. It decides nothing; `methods`
//! changes it for the bot and `person` for the people.

use crate::keyboard::{self, Keyboard};
use crate::text::Formatted;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Somebody who has Telegram.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Their id, which is also the id of their private chat.
    pub id: i64,
    /// What they are called.
    pub first_name: String,
    /// The rest of their name.
    pub last_name: Option<String>,
    /// Without `@`.
    pub username: Option<String>,
    /// As IETF writes it.
    pub language_code: Option<String>,
}

impl Person {
    pub(crate) fn json(&self) -> Value {
        let mut value = json!({ "id": self.id, "is_bot": false, "first_name": self.first_name });
        for (name, text) in [("last_name", &self.last_name), ("username", &self.username), ("language_code", &self.language_code)] {
            if let Some(text) = text {
                value[name] = json!(text);
            }
        }
        value
    }
}

/// What sort of chat it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChatKind {
    Private,
    Group,
    Supergroup,
}

/// What the bot, or a person, is in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Member,
    Administrator,
    Left,
    Kicked,
}

impl Standing {
    pub(crate) fn is_in(self) -> bool {
        matches!(self, Standing::Member | Standing::Administrator)
    }

    /// As `ChatMember`, of this user.
    pub(crate) fn json(self, user: Value) -> Value {
        match self {
            Standing::Member => json!({ "user": user, "status": "member" }),
            Standing::Left => json!({ "user": user, "status": "left" }),
            Standing::Kicked => json!({ "user": user, "status": "kicked", "until_date": 0 }),
            Standing::Administrator => json!({
                "user": user, "status": "administrator", "can_be_edited": false, "is_anonymous": false, "can_manage_chat": true,
                "can_delete_messages": true, "can_manage_video_chats": true, "can_restrict_members": true, "can_promote_members": false,
                "can_change_info": true, "can_invite_users": true, "can_post_stories": false, "can_edit_stories": false,
                "can_delete_stories": false, "can_pin_messages": true, "can_manage_topics": false,
            }),
        }
    }
}

/// One chat and everything that was ever in it.
#[derive(Clone, Debug)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) kind: ChatKind,
    /// Of a group. A private chat is called as its person is.
    pub(crate) title: String,
    pub(crate) members: BTreeSet<i64>,
    /// What the bot is here; in a private chat it is kicked when it is blocked.
    pub(crate) bot: Standing,
    pub(crate) migrated_to: Option<i64>,
    pub(crate) messages: BTreeMap<i64, Message>,
}

impl Chat {
    pub(crate) fn is_private(&self) -> bool {
        self.kind == ChatKind::Private
    }

    /// As Telegram names this sort of chat in an error.
    pub(crate) fn noun(&self) -> &'static str {
        match self.kind {
            ChatKind::Private => "private chat",
            ChatKind::Group => "group chat",
            ChatKind::Supergroup => "supergroup chat",
        }
    }

    /// The message, unless it was deleted.
    pub(crate) fn message(&self, id: i64) -> Option<&Message> {
        self.messages.get(&id).filter(|message| message.deleted_at.is_none())
    }

    pub(crate) fn message_mut(&mut self, id: i64) -> Option<&mut Message> {
        self.messages.get_mut(&id).filter(|message| message.deleted_at.is_none())
    }

    /// As `Chat`, whose private one is called as this person.
    pub(crate) fn json(&self, person: Option<&Person>) -> Value {
        let kind = match self.kind {
            ChatKind::Private => "private",
            ChatKind::Group => "group",
            ChatKind::Supergroup => "supergroup",
        };
        let mut value = json!({ "id": self.id, "type": kind });
        let Some(person) = person.filter(|_| self.is_private()) else {
            value["title"] = json!(self.title);
            return value;
        };
        value["first_name"] = json!(person.first_name);
        for (name, text) in [("last_name", &person.last_name), ("username", &person.username)] {
            if let Some(text) = text {
                value[name] = json!(text);
            }
        }
        value
    }
}

/// What a message is about.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(Formatted),
    Document {
        file: Arc<StoredFile>,
        caption: Formatted,
    },
    Invoice(Invoice),
    /// Whatever else there is: the name of its field, the field, and words for it.
    Other {
        name: String,
        value: Value,
        caption: Formatted,
        words: String,
    },
}

impl Content {
    /// The text or the caption.
    pub(crate) fn words(&self) -> Option<&Formatted> {
        match self {
            Content::Text(text) => Some(text),
            Content::Document { caption, .. } | Content::Other { caption, .. } => Some(caption),
            Content::Invoice(_) => None,
        }
    }
}

/// A request to pay Stars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// What is sold.
    pub title: String,
    /// What that is.
    pub description: String,
    /// What only the bot sees.
    pub payload: String,
    /// How many Stars.
    pub total_amount: i64,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: i64,
    /// Who wrote it: a person, or the bot.
    pub(crate) from: i64,
    pub(crate) content: Content,
    pub(crate) keyboard: Keyboard,
    pub(crate) reply_to: Option<i64>,
    pub(crate) reactions: Vec<String>,
    pub(crate) sent_at: SystemTime,
    pub(crate) edited_at: Option<SystemTime>,
    pub(crate) deleted_at: Option<SystemTime>,
    pub(crate) edit_count: u32,
    /// What it said before each edit.
    pub(crate) earlier: Vec<String>,
}

impl Message {
    /// As `Message` without its people and its chat, which `State` knows.
    pub(crate) fn json(&self) -> Value {
        let mut value = json!({ "message_id": self.id, "date": unix_seconds(self.sent_at) });
        if let Some(at) = self.edited_at {
            value["edit_date"] = json!(unix_seconds(at));
        }
        let mut words = |text: &str, entities: &str, formatted: &Formatted| {
            if !formatted.plain.is_empty() {
                value[text] = json!(formatted.plain);
                if !formatted.entities.is_empty() {
                    value[entities] = formatted.entities_json();
                }
            }
        };
        match &self.content {
            Content::Text(text) => words("text", "entities", text),
            Content::Document { file, caption } => {
                words("caption", "caption_entities", caption);
                value["document"] = file.json();
            }
            Content::Invoice(invoice) => {
                value["invoice"] = json!({
                    "title": invoice.title, "description": invoice.description, "start_parameter": "", "currency": "XTR",
                    "total_amount": invoice.total_amount,
                });
            }
            Content::Other { name, value: content, caption, .. } => {
                words("caption", "caption_entities", caption);
                value[name] = content.clone();
            }
        }
        if !self.keyboard.is_empty() {
            value["reply_markup"] = keyboard::json(&self.keyboard);
        }
        value
    }
}

/// A file that was sent.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) id: String,
    pub(crate) unique_id: String,
    pub(crate) name: String,
    pub(crate) mime: String,
    pub(crate) bytes: Vec<u8>,
    /// Where `getFile` says it is.
    pub(crate) path: String,
}

impl StoredFile {
    /// As `Document`.
    pub(crate) fn json(&self) -> Value {
        json!({
            "file_id": self.id, "file_unique_id": self.unique_id, "file_name": self.name, "mime_type": self.mime,
            "file_size": self.bytes.len(),
        })
    }
}

/// What Telegram would say a file of this name is.
pub(crate) fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("txt" | "log") => "text/plain",
        Some("md") => "text/markdown",
        Some("html" | "htm") => "text/html",
        Some("json") => "application/json",
        Some("zip") => "application/zip",
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ogg" | "oga") => "audio/ogg",
        Some("py") => "text/x-python",
        Some("js") => "text/javascript",
        _ => "application/octet-stream",
    }
}

/// As Telegram writes a time.
pub(crate) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
