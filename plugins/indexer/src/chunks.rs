//! Chunks: pieces of a file that make sense by themselves. A new one begins at every outer definition, with the comments and
//! decorators above it; a long one is cut at its inner definitions, or by lines.

use crate::definitions::Definition;

/// A chunk that fits a screen or two.
const CHUNK_LINES_MAX: usize = 60;
/// A chunk's text; a file of one endless line is cut as well.
const CHUNK_CHARS_MAX: usize = 6_000;

/// A piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The definition's name, or empty.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// From 1.
    pub first_line: u32,
    /// Inclusive.
    pub last_line: u32,
    /// The lines.
    pub text: String,
}

/// Cuts the file; the pieces cover it in order.
pub fn cut(text: &str, definitions: &[Definition]) -> Vec<Piece> {
    let lines: Vec<&str> = text.lines().collect();
    let outer = definitions.iter().map(|definition| definition.indent).min().unwrap_or(0);
    let mut starts: Vec<(usize, Option<&Definition>)> = Vec::new();
    for definition in definitions {
        let line = definition.line as usize - 1;
        let since = starts.last().map_or(0, |(start, _)| *start);
        if definition.indent == outer || line - since >= CHUNK_LINES_MAX / 2 {
            let start = above(&lines, line, since + usize::from(!starts.is_empty()));
            if starts.last().is_none_or(|(last, _)| *last < start) {
                starts.push((start, Some(definition)));
            }
        }
    }
    if starts.first().is_none_or(|(start, _)| *start > 0) {
        starts.insert(0, (0, None));
    }
    let mut pieces = Vec::new();
    for (position, (start, definition)) in starts.iter().enumerate() {
        let end = starts.get(position + 1).map_or(lines.len(), |(next, _)| *next);
        for first in (*start..end).step_by(CHUNK_LINES_MAX) {
            let last = end.min(first + CHUNK_LINES_MAX);
            pieces.push(Piece {
                name: definition.map_or_else(String::new, |definition| definition.name.clone()),
                kind: definition.map_or("text", |definition| definition.kind),
                first_line: u32::try_from(first + 1).unwrap_or(u32::MAX),
                last_line: u32::try_from(last).unwrap_or(u32::MAX),
                text: lines[first..last].join("\n").chars().take(CHUNK_CHARS_MAX).collect(),
            });
        }
    }
    pieces
}

/// The first line of the comments and decorators directly above a definition.
fn above(lines: &[&str], line: usize, lowest: usize) -> usize {
    let belongs = |line: &str| ["#", "//", "/*", "*", "@", "--", "\"\"\""].iter().any(|mark| line.trim_start().starts_with(mark));
    let mut start = line;
    while start > lowest && belongs(lines[start - 1]) {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::find;

    fn shape(path: &str, text: &str) -> Vec<(String, u32, u32)> {
        cut(text, &find(path, text)).into_iter().map(|piece| (piece.name, piece.first_line, piece.last_line)).collect()
    }

    #[test]
    fn a_definition_keeps_its_decorators_and_its_body() {
        let text = "import x\n\n# why\n@cached\ndef a():\n    def inner():\n        pass\n\nclass B:\n    pass\n";
        assert_eq!(shape("a.py", text), [(String::new(), 1, 2), ("a".into(), 3, 8), ("B".into(), 9, 10)]);
    }

    #[test]
    fn the_pieces_cover_the_file_in_order() {
        let text: String = (0..500).map(|number| if number % 37 == 0 { format!("def f{number}():\n") } else { "    x\n".into() }).collect();
        let pieces = shape("a.py", &text);
        assert_eq!(pieces.first().map(|piece| piece.1), Some(1));
        assert_eq!(pieces.last().map(|piece| piece.2), Some(500));
        assert!(pieces.windows(2).all(|pair| pair[0].2 + 1 == pair[1].1));
        assert!(pieces.iter().all(|piece| piece.2 - piece.1 < 60));
    }

    #[test]
    fn an_empty_file_has_no_pieces() {
        assert!(shape("a.py", "").is_empty());
    }
}
