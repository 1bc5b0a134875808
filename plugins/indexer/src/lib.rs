//! The shipped indexer: parses a file with tree-sitter and cuts it into chunks at its definitions. A file in a language without a
//! grammar here, or one that does not parse, is read by the shape of its lines instead, so every file has its place in the index.

pub mod chunks;
pub mod languages;
pub mod lines;
pub mod syntax;

use atelier_sdk::indexer::{Chunk, FileIndex, Guest, Symbol};
use syntax::{Definition, Syntax};

/// A file of which more than one part in so many can't be read by its grammar is read by its lines.
const UNREAD_PARTS: usize = 3;
/// Bytes a line, on average, from which a file was written by a program for a program.
const MINIFIED_LINE_BYTES: usize = 400;

/// The chunker of this crate, as the host calls it.
pub struct Indexer;

/// Reads a file with its grammar, else by its lines.
pub fn read(path: &str, text: &str) -> Syntax {
    let is_minified = text.len() > MINIFIED_LINE_BYTES * (text.lines().count() + 8);
    let Some(grammar) = languages::of(path).filter(|_| !is_minified) else { return lines::read(path, text) };
    let Some(tree) = syntax::parse(&grammar, text) else { return lines::read(path, text) };
    let syntax = syntax::walk(&grammar, &tree, text);
    if syntax.unread_bytes > text.len() / UNREAD_PARTS {
        return Syntax { errors: syntax.errors, ..lines::read(path, text) };
    }
    syntax
}

impl Guest for Indexer {
    fn index_file(path: String, text: String) -> FileIndex {
        let syntax = read(&path, &text);
        let symbol = |found: Definition| Symbol { name: found.name, kind: found.kind.to_owned(), line: found.line };
        FileIndex {
            chunks: chunks::cut(&text, &syntax.cuts)
                .into_iter()
                .map(|chunk| Chunk {
                    name: chunk.name,
                    kind: chunk.kind.to_owned(),
                    first_line: chunk.first_line,
                    last_line: chunk.last_line,
                    text: chunk.text,
                })
                .collect(),
            references: syntax.mentions.into_iter().map(|(name, line)| Symbol { name, kind: "mention".to_owned(), line }).collect(),
            definitions: syntax.definitions.into_iter().map(symbol).collect(),
            parse_errors: syntax.errors.into_iter().map(symbol).collect(),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    #![expect(unsafe_code, reason = "generated: the component's entry points")]
    use super::Indexer;
    atelier_sdk::indexer::export!(Indexer with_types_in atelier_sdk::indexer);
}

#[cfg(test)]
mod tests;
