//! An indexer: it cuts every file into pieces of as many lines, and takes the word behind `def`, `fn`, `function` or `class` for a name.

use atelier_sdk::indexer::{Chunk, FileIndex, Guest, Symbol};

const LINES: usize = 40;
const BEFORE_NAMES: &[&str] = &["def", "fn", "function", "class"];

/// The plugin, as the host calls it.
pub struct Plugin;

impl Guest for Plugin {
    fn index_file(_path: String, text: String) -> FileIndex {
        index(&text)
    }
}

/// Everything that the index wants to know of a text.
pub fn index(text: &str) -> FileIndex {
    let lines: Vec<&str> = text.lines().collect();
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let chunk = |(at, lines): (usize, &[&str])| Chunk {
        name: String::new(),
        kind: "text".to_owned(),
        first_line: number(at * LINES + 1),
        last_line: number(at * LINES + lines.len()),
        text: lines.join("\n"),
    };
    let name = |(at, line): (usize, &&str)| {
        let mut words = line
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .skip_while(|word| !BEFORE_NAMES.contains(word));
        let (kind, name) = (words.next()?, words.next().filter(|name| !name.is_empty())?);
        Some(Symbol {
            name: name.to_owned(),
            kind: kind.to_owned(),
            line: number(at + 1),
        })
    };
    FileIndex {
        chunks: lines.chunks(LINES).enumerate().map(chunk).collect(),
        definitions: lines.iter().enumerate().filter_map(name).collect(),
        references: Vec::new(),
        parse_errors: Vec::new(),
    }
}

#[cfg(target_arch = "wasm32")]
mod exports {
    use super::Plugin;
    atelier_sdk::indexer::export!(Plugin with_types_in atelier_sdk::indexer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_file_and_names_are_found() {
        let index = index(&format!("def greet():\n{}", "    pass\n".repeat(LINES)));
        let lines: Vec<(u32, u32)> = index
            .chunks
            .iter()
            .map(|chunk| (chunk.first_line, chunk.last_line))
            .collect();
        assert_eq!(lines, [(1, 40), (41, 41)]);
        assert_eq!(
            index
                .definitions
                .iter()
                .map(|symbol| symbol.name.as_str())
                .collect::<Vec<_>>(),
            ["greet"]
        );
    }
}
