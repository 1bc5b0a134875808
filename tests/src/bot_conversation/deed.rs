//! What people do in a script, and what happens beside them, as sentences.

use super::script::Entry;

/// Something that somebody does, or that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Somebody does something: who, whether it is in the group, and what.
    By(String, bool, Act),
    /// `(The model thinks.)`: its answers wait.
    ModelThinks,
    /// `(The model answers.)`
    ModelAnswers,
    /// `(The model is down.)`
    ModelIsDown,
    /// `(The model is back.)`
    ModelIsBack,
    /// `(The model can do it now.)`
    ModelLearns,
    /// `(The bot starts again.)`: it is killed and comes back.
    BotStartsAgain,
    /// `(The group becomes a supergroup.)`: it has another number.
    GroupMoves,
}

/// What people do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// `Ada: words`
    Says(String),
    /// `Ada says a letter 5000 times`
    SaysLong(usize),
    /// `Ada replies: words`, to what the bot said last.
    Replies(String),
    /// `Ada edits it: words`, the last message of theirs.
    Edits(String),
    /// `Ada presses [Skip]`; a label may be cut short by `…`.
    Presses(String),
    /// `Ada presses the old [Skip]`, which is not there any more.
    PressesOld(String),
    /// `Bob copies Ada's [Skip]`: sends from the own chat what somebody else's button sends.
    Copies(String, String),
    /// `Ada sends idea.txt:` and its text.
    SendsFile(String, String),
    /// `Ada sends 60 KB of text`
    SendsLongFile(usize),
    /// `Ada sends a picture as a file`
    SendsBinary,
    /// `Ada sends the project notes.zip`, with words under it where they follow.
    SendsProject(String, String),
    /// `Ada sends a zip without a project`
    SendsEmptyZip,
    /// `Ada sends a zip of 3000 files`
    SendsLargeZip(usize),
    /// `Ada pays`, what she was billed for last.
    Pays,
    /// `Ada sends a sticker`
    SendsSticker,
    /// `Ada sends a voice message`
    SendsVoice,
    /// `Ada sends a photo`
    SendsPhoto,
    /// `Ada adds the bot`
    Adds,
    /// `Ada blocks the bot`
    Blocks,
    /// `Ada unblocks the bot`
    Unblocks,
    /// `Ada opens plan.md`: a file that the bot sent last.
    Opens(String),
}

impl Deed {
    /// Reads one; these people are there.
    pub fn read(entry: &Entry, people: &[String]) -> Result<Deed, String> {
        let unknown = || format!("nobody can do this: {}", entry.head);
        if let Some(event) = entry.head.strip_prefix('(').and_then(|rest| rest.strip_suffix(".)")) {
            return Ok(match event {
                "The model thinks" => Deed::ModelThinks,
                "The model answers" => Deed::ModelAnswers,
                "The model is down" => Deed::ModelIsDown,
                "The model is back" => Deed::ModelIsBack,
                "The model can do it now" => Deed::ModelLearns,
                "The bot starts again" => Deed::BotStartsAgain,
                "The group becomes a supergroup" => Deed::GroupMoves,
                _ => return Err(unknown()),
            });
        }
        let is_who = |name: &&String| entry.head.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with([' ', ':']));
        let who = people.iter().find(is_who).ok_or_else(unknown)?;
        let rest = &entry.head[who.len()..];
        let (in_group, rest) = match rest.strip_prefix(" in the group") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let act = act(rest, &entry.body.join("\n")).ok_or_else(unknown)?;
        Ok(Deed::By(who.clone(), in_group, act))
    }
}

fn act(rest: &str, body: &str) -> Option<Act> {
    if let Some(words) = rest.strip_prefix(':') {
        return Some(Act::Says(with_body(words, body)));
    }
    let rest = rest.strip_prefix(' ')?;
    let label = |text: &str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::to_owned);
    if let Some(words) = rest.strip_prefix("replies:") {
        return Some(Act::Replies(with_body(words, body)));
    }
    if let Some(words) = rest.strip_prefix("edits it:") {
        return Some(Act::Edits(with_body(words, body)));
    }
    if let Some(button) = rest.strip_prefix("presses the old ") {
        return label(button).map(Act::PressesOld);
    }
    if let Some(button) = rest.strip_prefix("presses ") {
        return label(button).map(Act::Presses);
    }
    if let Some((whose, button)) = rest.strip_prefix("copies ").and_then(|rest| rest.split_once("'s ")) {
        return label(button).map(|button| Act::Copies(whose.to_owned(), button));
    }
    if let Some(count) = rest.strip_prefix("says a letter ").and_then(|rest| rest.strip_suffix(" times")) {
        return count.parse().ok().map(Act::SaysLong);
    }
    if let Some(count) = rest.strip_prefix("sends ").and_then(|rest| rest.strip_suffix(" KB of text")) {
        return count.parse().ok().map(Act::SendsLongFile);
    }
    if let Some(name) = rest.strip_prefix("sends the project ") {
        let (name, words) = name.split_once(": ").unwrap_or((name, ""));
        return Some(Act::SendsProject(name.to_owned(), words.to_owned()));
    }
    if let Some(count) = rest.strip_prefix("sends a zip of ").and_then(|rest| rest.strip_suffix(" files")) {
        return count.parse().ok().map(Act::SendsLargeZip);
    }
    if let Some(name) = rest.strip_prefix("sends ").and_then(|rest| rest.strip_suffix(':')) {
        return Some(Act::SendsFile(name.to_owned(), body.to_owned()));
    }
    if let Some(name) = rest.strip_prefix("opens ") {
        return Some(Act::Opens(name.to_owned()));
    }
    Some(match rest {
        "sends a picture as a file" => Act::SendsBinary,
        "sends a zip without a project" => Act::SendsEmptyZip,
        "pays" => Act::Pays,
        "sends a sticker" => Act::SendsSticker,
        "sends a voice message" => Act::SendsVoice,
        "sends a photo" => Act::SendsPhoto,
        "adds the bot" => Act::Adds,
        "blocks the bot" => Act::Blocks,
        "unblocks the bot" => Act::Unblocks,
        _ => return None,
    })
}

fn with_body(words: &str, body: &str) -> String {
    let words = words.strip_prefix(' ').unwrap_or(words);
    if body.is_empty() { words.to_owned() } else { format!("{words}\n{body}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_a_sentence() {
        let people = ["Ada".to_owned(), "Bob".to_owned()];
        let read = |head: &str| Deed::read(&Entry { head: head.to_owned(), body: vec!["more".to_owned()] }, &people);
        let by = |who: &str, in_group, act| Ok(Deed::By(who.to_owned(), in_group, act));
        assert_eq!(read("Ada: a tool"), by("Ada", false, Act::Says("a tool\nmore".into())));
        assert_eq!(read("Bob in the group presses [Skip]"), by("Bob", true, Act::Presses("Skip".into())));
        assert_eq!(read("Bob copies Ada's [No …]"), by("Bob", false, Act::Copies("Ada".into(), "No …".into())));
        assert_eq!(read("Ada sends idea.txt:"), by("Ada", false, Act::SendsFile("idea.txt".into(), "more".into())));
        assert_eq!(read("(The model thinks.)"), Ok(Deed::ModelThinks));
        for wrong in ["Eve: hello", "Ada dances", "(It rains.)", "Adam: hello", "Ada presses Skip"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
