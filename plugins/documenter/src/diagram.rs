//! Mermaid: nodes that say any text, and a look at diagrams that somebody else drew, since one that does not parse shows nothing at all.

use crate::facts::plain;

/// Kinds of diagrams that are in use everywhere.
const KINDS: &[&str] = &[
    "flowchart",
    "graph",
    "sequenceDiagram",
    "classDiagram",
    "stateDiagram-v2",
    "stateDiagram",
    "erDiagram",
    "journey",
    "mindmap",
    "timeline",
];
/// A node's words.
const LABEL_CHARS_MAX: usize = 60;

/// A node that says this text.
pub fn node(id: &str, text: &str) -> String {
    let short: String = text.lines().collect::<Vec<_>>().join(" ").chars().take(LABEL_CHARS_MAX).collect();
    let short = if short.chars().count() < text.chars().count() { format!("{}…", short.trim_end()) } else { short };
    format!("{}[\"{}\"]", plain(id), short.replace('"', "#quot;"))
}

/// Why a renderer would not draw this, as far as can be told from its text.
pub fn problem(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("%%"));
    let first = lines.next()?;
    let kind = first.split_whitespace().next().unwrap_or_default();
    if !KINDS.contains(&kind) {
        return Some(format!("a diagram begins with its kind, such as `flowchart LR`, not with `{first}`"));
    }
    if !matches!(kind, "flowchart" | "graph") {
        return None;
    }
    lines.find_map(|line| {
        let outside = without_quoted(line)?;
        let unbalanced = [('[', ']'), ('(', ')'), ('{', '}')].iter().any(|(open, close)| {
            let count = |wanted: char| outside.chars().filter(|letter| *letter == wanted).count();
            count(*open) != count(*close)
        });
        let bare = label(&outside).is_some_and(|label| label.contains(['(', ')', '{', '}', '[', ']']));
        (unbalanced || bare).then(|| format!("put the words of a node into quotes, as in A[\"words (and more)\"]: `{line}`"))
    })
}

/// The line with what is quoted taken out; nothing where a quote is never closed, which the balance would not show.
fn without_quoted(line: &str) -> Option<String> {
    let parts: Vec<&str> = line.split('"').collect();
    (parts.len() % 2 == 1).then(|| parts.into_iter().step_by(2).collect())
}

/// What stands between the first square bracket and the last one that belongs to it.
fn label(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('[')?;
    let (label, _) = rest.split_once(']')?;
    // A[(store)] and A[[part]] are shapes.
    let label = label.trim();
    let is_shape = (label.starts_with('(') && label.ends_with(')')) || label.starts_with('[') || label.starts_with('/');
    (!is_shape).then(|| label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_can_say_anything() {
        assert_eq!(node("R-1", "it says \"hi\" (twice)\nand more"), "R_1[\"it says #quot;hi#quot; (twice) and more\"]");
        assert!(node("R1", &"x".repeat(200)).len() < 80);
    }

    #[test]
    fn what_would_not_be_drawn_is_found() {
        for good in [
            "flowchart LR\n  A[\"reads (any) file\"] --> B(parser)\n  B --> C{ok?}",
            "flowchart TB\n  S[(store)] --> P[[part]]\n  subgraph one [name]\n  end",
            "sequenceDiagram\n  A->>B: call (with words)",
            "%% note\ngraph TD\nA --> B",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for (bad, words) in [
            ("A --> B", "begins with its kind"),
            ("flowchart LR\n  A[reads (any) file] --> B", "into quotes"),
            ("flowchart LR\n  A[reads --> B", "into quotes"),
        ] {
            assert!(problem(bad).is_some_and(|why| why.contains(words)), "{bad}");
        }
    }
}
