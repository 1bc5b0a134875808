//! What people do: they are there, write, press, send, pay, block and move. Each deed gives the id of the update that tells the bot of
//! it. A deed that Telegram's own app would not let a person do panics and says why.

use crate::TelegramServer;
use crate::keyboard::Action;
use crate::payments::Paid;
use crate::state::{Pressed, State};
use crate::text::Formatted;
use crate::world::{ChatKind, Content, Person, Standing};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

/// The ids of people begin here, as they do for accounts of today.
const FIRST_PERSON: i64 = 5_000_000_000;

/// A group that became a supergroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its id from now on.
    pub chat: i64,
    /// The update with `migrate_to_chat_id`, in the old chat. The one with `migrate_from_chat_id` follows it.
    pub update_id: i64,
}

impl TelegramServer {
    /// Somebody of this name, who has not written to the bot yet.
    pub fn user(&self, first_name: &str) -> i64 {
        let username = format!("{}_double", first_name.to_lowercase().replace(' ', "_"));
        self.user_like(Person { first_name: first_name.to_owned(), username: Some(username), ..Person::default() })
    }

    /// Somebody like this; they get an id if they have none.
    pub fn user_like(&self, mut person: Person) -> i64 {
        self.server.change(|state| {
            if person.id == 0 {
                person.id = FIRST_PERSON + state.number();
            }
            let id = person.id;
            state.people.insert(id, person);
            id
        })
    }

    /// Opens the private chat of a person with the bot, and gives its id, which is theirs. Before that the bot can't write to them.
    pub fn private_chat(&self, user: i64) -> i64 {
        self.server.change(|state| {
            let name = person(state, user).first_name.clone();
            if !state.chats.contains_key(&user) {
                state.new_chat(user, ChatKind::Private, &name, BTreeSet::from([user]));
            }
            user
        })
    }

    /// A group with these people and the bot in it.
    pub fn group(&self, title: &str, members: &[i64]) -> i64 {
        self.server.change(|state| {
            let id = -(4_000_000_000 + state.number());
            state.new_chat(id, ChatKind::Group, title, members.iter().copied().collect());
            id
        })
    }

    /// A supergroup with these people and the bot in it.
    pub fn supergroup(&self, title: &str, members: &[i64]) -> i64 {
        self.server.change(|state| new_supergroup(state, title, members.iter().copied().collect()))
    }

    /// Writes something. Commands, mentions and links are marked as Telegram's app marks them.
    pub fn says(&self, chat: i64, user: i64, text: &str) -> i64 {
        self.server.change(|state| put(state, chat, user, Content::Text(Formatted::typed(text)), None))
    }

    /// Answers a message.
    pub fn replies(&self, chat: i64, user: i64, message_id: i64, text: &str) -> i64 {
        self.server.change(|state| {
            assert!(state.chat(chat).message(message_id).is_some(), "{}", nothing(state, chat, message_id));
            put(state, chat, user, Content::Text(Formatted::typed(text)), Some(message_id))
        })
    }

    /// Writes another text into an earlier message of theirs.
    pub fn edits(&self, chat: i64, user: i64, message_id: i64, text: &str) -> i64 {
        self.server.change(|state| {
            let missing = nothing(state, chat, message_id);
            let message = state.chat_mut(chat).message_mut(message_id).unwrap_or_else(|| panic!("{missing}"));
            assert_eq!(message.from, user, "only who wrote message {message_id} can edit it");
            message.earlier.extend(message.content.words().map(|words| words.plain.clone()));
            message.content = Content::Text(Formatted::typed(text));
            message.edited_at = Some(SystemTime::now());
            message.edit_count += 1;
            state.tell("edited_message", chat, message_id)
        })
    }

    /// Takes a message away. Telegram tells a bot nothing of that, so there is no update.
    pub fn deletes(&self, chat: i64, user: i64, message_id: i64) {
        self.server.change(|state| {
            let missing = nothing(state, chat, message_id);
            let private = state.chat(chat).is_private();
            let message = state.chat_mut(chat).message_mut(message_id).unwrap_or_else(|| panic!("{missing}"));
            assert!(private || message.from == user, "in a group only who wrote message {message_id} can delete it");
            message.deleted_at = Some(SystemTime::now());
        });
    }

    /// Presses the button with this text under a message.
    pub fn presses(&self, chat: i64, user: i64, message_id: i64, button: &str) -> i64 {
        self.server.change(|state| {
            let Some(message) = state.chat(chat).message(message_id) else { panic!("{}", nothing(state, chat, message_id)) };
            let buttons: Vec<&str> = message.keyboard.iter().flatten().map(|button| button.text.as_str()).collect();
            let found = message.keyboard.iter().flatten().find(|there| there.text == button);
            let Some(found) = found else { panic!("there is no button «{button}» under message {message_id}, only {buttons:?}") };
            let Action::Callback(data) = found.action.clone() else {
                panic!("the bot is told nothing when «{button}» is pressed: {:?}", found.action)
            };
            press(state, chat, user, message_id, &data)
        })
    }

