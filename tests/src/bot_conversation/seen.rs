//! What people see after a deed, as entries of a script: new messages, what a button said, buttons that went, and the status, which is
//! one message that changes and is shown as it stands when the bot has said everything.

use super::script::Entry;
use super::stage::{Stage, is_label};
use std::collections::{BTreeMap, BTreeSet};
use telegram_double::{Action, Formatted, Shown};

/// An invitation's code is random.
const CODE_START: &str = "?start=";

/// A payment's number, and a project's id.
const PAYMENT_LETTERS: usize = 10;
const PROJECT_LETTERS: usize = 11;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Seen {
    /// Rows of buttons by chat and message, as last seen.
    buttons: BTreeMap<(i64, i64), Vec<String>>,
    /// Every button that ever was: chat, message, label, data.
    ever: Vec<(i64, i64, String, String)>,
    /// The status by its message, as last seen.
    status: BTreeMap<(i64, i64), String>,
    /// Messages that were seen.
    messages: BTreeSet<(i64, i64)>,
    toasts: usize,
    /// The last invitation's code.
    code: String,
    /// The chat that is spoken in.
    here: i64,
}

impl Seen {
    /// Where things are said from now on.
    pub(super) fn turn_to(&mut self, chat: i64) {
        self.here = chat;
    }

    /// A text with the last invitation's code in place of `…`.
    pub(super) fn with_code(&self, text: &str) -> String {
        if text == "/start …" { format!("/start {}", self.code) } else { text.to_owned() }
    }

    /// The last button that had this label, whether or not it is still there.
    pub(super) fn old_button(&self, chat: i64, label: &str) -> Option<(i64, String)> {
        let mut found = self.ever.iter().rev().filter(|(place, _, text, _)| *place == chat && is_label(text, label));
        found.next().map(|(_, message, _, data)| (*message, data.clone()))
    }

    /// The text of the file of this name that came last.
    pub(super) fn opened(&self, stage: &Stage, name: &str) -> Result<Entry, String> {
        let shown = stage.telegram.chat(self.here);
        let found = shown.iter().rev().filter_map(|one| one.document.as_ref()).find(|document| document.name == name);
        let document = found.ok_or_else(|| format!("there is no file {name}"))?;
        let text = String::from_utf8(document.bytes.clone()).map_err(|_| format!("{name} is no text"))?;
        Ok(Entry { head: format!("The bot's {name}:"), body: text.trim_end().lines().map(masked).collect() })
    }

