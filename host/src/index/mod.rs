//! What the code base says: lexical search, names and a map of the last accepted files. The indexer plugin cuts files into
//! chunks; [`crate::store::index`] keeps them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Hits of one answer; more would only fill a prompt.
pub const HITS_MAX: u32 = 50;
/// A map's size, in tokens.
pub const MAP_TOKENS_MAX: u32 = 8_000;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The definition's name, or empty.
    pub name: String,
    /// From 1.
    pub first_line: u32,
    /// Inclusive.
    pub last_line: u32,
    /// The lines.
    pub text: String,
}

/// A name at a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbol {
    /// As written.
    pub name: String,
    /// Such as `function`.
    pub kind: String,
    /// From 1.
    pub line: u32,
}

/// What the indexer found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIndex {
    /// In line order.
    pub chunks: Vec<Chunk>,
    /// Names that it defines.
    pub definitions: Vec<Symbol>,
    /// Names that it mentions.
    pub references: Vec<Symbol>,
}

/// A place in the code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The file.
    pub path: String,
    /// From 1.
    pub first_line: u32,
    /// Inclusive.
    pub last_line: u32,
    /// The definition's name, or empty.
    pub name: String,
    /// The lines.
    pub text: String,
    /// Larger is better.
    pub score: f32,
}

/// Hits, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Which accepted state was searched.
    pub generation: u64,
    /// Files not read yet.
    pub pending_files: u32,
    /// Best first.
    pub hits: Vec<Hit>,
}

/// The words of code and prose: identifiers as they are and split at `_`, `-` and changes of case, all in lower case.
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for token in text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|token| !token.is_empty()) {
        words.push(token.to_lowercase());
        let parts = split_identifier(token);
        if parts.len() > 1 {
            words.extend(parts);
        }
    }
    words
}

fn split_identifier(token: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut previous = '_';
    for letter in token.chars() {
        let starts = previous == '_' || (letter.is_uppercase() && !previous.is_uppercase()) || letter.is_numeric() != previous.is_numeric();
        if letter != '_' {
            if starts || parts.is_empty() {
                parts.push(String::new());
            }
            if let Some(part) = parts.last_mut() {
                part.extend(letter.to_lowercase());
            }
        }
        previous = letter;
    }
    parts
}

/// A definition as the store lists it: path, name, kind, line, and how often other files mention it.
pub type Definition = (String, String, String, u32, i64);

/// Definitions within a token budget: files named in `near` first, then the most mentioned names.
pub fn map(definitions: &[Definition], near: &[String], budget_tokens: u32) -> String {
    let mut ranked: Vec<_> = definitions.iter().collect();
    ranked.sort_by_key(|(path, _, _, line, mentions)| (!near.contains(path), -mentions, path.clone(), *line));
    let mut chosen: Vec<&Definition> = Vec::new();
    let mut files = BTreeSet::new();
    let mut tokens = 0;
    for definition in ranked {
        let (path, name, kind, ..) = definition;
        let new_file = files.insert(path);
        tokens +=
            crate::ledger::estimate_tokens(&format!("  {kind} {name}\n")) + u64::from(new_file) * crate::ledger::estimate_tokens(path);
        if tokens > u64::from(budget_tokens.min(MAP_TOKENS_MAX)) {
            break;
        }
        chosen.push(definition);
    }
    chosen.sort_by_key(|(path, _, _, line, _)| (path.clone(), *line));
    let mut text = String::new();
    let mut file = "";
    for (path, name, kind, line, _) in chosen {
        if path != file {
            text.push_str(&format!("{path}\n"));
            file = path;
        }
        text.push_str(&format!("  {line}: {kind} {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_found_whole_and_in_parts() {
        assert_eq!(words("parseHTTPHeader(line_no)"), ["parsehttpheader", "parse", "httpheader", "line_no", "line", "no"]);
        assert_eq!(words("a.b"), ["a", "b"]);
        assert_eq!(words("utf8 = 'Zoë'"), ["utf8", "utf", "8", "zoë"]);
    }

    #[test]
    fn a_map_keeps_its_budget_and_puts_near_files_first() {
        let definition = |path: &str, name: &str, mentions| (path.to_owned(), name.to_owned(), "function".to_owned(), 1, mentions);
        let all = [definition("far.py", "popular", 9), definition("near.py", "local", 0)];
        assert_eq!(map(&all, &["near.py".into()], 9), "near.py\n  1: function local\n");
        assert!(map(&all, &[], 1000).contains("popular"));
        assert_eq!(map(&all, &[], 0), "");
    }
}
