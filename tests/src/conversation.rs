//! A conversation as a file: what the user says, what the model answers, and what must come of it. The form is plain enough to
//! be written by somebody who does not program:
//!
//! ```text
//! # A claim, as a title
//! ## idea
//! ## model            what the model answers, in order, one section each
//! ## question         a question that the user must see (a part of it is enough)
//! ## answer           what the user says to it: text, `-` to skip, `enough`
//! ## approve          a ceiling in credits; empty takes the proposed one
//! ## change           what the user wants different; `R2: …` puts these words in place of one requirement
//! ## retry            what failed is tried again; a class of models, or empty
//! ## rollback         the last task that stays
//! ## resume           the user lets it go on
//! ## document         the user wants the documents written; a ceiling in credits, or empty for the proposed one
//! ## cancel           the user wants it, or the change under way, no more
//! ## told             words that the model must have been told just now
//! ## runners          checks are executed in this one
//! ## outcome          `name: value` lines: phase, commits, calls, requirement ID, file PATH (a part of it), refunded
//! ```

use std::path::Path;

/// A section: its name and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Such as `model`.
    pub name: String,
    /// Without blank lines around it.
    pub text: String,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// What it claims.
    pub title: String,
    /// In order.
    pub sections: Vec<Section>,
}

/// The names that a section may have.
const NAMES: &[&str] = &[
    "idea", "model", "question", "answer", "approve", "change", "retry", "rollback", "resume", "document", "cancel", "told", "runners",
    "outcome",
];

impl Conversation {
    /// Reads one.
    pub fn read(text: &str) -> Result<Conversation, String> {
        let mut title = String::new();
        let mut sections: Vec<Section> = Vec::new();
        for line in text.lines() {
            let name = line.strip_prefix("## ").map(str::trim);
            match (name, sections.last_mut()) {
                (Some(name), _) if NAMES.contains(&name) => {
                    sections.push(Section { name: name.to_owned(), text: String::new() });
                }
                (Some(name), None) => return Err(format!("`## {name}` is no section; there are {}", NAMES.join(", "))),
                (_, Some(section)) => {
                    section.text.push_str(line);
                    section.text.push('\n');
                }
                (None, None) => {
                    if let Some(text) = line.strip_prefix("# ") {
                        text.clone_into(&mut title);
                    }
                }
            }
        }
        for section in &mut sections {
            section.text = section.text.trim_matches('\n').to_owned();
        }
        match (title.is_empty(), sections.first()) {
            (true, _) => Err("it has no title".to_owned()),
            (false, Some(first)) if first.name == "idea" => Ok(Conversation { title, sections }),
            _ => Err("it does not begin with `## idea`".to_owned()),
        }
    }

    /// Every conversation in a folder, with its file name.
    pub fn all(folder: &Path) -> Vec<(String, Conversation)> {
        let mut paths: Vec<_> = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
        paths.sort();
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let read = |path: &Path| Conversation::read(&crate::home::read(path)).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        paths.iter().map(|path| (name(path), read(path))).collect()
    }

    /// The texts of all sections of this name.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.sections.iter().filter(|section| section.name == name).map(|section| section.text.clone()).collect()
    }
}