    /// Sends data as if a button had it: of an older version of a message, of one that is gone, or made up.
    pub fn presses_data(&self, chat: i64, user: i64, message_id: i64, data: &str) -> i64 {
        self.server.change(|state| press(state, chat, user, message_id, data))
    }

    /// Sends a file.
    pub fn sends_file(&self, chat: i64, user: i64, name: &str, bytes: &[u8], caption: &str) -> i64 {
        self.server.change(|state| {
            let file = state.store(name, bytes.to_vec(), "documents");
            put(state, chat, user, Content::Document { file, caption: Formatted::typed(caption) }, None)
        })
    }

    /// Sends a sticker.
    pub fn sends_sticker(&self, chat: i64, user: i64, emoji: &str) -> i64 {
        self.sends_media(chat, user, "sticker", "sticker.webp", &format!("{emoji} sticker"), "", |file| {
            json!({
                "file_id": file["file_id"], "file_unique_id": file["file_unique_id"], "file_size": file["file_size"], "type": "regular",
                "width": 512, "height": 512, "is_animated": false, "is_video": false, "emoji": emoji, "set_name": "DoubleStickers",
            })
        })
    }

    /// Says something that is recorded.
    pub fn sends_voice(&self, chat: i64, user: i64, seconds: u32) -> i64 {
        self.sends_media(chat, user, "voice", "voice.ogg", &format!("voice, {seconds} s"), "", |file| {
            json!({
                "file_id": file["file_id"], "file_unique_id": file["file_unique_id"], "file_size": file["file_size"],
                "duration": seconds, "mime_type": "audio/ogg",
            })
        })
    }

    /// Sends a picture, which Telegram has in two sizes.
    pub fn sends_photo(&self, chat: i64, user: i64, caption: &str) -> i64 {
        self.sends_media(chat, user, "photo", "photo.jpg", "photo", caption, |file| {
            let size = |name: &str, width: u32| {
                json!({
                    "file_id": file["file_id"], "file_unique_id": format!("{}{name}", file["file_unique_id"].as_str().unwrap_or_default()),
                    "file_size": file["file_size"], "width": width, "height": width,
                })
            };
            json!([size("s", 90), size("x", 800)])
        })
    }

    /// Says where they are.
    pub fn sends_location(&self, chat: i64, user: i64, latitude: f64, longitude: f64) -> i64 {
        let value = json!({ "latitude": latitude, "longitude": longitude });
        let words = format!("location {latitude}, {longitude}");
        let content = Content::Other { name: "location".to_owned(), value, caption: Formatted::default(), words };
        self.server.change(|state| put(state, chat, user, content, None))
    }

    #[expect(clippy::too_many_arguments, reason = "a table of what kinds of media are")]
    fn sends_media(
        &self,
        chat: i64,
        user: i64,
        kind: &str,
        file_name: &str,
        words: &str,
        caption: &str,
        value: impl FnOnce(&Value) -> Value,
    ) -> i64 {
        self.server.change(|state| {
            // What is in it matters to nobody; that it can be fetched does.
            let file = state.store(file_name, format!("the bytes of a {kind}").into_bytes(), kind);
            let content = Content::Other {
                name: kind.to_owned(),
                value: value(&file.json()),
                caption: Formatted::typed(caption),
                words: words.to_owned(),
            };
            put(state, chat, user, content, None)
        })
    }

    /// Wants to pay an invoice. The bot is asked first; if it agrees in time, the payment follows by itself (`payments`).
    pub fn pays(&self, chat: i64, user: i64, message_id: i64) -> i64 {
        self.server.change(|state| {
            let Some(message) = state.chat(chat).message(message_id) else { panic!("{}", nothing(state, chat, message_id)) };
            let Content::Invoice(invoice) = message.content.clone() else { panic!("message {message_id} is no invoice") };
            may_act(state, chat, user);
            state.ask_before_payment(chat, user, invoice)
        })
    }

    /// The bot is told of a payment once more: another message and another update, with the same charge id.
    pub fn repeat_payment(&self, charge: &str) -> i64 {
        self.server.change(|state| {
            let done = |state: &Paid| matches!(state, Paid::Done { charge_id, .. } if charge_id == charge);
            let payment = state.payments.iter().find(|payment| done(&payment.state)).cloned();
            let payment = payment.unwrap_or_else(|| panic!("nothing was paid as {charge}"));
            state.show_payment(&payment, charge).1
        })
    }

