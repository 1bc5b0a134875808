//! Reads what the model wrote: a summary line, whole files and edits, each in a fence under its path.

use atelier_sdk::fences::{Part, field, parts};
use atelier_sdk::types::SourceFile;
use atelier_sdk::workspace::Edit;

const SEARCH: &str = "<<<<<<< SEARCH";
const DIVIDER: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";

/// What a reply asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// One line.
    pub summary: String,
    /// What the task left open and was decided.
    pub assumptions: Vec<String>,
    /// Files to write whole.
    pub files: Vec<SourceFile>,
    /// Places to change.
    pub edits: Vec<Edit>,
    /// A file whose text was cut off, so that it can be asked for again.
    pub cut: Option<String>,
}

/// The summary of a reply that holds nothing else: its writer sees nothing to change.
pub fn only_summary(reply: &str) -> Option<Changes> {
    let summary = reply.lines().find_map(|line| field(line, "summary")).filter(|summary| !summary.is_empty())?;
    let is_only = parts(reply).iter().all(|part| matches!(part, Part::Line(_)));
    is_only.then(|| Changes {
        summary: summary.to_owned(),
        assumptions: reply.lines().filter_map(assumption).collect(),
        ..Changes::default()
    })
}

/// What was assumed, in a line that says so. Some models write down that there is nothing.
fn assumption(line: &str) -> Option<String> {
    let text = field(line.trim_start_matches(['-', ' ']), "assumption")?.trim();
    let is_none =
        text.is_empty() || ["none", "(none)", "n/a", "-"].iter().any(|word| text.trim_end_matches('.').eq_ignore_ascii_case(word));
    (!is_none).then(|| text.to_owned())
}

/// The changes, or what is wrong with the reply.
pub fn read(reply: &str) -> Result<Changes, String> {
    let mut changes = Changes::default();
    let mut path: Option<String> = None;
    for part in parts(reply) {
        match part {
            Part::Line(line) if line.trim().is_empty() => {}
            Part::Line(line) => match (field(line, "summary"), assumption(line)) {
                (Some(summary), _) => summary.clone_into(&mut changes.summary),
                (None, Some(assumption)) => changes.assumptions.push(assumption),
                (None, None) => path = path_in(line).or(path),
            },
            Part::Block { info, text, open } => {
                // Some models put the path behind the fence.
                let path = path.take().or_else(|| info.split_whitespace().find_map(path_in));
                let Some(path) = path else {
                    return Err("a block has no path on the line before its fence".to_owned());
                };
                if text.contains(SEARCH) && (info.starts_with("edit") || text.trim_start().starts_with(SEARCH)) {
                    edits(&path, &text, open, &mut changes)?;
                } else if open {
                    changes.cut = Some(path);
                } else {
                    changes.files.push(SourceFile { path, text });
                }
            }
        }
    }
    if changes.files.is_empty() && changes.edits.is_empty() && changes.cut.is_none() {
        return Err(
            "the reply holds no file: write the path on a line of its own, then the file between fences of four backticks".to_owned()
        );
    }
    if changes.summary.is_empty() {
        let first = changes.files.first().map(|file| &file.path).or(changes.edits.first().map(|edit| &edit.path));
        changes.summary = first.map_or_else(|| "write the files".to_owned(), |path| format!("write {path}"));
    }
    Ok(changes)
}

/// A line that is nothing but a path, perhaps in some decoration.
fn path_in(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches('#').trim().trim_matches(['*', '`', ':', ' ']);
    let line = field(line, "file").or_else(|| field(line, "path")).unwrap_or(line);
    let plain =
        !line.is_empty() && line.len() < 200 && !line.contains(char::is_whitespace) && !line.contains(['(', ')', '<', '>', '"', ',']);
    let named = line.contains('.') || line.contains('/') || line.chars().next().is_some_and(char::is_uppercase);
    (plain && named && !line.starts_with('-')).then(|| line.trim_start_matches("./").to_owned())
}

fn edits(path: &str, text: &str, open: bool, changes: &mut Changes) -> Result<(), String> {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != SEARCH {
            continue;
        }
        let until = |end: &str, lines: &mut std::str::Lines<'_>| -> Option<String> {
            let mut found = String::new();
            for line in lines.by_ref() {
                if line.trim_end() == end {
                    return Some(found);
                }
                found.push_str(line);
                found.push('\n');
            }
            None
        };
        let parts = until(DIVIDER, &mut lines).and_then(|search| until(REPLACE, &mut lines).map(|replace| (search, replace)));
        match parts {
            Some((search, replace)) => changes.edits.push(Edit { path: path.to_owned(), search, replace }),
            None if open => changes.cut = Some(path.to_owned()),
            None => return Err(format!("an edit of `{path}` lacks its `{DIVIDER}` or `{REPLACE}` line")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_edits_are_told_apart() {
        let reply = "summary: did it\n\nsrc/a.py\n````python\nx = 1\n````\n\n**`b.py`**\n````edit\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n2\n=======\n>>>>>>> REPLACE\n````\nMakefile\n```\nall:\n```";
        let changes = read(reply).expect("changes");
        assert_eq!(changes.summary, "did it");
        assert_eq!(
            changes.files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect::<Vec<_>>(),
            [("src/a.py", "x = 1\n"), ("Makefile", "all:\n")]
        );
        let edit = |search: &str, replace: &str| Edit { path: "b.py".into(), search: search.into(), replace: replace.into() };
        assert_eq!(changes.edits, [edit("old\n", "new\n"), edit("2\n", "")]);
    }

    #[test]
    fn assumptions_are_told_from_paths() {
        let reply =
            "summary: s\nassumption: empty input is no error\n- **Assumption:** names are sorted\nassumption: none\na.py\n````\nx\n````";
        let changes = read(reply).expect("changes");
        assert_eq!(changes.assumptions, ["empty input is no error", "names are sorted"]);
        assert_eq!(changes.files[0].path, "a.py");
    }

    #[test]
    fn a_file_that_was_cut_off_is_not_taken_for_whole() {
        let changes = read("a.py\n````\nx\n````\nb.py\n````\nhalf").expect("changes");
        assert_eq!((changes.files.len(), changes.cut.as_deref()), (1, Some("b.py")));
    }

    #[test]
    fn a_path_behind_the_fence_or_with_words_around_is_found() {
        assert_eq!(read("````python src/a.py\nx\n````").expect("changes").files[0].path, "src/a.py");
        assert_eq!(read("File: ./a.py\n```\nx\n```").expect("changes").files[0].path, "a.py");
        assert!(read("Here is the code:\n```\nx\n```").is_err());
        assert!(read("nothing").is_err());
    }
}
