//! Sending, editing and deleting messages. What Telegram checks before it counts is checked before flood control, so that a broken
//! message costs a bot nothing but its refusal.

use crate::call::Call;
use crate::keyboard::{self, Action, Button};
use crate::refusal::Refusal;
use crate::state::State;
use crate::text::Formatted;
use crate::world::{Content, Message};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The longest text, in UTF-16 code units.
const TEXT_MAX: usize = 4096;
/// The longest caption, in UTF-16 code units.
const CAPTION_MAX: usize = 1024;
/// The longest text with its tags.
const SOURCE_MAX_BYTES: usize = 1 << 15;

/// With which of these a bot can react, among others. A bot that uses another one wants to be told.
const REACTIONS: [&str; 24] = [
    "👍", "👎", "❤", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "😢", "🎉", "🤩", "🙏", "👌", "🤡", "💯", "⚡", "🏆", "💔", "👀", "✍", "🫡",
    "🆒",
];

/// `sendMessage`.
pub(super) fn send(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let text = text(state, call)?;
    if text.length() > TEXT_MAX {
        return Err(Refusal::bad_request("message is too long"));
    }
    show(state, call, |_| Ok(Content::Text(text)))
}

/// Shows something in the chat that a call is about, with its keyboard and as an answer, and gives it as it is shown.
pub(crate) fn show(state: &mut State, call: &Call, content: impl FnOnce(&mut State) -> Result<Content, Refusal>) -> Result<Value, Refusal> {
    let chat = state.called_chat(call)?;
    let mut keyboard = keyboard::read(call.structure("reply_markup")?)?;
    keyboard::check_pay(&keyboard, call.method == "sendInvoice")?;
    let reply_to = reply_to(state, call, chat)?;
    state.admit(chat)?;
    let content = content(state)?;
    if let (Content::Invoice(invoice), true) = (&content, keyboard.is_empty()) {
        // An invoice always has a button to pay.
        keyboard.push(vec![Button { text: format!("Pay ⭐{}", invoice.total_amount), action: Action::Pay }]);
    }
    let id = state.put(chat, state.bot_id, content, keyboard, reply_to);
    Ok(state.message_json(chat, id))
}

/// The message that is answered, if one is.
fn reply_to(state: &State, call: &Call, chat: i64) -> Result<Option<i64>, Refusal> {
    let (id, without) = match call.structure("reply_parameters")? {
        Some(parameters) => {
            let id = &parameters["message_id"];
            let id = id.as_i64().ok_or_else(|| Refusal::ill_typed("reply_parameters.message_id", "Number"))?;
            if parameters["chat_id"].as_i64().is_some_and(|other| other != chat) {
                return Err(Refusal::unsupported("a reply to another chat"));
            }
            (id, parameters["allow_sending_without_reply"] == true)
        }
        None => match call.integer("reply_to_message_id")? {
            Some(id) => (id, call.flag("allow_sending_without_reply")?),
            None => return Ok(None),
        },
    };
    match state.chat(chat).message(id) {
        Some(_) => Ok(Some(id)),
        None if without => Ok(None),
        None => Err(Refusal::bad_request("message to be replied not found")),
    }
}

/// The text of a call, which may not be nothing.
fn text(state: &State, call: &Call) -> Result<Formatted, Refusal> {
    let source = call.text("text")?.ok_or_else(|| Refusal::bad_request("message text is empty"))?;
    let text = formatted(state, call, source, "entities")?;
    match text.plain.is_empty() {
        true => Err(Refusal::bad_request("text must be non-empty")),
        false => Ok(text),
    }
}

/// The caption of a call, which may be nothing.
pub(super) fn caption(state: &State, call: &Call) -> Result<Formatted, Refusal> {
    let caption = formatted(state, call, call.text("caption")?.unwrap_or_default(), "caption_entities")?;
    match caption.length() > CAPTION_MAX {
        true => Err(Refusal::bad_request("message caption is too long")),
        false => Ok(caption),
    }
}

fn formatted(state: &State, call: &Call, source: &str, entities: &str) -> Result<Formatted, Refusal> {
    if source.len() > SOURCE_MAX_BYTES {
        return Err(Refusal::bad_request("text is too long"));
    }
    if call.list(entities)?.is_some_and(|list| !list.is_empty()) {
        return Err(Refusal::unsupported(format_args!("parameter \"{entities}\"")));
    }
    match call.text("parse_mode")?.map(str::to_ascii_lowercase).as_deref() {
        None | Some("none") => Ok(Formatted::plain(source)),
        Some("html") => Formatted::html(source, state.options.refuse_unescaped),
        Some(other @ ("markdown" | "markdownv2")) => Err(Refusal::unsupported(format_args!("parse_mode \"{other}\""))),
        Some(_) => Err(Refusal::bad_request("unsupported parse_mode")),
    }
}