    /// What is new.
    pub(super) async fn look(&mut self, stage: &Stage) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        let toasts = stage.telegram.answered_callbacks();
        for toast in &toasts[self.toasts.min(toasts.len())..] {
            entries.extend(toast.text.as_ref().map(|text| Entry::line(format!("The button says: {text}"))));
        }
        self.toasts = toasts.len();
        let mut chats = stage.chats();
        chats.sort_by_key(|(chat, _)| *chat != self.here);
        let (mut gone, mut status) = (Vec::new(), Vec::new());
        for (chat, place) in chats {
            let place = if chat == self.here { String::new() } else { format!(" {place}") };
            let mut unseen = self.live_unseen(stage, chat).await?;
            for shown in stage.telegram.chat(chat).iter().filter(|one| one.from_bot && !one.deleted) {
                let key = (chat, shown.message_id);
                let text = marked(&shown.formatted);
                let is_new = self.messages.insert(key);
                let is_live = self.status.contains_key(&key) || (is_new && unseen.remove(&shown.html));
                self.note_buttons(key, shown, &mut gone, &place);
                if !is_live {
                    entries.extend(is_new.then(|| Entry { head: format!("The bot{place}:"), body: self.body(shown, &text) }));
                } else if self.status.insert(key, text.clone()).as_ref() != Some(&text) {
                    status.push(Entry { head: format!("The status{place}:"), body: text.lines().map(str::to_owned).collect() });
                }
            }
        }
        Ok(entries.into_iter().chain(gone).chain(status).collect())
    }

    /// The texts of status messages that are in this chat and were not seen. The same words may also be an answer to `/status`.
    async fn live_unseen(&self, stage: &Stage, chat: i64) -> Result<BTreeSet<String>, String> {
        let posted = stage.store.posted(chat).await.map_err(|error| error.to_string())?;
        let live: Vec<_> = posted
            .into_iter()
            .filter(|one| one.letter.kind == atelier_host::store::chats::Kind::Status && one.state == "sent")
            .map(|one| one.letter.message.html)
            .collect();
        let known = self.status.keys().filter(|(place, _)| *place == chat).count();
        Ok(if live.len() > known { live.into_iter().collect() } else { BTreeSet::new() })
    }

    fn note_buttons(&mut self, key: (i64, i64), shown: &Shown, gone: &mut Vec<Entry>, place: &str) {
        for button in shown.buttons.iter().flatten() {
            if let Action::Callback(data) = &button.action
                && !self.ever.iter().any(|(.., known)| known == data)
            {
                self.ever.push((key.0, key.1, button.text.clone(), data.clone()));
            }
        }
        let rows = rows(shown);
        if let Some(before) = self.buttons.insert(key, rows.clone())
            && !before.is_empty()
            && rows.is_empty()
        {
            gone.push(Entry::line(format!("Gone{place}: {}", masked(&before.join(" ")))));
        }
    }

    fn body(&mut self, shown: &Shown, text: &str) -> Vec<String> {
        let mut lines: Vec<String> = shown.document.iter().map(|document| format!("📎 {}", document.name)).collect();
        if let Some(invoice) = &shown.invoice {
            lines.extend([format!("🧾 {}", invoice.title), invoice.description.clone()]);
        }
        for line in text.lines() {
            lines.push(match line.split_once(CODE_START) {
                Some((before, code)) => {
                    code.clone_into(&mut self.code);
                    format!("{before}{CODE_START}…")
                }
                None => line.to_owned(),
            });
        }
        lines.extend(rows(shown));
        lines.iter().map(|line| masked(line)).collect()
    }
}

/// A line without what is another one each time: digests, projects' ids and payments' numbers.
fn masked(line: &str) -> String {
    let is_hex = |text: &str| text.chars().all(|letter| matches!(letter, '0'..='9' | 'a'..='f'));
    let is_random = |word: &str| match word.len() {
        64 | 12 => is_hex(word),
        PAYMENT_LETTERS => is_hex(word) && word.contains(|letter: char| letter.is_ascii_digit()),
        PROJECT_LETTERS => word.starts_with('p') && is_hex(&word[1..]),
        _ => false,
    };
    let (mut out, mut rest) = (String::new(), line);
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_alphanumeric()) {
        let end = rest[start..].find(|letter: char| !letter.is_ascii_alphanumeric()).map_or(rest.len(), |length| start + length);
        out.push_str(&rest[..start]);
        out.push_str(if is_random(&rest[start..end]) { "…" } else { &rest[start..end] });
        rest = &rest[end..];
    }
    out + rest
}

fn rows(shown: &Shown) -> Vec<String> {
    let row = |row: &Vec<telegram_double::Button>| row.iter().map(|button| format!("[{}]", button.text)).collect::<Vec<_>>().join(" ");
    shown.buttons.iter().map(row).collect()
}

/// A text with its emphasis made visible.
fn marked(text: &Formatted) -> String {
    let mut marks: Vec<(usize, bool, &str)> = Vec::new();
    for entity in &text.entities {
        let mark = match entity.kind.as_str() {
            "bold" => "**",
            "italic" => "_",
            "code" => "`",
            _ => continue,
        };
        marks.push((entity.offset, true, mark));
        marks.push((entity.offset + entity.length, false, mark));
    }
    // What ends is closed before the next begins.
    marks.sort_by_key(|(at, opens, _)| (*at, *opens));
    let (mut out, mut at, mut marks) = (String::new(), 0, marks.into_iter().peekable());
    for letter in text.plain.chars() {
        while let Some((_, _, mark)) = marks.next_if(|(place, ..)| *place <= at) {
            out.push_str(mark);
        }
        out.push(letter);
        at += letter.len_utf16();
    }
    out.extend(marks.map(|(_, _, mark)| mark));
    out
}
