//! Chunks: pieces of a file that make sense by themselves. Each line belongs to the innermost cut around it; lines in a row that
//! belong together are a piece, with the comments above it; a long one is cut by lines, and every part keeps the name.

use crate::syntax::Cut;

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
pub fn cut(text: &str, cuts: &[Cut]) -> Vec<Piece> {
    let lines: Vec<&str> = text.lines().collect();
    let mut runs: Vec<(usize, Option<usize>)> = Vec::new();
    for (line, owner) in owners(&lines, cuts).into_iter().enumerate() {
        if runs.last().is_none_or(|(_, last)| *last != owner) {
            runs.push((line, owner));
        }
    }
    let says_something = |from: usize, to: usize| lines[from..to].iter().any(|line| line.chars().any(char::is_alphanumeric));
    let ends: Vec<usize> = runs.iter().skip(1).map(|(start, _)| *start).chain([lines.len()]).collect();
    let mut position = 0;
    // A closing brace or an empty line belongs to what was before it.
    runs.retain(|(start, _)| {
        position += 1;
        position == 1 || says_something(*start, ends[position - 1])
    });
    let mut pieces = Vec::new();
    for (position, (start, owner)) in runs.iter().enumerate() {
        let end = runs.get(position + 1).map_or(lines.len(), |(next, _)| *next);
        let cut = owner.map(|owner| &cuts[owner]);
        for first in (*start..end).step_by(CHUNK_LINES_MAX) {
            let last = end.min(first + CHUNK_LINES_MAX);
            pieces.push(Piece {
                name: cut.map_or_else(String::new, |cut| cut.name.clone()),
                kind: cut.map_or("text", |cut| cut.kind),
                first_line: u32::try_from(first + 1).unwrap_or(u32::MAX),
                last_line: u32::try_from(last).unwrap_or(u32::MAX),
                text: shortened(lines[first..last].join("\n")),
            });
        }
    }
    pieces
}

fn shortened(text: String) -> String {
    // Counting letters is for those that may have too many.
    let end = if text.len() > CHUNK_CHARS_MAX { text.char_indices().nth(CHUNK_CHARS_MAX) } else { None };
    match end {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

/// The innermost cut around each line.
fn owners(lines: &[&str], cuts: &[Cut]) -> Vec<Option<usize>> {
    let mut owners = vec![None; lines.len()];
    for (index, cut) in cuts.iter().enumerate() {
        let first = cut.first_line as usize - 1;
        let next = || cuts[index + 1..].iter().find(|next| next.last_line.is_none()).map(|next| next.first_line as usize - 1);
        let last = cut.last_line.map_or_else(|| next().unwrap_or(lines.len()), |line| line as usize).min(lines.len());
        let lowest = index.checked_sub(1).map_or(0, |before| cuts[before].first_line as usize);
        owners[above(lines, first, lowest).min(last)..last].fill(Some(index));
    }
    owners
}

/// The first line of the comments and attributes directly above a definition.
fn above(lines: &[&str], line: usize, lowest: usize) -> usize {
    let belongs = |line: &str| ["#", "//", "/*", "*", "@", "--"].iter().any(|mark| line.trim_start().starts_with(mark));
    let mut start = line;
    while start > lowest && belongs(lines[start - 1]) {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(path: &str, text: &str) -> Vec<(String, u32, u32)> {
        let syntax = crate::read(path, text);
        cut(text, &syntax.cuts).into_iter().map(|piece| (piece.name, piece.first_line, piece.last_line)).collect()
    }

    #[test]
    fn a_definition_keeps_its_decorators_and_its_body() {
        let text = "import x\n\n# why\n@cached\ndef a():\n    def inner():\n        pass\n\nclass B:\n    pass\n";
        assert_eq!(shape("a.py", text), [(String::new(), 1, 2), ("a".into(), 3, 8), ("B".into(), 9, 10)]);
    }

    #[test]
    fn a_class_is_its_head_and_each_of_its_methods() {
        let text = "class A:\n    x = 1\n\n    def one(self):\n        pass\n\n    def two(self):\n        pass\n";
        assert_eq!(shape("a.py", text), [("A".into(), 1, 3), ("A.one".into(), 4, 6), ("A.two".into(), 7, 8)]);
        let text = "struct S;\n\nimpl S {\n    /// Why.\n    fn f() {\n    }\n}\n";
        assert_eq!(shape("a.rs", text), [("S".into(), 1, 2), ("S".into(), 3, 3), ("S.f".into(), 4, 7)]);
    }

    #[test]
    fn a_text_is_cut_at_its_headings() {
        let text = "intro\n\n# One\n\ntext\n\n## Two\n\nmore\n";
        assert_eq!(shape("a.md", text), [(String::new(), 1, 2), ("One".into(), 3, 6), ("Two".into(), 7, 9)]);
    }

    #[test]
    fn the_pieces_cover_the_file_in_order() {
        for path in ["a.py", "a.unknown"] {
            let text: String =
                (0..500).map(|number| if number % 37 == 0 { format!("def f{number}():\n") } else { "    x\n".into() }).collect();
            let pieces = shape(path, &text);
            assert_eq!(pieces.first().map(|piece| piece.1), Some(1));
            assert_eq!(pieces.last().map(|piece| piece.2), Some(500));
            assert!(pieces.windows(2).all(|pair| pair[0].2 + 1 == pair[1].1));
            assert!(pieces.iter().all(|piece| piece.2 - piece.1 < 60));
        }
    }

    #[test]
    fn an_empty_file_has_no_pieces() {
        assert!(shape("a.py", "").is_empty());
    }
}
