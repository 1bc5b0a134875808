//! A chat as one page of HTML, as an app would show it, to be looked at and photographed. It needs nothing from anywhere, and nothing
//! that somebody wrote becomes part of the page itself.

use crate::TelegramServer;
use crate::keyboard::Action;
use crate::text::{Entity, Formatted};
use crate::view::Shown;
use crate::world::unix_seconds;
use std::fmt::Write;
use std::time::SystemTime;

/// How it looks. It is a file of its own so that a browser's tools can be used on it.
const STYLE: &str = include_str!("transcript.css");

impl TelegramServer {
    /// A chat as a page: the bot on the left, people on the right, deleted messages left out.
    pub fn transcript_html(&self, chat: i64) -> String {
        let (title, private) = {
            let state = self.server.look();
            (state.chat(chat).title.clone(), state.chat(chat).is_private())
        };
        let messages = self.chat(chat);
        let title = if private { self.server.look().options.bot_name.clone() } else { title };
        let mut page = String::new();
        let kind = if private { "bot" } else { "group" };
        write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, \
             initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header><span \
             class=\"face\">{face}</span><div><h1>{title}</h1><p>{kind}</p></div></header>\n<main>\n",
            title = escaped(&title),
            face = escaped(&title.chars().next().unwrap_or('?').to_string()),
        )
        .expect("a String takes everything");
        for shown in messages.iter().filter(|shown| !shown.deleted) {
            bubble(&mut page, shown, &messages, private);
        }
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }
}

fn bubble(page: &mut String, shown: &Shown, messages: &[Shown], private: bool) {
    let mut add = |part: &str| page.push_str(part);
    if shown.kind.as_ref().is_some_and(|kind| kind.ends_with("_payment") || kind.starts_with("migrate_")) {
        add(&format!("<p class=\"service\">{}</p>\n", escaped(&shown.text)));
        return;
    }
    add(&format!("<article class=\"{}\">\n<div class=\"bubble\">\n", if shown.from_bot { "left" } else { "right" }));
    if !private {
        add(&format!("<p class=\"name\">{}</p>\n", escaped(&shown.name)));
    }
    if let Some(answered) = shown.reply_to.and_then(|id| messages.iter().find(|other| other.message_id == id)) {
        let words: String = answered.text.chars().take(80).collect();
        add(&format!("<div class=\"reply\"><b>{}</b> {}</div>\n", escaped(&answered.name), escaped(&words)));
    }
    if let Some(document) = &shown.document {
        let size = size(document.bytes.len());
        add(&format!("<div class=\"file\"><span>📄</span><div><b>{}</b><br>{size}</div></div>\n", escaped(&document.name)));
    }
    if let Some(invoice) = &shown.invoice {
        let (title, description) = (escaped(&invoice.title), escaped(&invoice.description));
        add(&format!("<div class=\"text\"><b>{title}</b>\n{description}</div>\n"));
    } else if shown.kind.is_some() && shown.formatted.plain.is_empty() {
        add(&format!("<div class=\"text\"><i>{}</i></div>\n", escaped(&shown.text)));
    } else if !shown.formatted.plain.is_empty() {
        add(&format!("<div class=\"text\">{}</div>\n", marked(&shown.formatted)));
    }
    let edited = if shown.edited_at.is_some() { "edited " } else { "" };
    let reactions = escaped(&shown.reactions.join(" "));
    add(&format!("<p class=\"time\"><span>{reactions}</span> {edited}{}</p>\n</div>\n", clock(shown.sent_at)));
    for row in &shown.buttons {
        add("<div class=\"row\">");
        for button in row {
            let sign = match &button.action {
                Action::Url(_) => " ↗",
                Action::Callback(_) | Action::Pay | Action::Other(..) => "",
            };
            add(&format!("<span class=\"button\">{}{sign}</span>", escaped(&button.text)));
        }
        add("</div>\n");
    }
    add("</article>\n");
}

/// Text with its entities as tags of our own. Addresses are shown and lead nowhere.
fn marked(formatted: &Formatted) -> String {
    let mut out = String::new();
    // Entities are nested and sorted by where they begin, so the innermost one is always the last that was opened.
    let mut waiting = formatted.entities.iter().peekable();
    let mut open: Vec<&Entity> = Vec::new();
    let mut at = 0;
    for letter in formatted.plain.chars() {
        close(&mut out, &mut open, at);
        while let Some(entity) = waiting.next_if(|entity| entity.offset <= at) {
            out.push_str(&opening(entity));
            open.push(entity);
        }
        out.push_str(&escaped(letter.encode_utf8(&mut [0; 4])));
        at += letter.len_utf16();
    }
    close(&mut out, &mut open, at);
    out
}

fn close(out: &mut String, open: &mut Vec<&Entity>, at: usize) {
    while let Some(entity) = open.pop_if(|entity| entity.offset + entity.length <= at) {
        out.push_str(tag(&entity.kind).1);
    }
}

fn opening(entity: &Entity) -> String {
    match entity.kind.as_str() {
        "text_link" => format!("<span class=\"link\" title=\"{}\">", escaped(&entity.argument)),
        kind => tag(kind).0.to_owned(),
    }
}

/// How an entity begins and ends.
fn tag(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "bold" => ("<b>", "</b>"),
        "italic" => ("<i>", "</i>"),
        "underline" => ("<u>", "</u>"),
        "strikethrough" => ("<s>", "</s>"),
        "code" => ("<code>", "</code>"),
        "pre" => ("<pre>", "</pre>"),
        "blockquote" | "expandable_blockquote" => ("<blockquote>", "</blockquote>"),
        "spoiler" => ("<span class=\"spoiler\">", "</span>"),
        _ => ("<span class=\"link\">", "</span>"),
    }
}

/// Letters that mean nothing to a browser.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Hours and minutes of the day, in UTC.
fn clock(at: SystemTime) -> String {
    let seconds = unix_seconds(at) % 86_400;
    format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MB", bytes as f64 / 1_048_576.0),
    }
}
