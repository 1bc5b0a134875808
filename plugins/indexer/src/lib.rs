//! The shipped indexer: cuts a file into chunks at its definitions, by lines, indentation and braces. It understands no grammar,
//! so it works on every language a little and fails on none; every file takes one pass over its lines.

pub mod chunks;
pub mod definitions;

use atelier_sdk::indexer::{Chunk, FileIndex, Guest, Symbol};

/// The chunker of this crate, as the host calls it.
pub struct Indexer;

impl Guest for Indexer {
    fn index_file(path: String, text: String) -> FileIndex {
        let definitions = definitions::find(&path, &text);
        let references = definitions::mentions(&text, &definitions);
        let chunks = chunks::cut(&text, &definitions);
        let symbol = |found: definitions::Definition| Symbol { name: found.name, kind: found.kind.to_owned(), line: found.line };
        FileIndex {
            chunks: chunks
                .into_iter()
                .map(|chunk| Chunk {
                    name: chunk.name,
                    kind: chunk.kind.to_owned(),
                    first_line: chunk.first_line,
                    last_line: chunk.last_line,
                    text: chunk.text,
                })
                .collect(),
            references: references.into_iter().map(|(name, line)| Symbol { name, kind: "mention".to_owned(), line }).collect(),
            definitions: definitions.into_iter().map(symbol).collect(),
            parse_errors: Vec::new(),
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    #![expect(unsafe_code, reason = "generated: the component's entry points")]
    use super::Indexer;
    atelier_sdk::indexer::export!(Indexer with_types_in atelier_sdk::indexer);
}