    /// Blocks the bot. It can't write to them any more.
    pub fn blocks(&self, user: i64) -> i64 {
        self.server.change(|state| state.change_standing(user, user, Standing::Kicked))
    }

    /// Lets the bot write again.
    pub fn unblocks(&self, user: i64) -> i64 {
        self.server.change(|state| state.change_standing(user, user, Standing::Member))
    }

    /// Takes the bot into a group that it was not in.
    pub fn adds_bot(&self, group: i64, user: i64) -> i64 {
        self.server.change(|state| state.change_standing(group, user, Standing::Member))
    }

    /// Makes the bot an administrator of a group.
    pub fn promotes_bot(&self, group: i64, user: i64) -> i64 {
        self.server.change(|state| state.change_standing(group, user, Standing::Administrator))
    }

    /// Throws the bot out of a group.
    pub fn removes_bot(&self, group: i64, user: i64) -> i64 {
        self.server.change(|state| state.change_standing(group, user, Standing::Kicked))
    }

    /// Makes a supergroup of a group: it has another id, and the old one refuses everything and names the new one.
    pub fn migrates(&self, group: i64) -> Migration {
        self.server.change(|state| {
            let (title, members) = (state.chat(group).title.clone(), state.chat(group).members.clone());
            assert_eq!(state.chat(group).kind, ChatKind::Group, "only a group becomes a supergroup");
            let by = members.first().copied().unwrap_or(state.bot_id);
            let chat = new_supergroup(state, &title, members);
            state.chat_mut(chat).bot = state.chat(group).bot;
            let words = "the group became a supergroup";
            let (_, update_id) = state.show_service("migrate_to_chat_id", json!(chat), words.to_owned(), group, by);
            state.chat_mut(group).migrated_to = Some(chat);
            state.show_service("migrate_from_chat_id", json!(group), words.to_owned(), chat, by);
            Migration { chat, update_id }
        })
    }

    /// Sends the bot this as an update, whatever it is. It gets an id if it has none.
    pub fn raw_update(&self, update: Value) -> i64 {
        self.server.change(|state| state.updates.push_raw(update, true))
    }
}

fn nothing(state: &State, chat: i64, message_id: i64) -> String {
    let there: Vec<&i64> = state.chat(chat).messages.keys().collect();
    format!("there is no message {message_id} in chat {chat} to a person's eye, only among {there:?}, some of which may be deleted")
}

fn person(state: &State, user: i64) -> &Person {
    state.people.get(&user).unwrap_or_else(|| panic!("there is no user {user}"))
}

fn new_supergroup(state: &mut State, title: &str, members: BTreeSet<i64>) -> i64 {
    let id = -(1_002_000_000_000 + state.number());
    state.new_chat(id, ChatKind::Supergroup, title, members);
    id
}

/// Panics unless this person can do something in this chat now.
fn may_act(state: &State, chat: i64, user: i64) {
    let name = &person(state, user).first_name;
    let place = state.chat(chat);
    assert!(place.members.contains(&user), "{name} is not in chat {chat}");
    assert!(!(place.is_private() && place.bot == Standing::Kicked), "{name} blocked the bot and has to unblock it first");
    assert!(place.migrated_to.is_none(), "chat {chat} is a supergroup by now, with another id");
}

fn put(state: &mut State, chat: i64, user: i64, content: Content, reply_to: Option<i64>) -> i64 {
    may_act(state, chat, user);
    let message = state.put(chat, user, content, Vec::new(), reply_to);
    match state.chat(chat).bot.is_in() {
        true => state.tell("message", chat, message),
        // A bot that is not in the group hears nothing; the update is written down and never delivered.
        false => {
            let body = json!({ "message": state.message_json(chat, message) });
            state.updates.push_raw(body, false)
        }
    }
}

fn press(state: &mut State, chat: i64, user: i64, message_id: i64, data: &str) -> i64 {
    may_act(state, chat, user);
    let id = format!("39{}", state.number());
    let message = match state.chat(chat).message(message_id) {
        Some(message) if message.from == state.bot_id => state.message_json(chat, message_id),
        // The bot is told only where it was.
        _ => json!({ "message_id": message_id, "chat": state.chat_json(chat), "date": 0 }),
    };
    let query = json!({
        "id": id, "from": state.user_json(user), "message": message, "chat_instance": format!("{}", chat.unsigned_abs()), "data": data,
    });
    state.pressed.insert(id, Pressed { user, data: data.to_owned(), at: Instant::now(), answered: false });
    state.updates.push("callback_query", query)
}
