//! A conversation with the bot as a file. Above is what it shows and how things are at the beginning; in the block below it is what
//! people do and what they see, as in the script of a play:
//!
//! ````text
//! # A title
//!
//! A sentence on what it shows.
//!
//! - users: everybody
//!
//! ```text
//! Ada: /start
//!
//! The bot:
//!   Tell me your idea.
//!   [Begin]
//! ```
//! ````
//!
//! An entry begins at the margin and goes on in lines that are indented by two. What begins with one of [`SEEN`] is seen; everything
//! else is done, and read by [`Deed`](super::Deed).

use std::path::{Path, PathBuf};

/// How an entry begins that is seen and not done.
pub const SEEN: &[&str] = &["The bot", "The status", "The button says", "Gone"];
const FENCE: &str = "```";

/// A whole file.
#[derive(Clone, Debug)]
pub struct Script {
    /// Where it is.
    pub path: PathBuf,
    /// What it shows, in a few words.
    pub title: String,
    /// Everything above the conversation.
    head: String,
    /// How things are: `name: value`.
    pub settings: Vec<(String, String)>,
    /// What is done and seen.
    pub entries: Vec<Entry>,
}

/// A part of the conversation: its first line, and what goes on below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// At the margin.
    pub head: String,
    /// Below it, without the indentation.
    pub body: Vec<String>,
}

impl Entry {
    /// One of a line.
    pub fn line(head: impl Into<String>) -> Entry {
        Entry { head: head.into(), body: Vec::new() }
    }

    /// Whether it is seen and not done.
    pub fn is_seen(&self) -> bool {
        SEEN.iter().any(|start| self.head.starts_with(start))
    }

    fn write(&self, text: &mut String) {
        text.push_str(&self.head);
        text.push('\n');
        for line in &self.body {
            let line = format!("  {line}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
}

impl Script {
    /// Reads one.
    pub fn read(path: &Path, text: &str) -> Result<Script, String> {
        let (head, rest) = text.split_once(&format!("\n{FENCE}text\n")).ok_or("there is no block with the conversation")?;
        let block = rest.strip_suffix(&format!("\n{FENCE}\n")).ok_or("the conversation's block does not end the file")?;
        let title = head.lines().next().and_then(|line| line.strip_prefix("# ")).ok_or("it has no title")?;
        let setting =
            |line: &str| line.strip_prefix("- ").and_then(|line| line.split_once(": ")).map(|(a, b)| (a.to_owned(), b.to_owned()));
        Ok(Script {
            path: path.to_owned(),
            title: title.to_owned(),
            head: head.to_owned(),
            settings: head.lines().filter_map(setting).collect(),
            entries: entries(block)?,
        })
    }

    /// Every script in a folder, in the order of their names.
    pub fn all(folder: &Path) -> Vec<Script> {
        let mut paths: Vec<_> = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
        paths.sort();
        let read = |path: &PathBuf| Script::read(path, &crate::home::read(path)).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        paths.iter().map(read).collect()
    }

    /// What it is called in a listing.
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What a setting says.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What a setting lists.
    pub fn names(&self, name: &str) -> Vec<String> {
        let value = self.setting(name).unwrap_or_default();
        value.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The file with this conversation in it.
    pub fn with(&self, entries: &[Entry]) -> String {
        format!("{}\n{FENCE}text\n{}{FENCE}\n", self.head, written(entries))
    }

    /// What it shows, in a sentence.
    pub fn about(&self) -> &str {
        self.head.lines().skip(1).find(|line| !line.is_empty() && !line.starts_with("- ")).unwrap_or_default()
    }
}

/// A conversation as it stands in a file.
pub fn written(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        if !text.is_empty() {
            text.push('\n');
        }
        entry.write(&mut text);
    }
    text
}

fn entries(block: &str) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("  "), entries.last_mut()) {
            (Some(more), Some(entry)) => entry.body.push(more.to_owned()),
            (None, Some(entry)) if line.is_empty() => entry.body.push(String::new()),
            (Some(_), None) => return Err("the conversation begins with an indented line".to_owned()),
            (None, None) if line.is_empty() => {}
            (None, _) => entries.push(Entry::line(line)),
        }
    }
    for entry in &mut entries {
        while entry.body.last().is_some_and(String::is_empty) {
            entry.body.pop();
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A title\n\nWhat it shows.\n\n- users: Ada, Bob\n\n```text\nAda: hello\n\nThe bot:\n  One\n\n  two\n  [A] [B]\n\nAda: more\n  of it\n```\n";

    #[test]
    fn a_script_is_read_and_written_as_it_was() {
        let script = Script::read(Path::new("01-a.md"), TEXT).expect("a script");
        assert_eq!((script.name().as_str(), script.title.as_str(), script.about()), ("01-a", "A title", "What it shows."));
        assert_eq!(script.names("users"), ["Ada", "Bob"]);
        assert_eq!(script.entries.iter().map(Entry::is_seen).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(script.with(&script.entries), TEXT);
    }

    #[test]
    fn what_is_no_script_says_why() {
        for (text, why) in
            [("# A\n", "no block"), ("A\n\n```text\nAda: a\n```\n", "no title"), ("# A\n\n```text\n  Ada\n```\n", "indented")]
        {
            let found = Script::read(Path::new("a.md"), text).expect_err(text);
            assert!(found.contains(why), "{found}");
        }
    }
}
