//! What a file defines and mentions, by the shape of its lines: for languages without a grammar here, and for files that do not parse.

use crate::syntax::{Cut, DEFINITIONS_MAX, Definition, MENTIONS_MAX, Syntax};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a line that are looked at; what is longer was not written by a person.
const LINE_CHARS_MAX: usize = 400;
/// A cut that is indented comes only after so many lines without one.
const LINES_BEFORE_INNER_CUT: u32 = 30;

/// Words that begin a definition, with what they define. Modifiers before them are skipped.
const KEYWORDS: &[(&str, &str)] = &[
    ("def", "function"),
    ("function", "function"),
    ("function*", "function"),
    ("fn", "function"),
    ("func", "function"),
    ("class", "class"),
    ("struct", "struct"),
    ("enum", "enum"),
    ("trait", "trait"),
    ("interface", "interface"),
    ("type", "type"),
    ("mod", "module"),
    ("const", "constant"),
    ("static", "constant"),
    ("let", "variable"),
    ("var", "variable"),
    ("macro_rules!", "macro"),
];
const MODIFIERS: &[&str] = &[
    "pub",
    "pub(crate)",
    "pub(super)",
    "export",
    "default",
    "async",
    "public",
    "private",
    "protected",
    "abstract",
    "final",
    "declare",
    "unsafe",
    "extern",
];

/// Reads the file, in one pass over its lines.
pub fn read(path: &str, text: &str) -> Syntax {
    let found = find(path, text);
    let outer = found.iter().map(|(_, indent)| *indent).min().unwrap_or(0);
    let mut cuts: Vec<Cut> = Vec::new();
    for (definition, indent) in &found {
        let since = definition.line - cuts.last().map_or(1, |cut| cut.first_line);
        if *indent == outer || since >= LINES_BEFORE_INNER_CUT {
            cuts.push(Cut { name: definition.name.clone(), kind: definition.kind, first_line: definition.line, last_line: None });
        }
    }
    let definitions: Vec<Definition> = found.into_iter().map(|(definition, _)| definition).collect();
    Syntax { mentions: mentions(text, &definitions), definitions, cuts, ..Syntax::default() }
}

/// The definitions of a file, each with how far it is indented.
fn find(path: &str, text: &str) -> Vec<(Definition, usize)> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, number) in text.lines().zip(1_u32..) {
        if found.len() >= DEFINITIONS_MAX {
            break;
        }
        let line: &str = line.char_indices().nth(LINE_CHARS_MAX).map_or(line, |(end, _)| &line[..end]);
        let indent = line.len() - line.trim_start().len();
        let name = match ending {
            "md" | "markdown" | "rst" | "txt" => {
                fenced ^= line.trim_start().starts_with("```");
                heading(line).filter(|_| !fenced)
            }
            "html" | "htm" => attribute(line, "id"),
            "css" | "scss" => rule(line),
            "toml" | "ini" | "cfg" => line.trim().strip_prefix('[').map(|rest| (rest.trim_matches(['[', ']']).to_owned(), "section")),
            "json" | "yaml" | "yml" => key(line).filter(|_| indent <= 2),
            _ => keyword(line, indent),
        };
        if let Some((name, kind)) = name.filter(|(name, _)| !name.is_empty()) {
            found.push((Definition { name, kind, line: number }, indent));
        }
    }
    found
}

fn keyword(line: &str, indent: usize) -> Option<(String, &'static str)> {
    let mut words = line.split_whitespace().skip_while(|word| MODIFIERS.contains(word));
    let first = words.next()?;
    let kind = KEYWORDS.iter().find(|(word, _)| *word == first).map(|(_, kind)| *kind)?;
    // A variable inside a function is no definition that anybody searches.
    if matches!(kind, "variable" | "constant" | "type") && indent > 0 {
        return None;
    }
    let mut name = words.next()?;
    if first == "func" && name.starts_with('(') {
        // Go's methods name their receiver first.
        name = line.split_once(')')?.1.trim_start();
    }
    if name == "mut" {
        name = words.next()?;
    }
    let name: String = name.chars().take_while(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '$')).collect();
    Some((name, kind))
}