/// The message that a call is about.
fn called_message(state: &State, call: &Call, to: &str) -> Result<(i64, Message), Refusal> {
    if call.text("inline_message_id")?.is_some() {
        return Err(Refusal::unsupported("parameter \"inline_message_id\""));
    }
    let chat = state.called_chat(call)?;
    let id = call.integer("message_id")?.filter(|id| *id > 0);
    let id = id.ok_or_else(|| Refusal::bad_request("message identifier is not specified"))?;
    let message = state.chat(chat).message(id).cloned();
    message.map(|message| (chat, message)).ok_or_else(|| Refusal::bad_request(format_args!("message to {to} not found")))
}

/// A message that the bot may edit, because it wrote it.
fn own_message(state: &State, call: &Call) -> Result<(i64, Message), Refusal> {
    let (chat, message) = called_message(state, call, "edit")?;
    match message.from == state.bot_id {
        true => Ok((chat, message)),
        false => Err(Refusal::bad_request("message can't be edited")),
    }
}

/// `editMessageText`. A message whose keyboard is not sent again loses it.
pub(super) fn edit_text(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let text = text(state, call)?;
    let (chat, message) = own_message(state, call)?;
    let keyboard = keyboard::read(call.structure("reply_markup")?)?;
    keyboard::check_pay(&keyboard, false)?;
    let Content::Text(before) = &message.content else {
        return Err(Refusal::bad_request("there is no text in the message to edit"));
    };
    if text.length() > TEXT_MAX {
        return Err(Refusal::bad_request("MESSAGE_TOO_LONG"));
    }
    state.admit(chat)?;
    if before.plain == text.plain && before.entities == text.entities && message.keyboard == keyboard {
        return Err(Refusal::not_modified());
    }
    let earlier = before.plain.clone();
    edit(state, chat, message.id, |message| {
        message.content = Content::Text(text);
        message.keyboard = keyboard;
        message.edited_at = Some(SystemTime::now());
        message.earlier.push(earlier);
    })
}

/// `editMessageReplyMarkup`.
pub(super) fn edit_markup(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let (chat, message) = own_message(state, call)?;
    let keyboard = keyboard::read(call.structure("reply_markup")?)?;
    keyboard::check_pay(&keyboard, matches!(message.content, Content::Invoice(_)))?;
    state.admit(chat)?;
    if message.keyboard == keyboard {
        return Err(Refusal::not_modified());
    }
    edit(state, chat, message.id, |message| message.keyboard = keyboard)
}

fn edit(state: &mut State, chat: i64, id: i64, with: impl FnOnce(&mut Message)) -> Result<Value, Refusal> {
    let message = state.chat_mut(chat).message_mut(id).ok_or_else(|| Refusal::bad_request("message to edit not found"))?;
    with(message);
    message.edit_count += 1;
    Ok(state.message_json(chat, id))
}

/// `deleteMessage`. In a private chat a bot may take everything away, in a group only what it wrote, unless it is an administrator.
pub(super) fn delete(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let (chat, message) = called_message(state, call, "delete")?;
    let place = state.chat(chat);
    let may = message.from == state.bot_id || place.is_private() || place.bot == crate::world::Standing::Administrator;
    if !may {
        return Err(Refusal::bad_request("message can't be deleted"));
    }
    if let Some(message) = state.chat_mut(chat).message_mut(message.id) {
        message.deleted_at = Some(SystemTime::now());
    }
    Ok(json!(true))
}

/// `setMessageReaction`. A bot has one reaction at most.
pub(super) fn react(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let (chat, message) = called_message(state, call, "react")?;
    let mut reactions = Vec::new();
    for reaction in call.list("reaction")?.unwrap_or_default() {
        match (reaction["type"].as_str(), reaction["emoji"].as_str()) {
            (Some("emoji"), Some(emoji)) if REACTIONS.contains(&emoji.trim_end_matches('\u{fe0f}')) => reactions.push(emoji.to_owned()),
            (Some("emoji"), Some(_)) => return Err(Refusal::bad_request("REACTION_INVALID")),
            (Some("custom_emoji" | "paid"), _) => return Err(Refusal::bad_request("REACTION_INVALID")),
            _ => return Err(Refusal::ill_typed("reaction", "Array of ReactionType")),
        }
    }
    if reactions.len() > 1 {
        return Err(Refusal::bad_request("REACTIONS_TOO_MANY"));
    }
    if let Some(message) = state.chat_mut(chat).message_mut(message.id) {
        message.reactions = reactions;
    }
    Ok(json!(true))
}
