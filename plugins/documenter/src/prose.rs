//! What the model writes: design and user manual, each in a fence under its name, and what is looked at before they are kept.

use crate::diagram;
use crate::facts::fence;
use atelier_sdk::fences::{Part, parts};

/// The documents that are asked for, in order.
pub const DESIGN: &str = "design.md";
/// See [`DESIGN`].
pub const MANUAL: &str = "user_manual.md";
/// A document with less says nothing.
const CHARS_MIN: usize = 200;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prose {
    /// How the project works inside.
    pub design: String,
    /// How it is used.
    pub manual: String,
}

/// Both documents, or what is wrong with the reply.
pub fn read(reply: &str) -> Result<Prose, String> {
    let (mut design, mut manual, mut name) = (None, None, None);
    for part in parts(reply) {
        match part {
            Part::Line(line) => {
                let word = line.trim().trim_matches(['*', '`', '#', ':', ' ']).trim_start_matches("docs/");
                name = [DESIGN, MANUAL].into_iter().find(|known| *known == word).or(name.filter(|_| line.trim().is_empty()));
            }
            Part::Block { open: true, .. } => return Err("the last document was cut off; be briefer".to_owned()),
            Part::Block { text, .. } => match name.take() {
                Some(DESIGN) => design = Some(text),
                Some(_) => manual = Some(text),
                None => return Err(format!("a block has no `{DESIGN}` or `{MANUAL}` on the line before its fence")),
            },
        }
    }
    let whole = |text: Option<String>, name: &str| match text {
        Some(text) if text.trim().len() >= CHARS_MIN => Ok(text),
        Some(_) => Err(format!("`{name}` says too little")),
        None => Err(format!("`{name}` is missing: its name on a line of its own, then the document between fences of four backticks")),
    };
    Ok(Prose { design: whole(design, DESIGN)?, manual: whole(manual, MANUAL)? })
}

/// What a reader would stumble over: diagrams that do not draw, and files that are not there.
pub fn problems(prose: &Prose, files: &[String]) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    let mut drawn = 0;
    for (name, text) in [(DESIGN, &prose.design), (MANUAL, &prose.manual)] {
        for part in parts(text) {
            if let Part::Block { info: "mermaid", text, .. } = part {
                drawn += 1;
                problems.extend(diagram::problem(&text).map(|why| format!("{name}: {why}")));
            }
        }
        problems.extend(unknown_files(text, files).into_iter().map(|path| format!("{name}: there is no file `{path}` in the project")));
    }
    if drawn == 0 {
        problems.push(format!("{DESIGN}: it has no diagram in a fence with the word mermaid"));
    }
    problems
}

/// The documents without the diagrams that do not draw: one that is missing is better than one that is broken.
pub fn without_broken_diagrams(text: &str) -> String {
    let is_broken = |part: &Part| matches!(part, Part::Block { info: "mermaid", text, .. } if diagram::problem(text).is_some());
    if !parts(text).iter().any(is_broken) {
        return text.to_owned();
    }
    let mut out = String::new();
    for part in parts(text).into_iter().filter(|part| !is_broken(part)) {
        match part {
            Part::Line(line) => out.push_str(&format!("{line}\n")),
            Part::Block { info, text, .. } => {
                let fence = fence(&text);
                out.push_str(&format!("{fence}{info}\n{text}{fence}\n"));
            }
        }
    }
    out
}

/// What is written as a path of the project and is none: with a folder that the project has.
fn unknown_files(text: &str, files: &[String]) -> Vec<String> {
    let folders: Vec<&str> = files.iter().filter_map(|path| Some(path.split_once('/')?.0)).collect();
    let mut unknown: Vec<String> = Vec::new();
    for part in parts(text) {
        let Part::Line(line) = part else { continue };
        for word in line.split('`').skip(1).step_by(2) {
            let is_path = word.split_once('/').is_some_and(|(folder, _)| folders.contains(&folder))
                && word.rsplit('/').next().is_some_and(|name| name.contains('.'))
                && !word.contains([' ', '*', '<', '{', '$']);
            if is_path && !files.iter().any(|path| path == word) && !unknown.iter().any(|known| known == word) {
                unknown.push(word.to_owned());
            }
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(design: &str, manual: &str) -> String {
        let pad = "word ".repeat(50);
        format!("design.md\n````markdown\n{design}\n{pad}\n````\n\n**user_manual.md**\n````markdown\n{manual}\n{pad}\n````\n")
    }

    #[test]
    fn both_documents_are_read_with_the_fences_inside_them() {
        let prose = read(&reply("# Design\n```mermaid\nflowchart LR\nA --> B\n```", "# Manual\n```sh\npython3 a.py\n```")).expect("prose");
        assert!(prose.design.contains("A --> B\n```") && prose.manual.contains("python3 a.py\n```"));
        assert_eq!(problems(&prose, &[]), Vec::<String>::new());
    }

    #[test]
    fn what_can_not_be_used_is_told_with_what_would() {
        for (reply, words) in [
            ("Here you are.", "`design.md` is missing"),
            ("design.md\n````\nshort\n````", "says too little"),
            ("````\nx\n````", "no `design.md` or `user_manual.md`"),
            ("design.md\n````\nx", "cut off"),
        ] {
            assert!(read(reply).is_err_and(|why| why.contains(words)), "{reply}");
        }
    }

    #[test]
    fn a_diagram_that_does_not_draw_and_a_file_that_is_not_there_are_found() {
        let broken = "# Design\n```mermaid\nflowchart LR\nA[b (c)] --> D\n```\nSee `src/a.py` and `src/b.py`, and `other/c.py`.";
        let prose = read(&reply(broken, "# Manual")).expect("prose");
        let found = problems(&prose, &["src/a.py".to_owned()]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("into quotes") && found[1].contains("`src/b.py`"));
        let kept = without_broken_diagrams(&prose.design);
        assert!(!kept.contains("mermaid") && kept.contains("See `src/a.py`"));
        let list = "1. one\n   ```sh\n   ls\n   ```\n";
        assert_eq!(without_broken_diagrams(list), list, "what is good stays as it was written");
    }

    #[test]
    fn a_design_without_a_diagram_is_incomplete() {
        let prose = read(&reply("# Design", "# Manual")).expect("prose");
        assert!(problems(&prose, &[]).iter().any(|why| why.contains("no diagram")));
    }
}