fn heading(line: &str) -> Option<(String, &'static str)> {
    let rest = line.trim_start_matches('#');
    let depth = line.len() - rest.len();
    ((1..=6).contains(&depth) && rest.starts_with(' ')).then(|| (rest.trim().to_owned(), "section"))
}

fn attribute(line: &str, name: &str) -> Option<(String, &'static str)> {
    let rest = line.split_once(&format!("{name}=\""))?.1;
    Some((rest.split('"').next()?.to_owned(), "element"))
}

fn rule(line: &str) -> Option<(String, &'static str)> {
    let selector = line.trim_end().strip_suffix('{')?.trim();
    (!selector.is_empty()).then(|| (selector.to_owned(), "rule"))
}

fn key(line: &str) -> Option<(String, &'static str)> {
    let name = line.split_once(':')?.0.trim().trim_matches('"');
    let plain = name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.'));
    plain.then(|| (name.to_owned(), "key"))
}

/// Identifiers that a file uses and does not define, each with its first line.
fn mentions(text: &str, definitions: &[Definition]) -> BTreeMap<String, u32> {
    let own: BTreeSet<&str> = definitions.iter().map(|definition| definition.name.as_str()).collect();
    let mut found: BTreeMap<&str, u32> = BTreeMap::new();
    for (line, number) in text.lines().zip(1_u32..) {
        let line: &str = line.char_indices().nth(LINE_CHARS_MAX).map_or(line, |(end, _)| &line[..end]);
        for word in line.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
            let name = word.len() > 2 && word.chars().next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
            if name && !own.contains(word) && found.len() < MENTIONS_MAX {
                found.entry(word).or_insert(number);
            }
        }
    }
    found.into_iter().map(|(name, line)| (name.to_owned(), line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: &[(&str, &str, u32)]) {
        let found = find(path, text);
        let found: Vec<_> = found.iter().map(|(entry, _)| (entry.name.as_str(), entry.kind, entry.line)).collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn definitions_are_found_in_every_language() {
        check("a.py", "import os\nclass A(B):\n    async def run(self):\n        x = 1\n", &[("A", "class", 2), ("run", "function", 3)]);
        check(
            "a.js",
            "export default function go() {\n  const x = 1\n}\nexport const PI = 3\nclass B {}\n",
            &[("go", "function", 1), ("PI", "constant", 4), ("B", "class", 5)],
        );
        check("a.rs", "pub(crate) struct S<T>;\nimpl S {\n    pub fn f(&self) {}\n}\n", &[("S", "struct", 1), ("f", "function", 3)]);
        check("a.go", "func (s *Server) Run() {\n}\nfunc main() {\n}\n", &[("Run", "function", 1), ("main", "function", 3)]);
        check("a.md", "# One\n```\n# no\n```\n## Two\n", &[("One", "section", 1), ("Two", "section", 5)]);
        check("a.html", "<div class=\"x\" id=\"top\">\n", &[("top", "element", 1)]);
        check("a.css", "body, .x {\n  color: red;\n}\n", &[("body, .x", "rule", 1)]);
        check("a.toml", "[a.b]\nc = 1\n", &[("a.b", "section", 1)]);
        check("a.json", "{\n  \"name\": 1,\n    \"deep\": 2\n}\n", &[("name", "key", 2)]);
    }

    #[test]
    fn mentions_leave_own_names_out() {
        let found = read("a.py", "def own():\n    other(own)\n").mentions;
        assert_eq!(found, BTreeMap::from([("def".to_owned(), 1), ("other".to_owned(), 2)]));
    }

    #[test]
    fn a_hostile_line_costs_no_more_than_its_beginning() {
        let text = "{".repeat(1_000_000);
        assert!(find("a.js", &text).is_empty());
        assert!(mentions(&format!("x{}", "é".repeat(500_000)), &[]).len() <= 1);
    }
}
