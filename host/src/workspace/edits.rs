//! Finds the place of a SEARCH/REPLACE edit. A ladder of ever more tolerant matches, because models misquote white space far
//! more often than words: exact lines, other indentation, a blank line more or less, `...` for what was left out; then it stops.
//! A text that occurs twice is refused on every rung: a guess would change the wrong place.

/// Lines of a file that are searched; longer files are data.
const LINES_MAX: usize = 50_000;
/// Lines of a search text. Longer ones are rewrites of the file.
const SEARCH_LINES_MAX: usize = 2_000;
/// Comparisons of lines that one edit may cost; a text and a file whose product is larger are refused.
const WORK_MAX: usize = 2_000_000;
/// A hint that is longer helps nobody.
const NEAREST_CHARS_MAX: usize = 4_000;
/// The line that stands for anything.
const ELISION: &str = "...";

/// One edit of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The lines to find.
    pub search: String,
    /// The lines to put there.
    pub replace: String,
}

/// An edit without a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditFailure {
    /// Why.
    pub reason: Reason,
    /// The lines that look most like the search text.
    pub nearest: String,
}

/// Why an edit was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The lines are not there.
    #[error("the search text was not found; copy the lines exactly as they are in the file")]
    NotFound,
    /// The lines are there more than once.
    #[error("the search text occurs more than once; add lines around it until it is unique")]
    Ambiguous,
    /// There is nothing to search for.
    #[error("the search text is empty; write the whole file instead")]
    EmptySearch,
    /// `...` in one text and not in the other.
    #[error("search and replace must have the same number of `...` lines")]
    ElisionMismatch,
    /// Too large.
    #[error("file or search text is too long to edit; write the whole file instead")]
    TooLong,
}

/// The text with the edit applied.
pub fn apply(text: &str, edit: &Edit) -> Result<String, EditFailure> {
    if edit.search.trim().is_empty() {
        return match text.is_empty() {
            true => Ok(edit.replace.clone()),
            false => Err(EditFailure { reason: Reason::EmptySearch, nearest: String::new() }),
        };
    }
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.lines().collect();
    let search: Vec<&str> = edit.search.lines().collect();
    let replace: Vec<&str> = edit.replace.lines().collect();
    if lines.len() > LINES_MAX || search.len() > SEARCH_LINES_MAX || lines.len() * search.len() > WORK_MAX {
        return Err(EditFailure { reason: Reason::TooLong, nearest: String::new() });
    }
    let result = place(&lines, &search, &replace).map_err(|reason| EditFailure {
        reason,
        nearest: if reason == Reason::NotFound { nearest(&lines, &search) } else { String::new() },
    })?;
    let mut new = result.join(ending);
    if !new.is_empty() && (text.ends_with('\n') || text.is_empty()) {
        new.push_str(ending);
    }
    Ok(new)
}

/// The rungs of the ladder, most exact first. The first that finds the text decides.
fn place(lines: &[&str], search: &[&str], replace: &[&str]) -> Result<Vec<String>, Reason> {
    if search.iter().any(|line| line.trim() == ELISION) {
        return elided(lines, search, replace);
    }
    if let Some(start) = unique(matches(lines, search, |left, right| left == right))? {
        return Ok(splice(lines, start, search.len(), replace.iter().map(|line| (*line).to_owned())));
    }
    if let Some(start) = unique(matches(lines, search, |left, right| left.trim() == right.trim()))?
        && let Some(shifted) = shift(&lines[start..start + search.len()], search, replace)
    {
        return Ok(splice(lines, start, search.len(), shifted.into_iter()));
    }
    let (trimmed, kept) = (trim_blank(search), trim_blank(replace));
    if !trimmed.is_empty() && trimmed.len() < search.len() {
        return place(lines, trimmed, kept);
    }
    Err(Reason::NotFound)
}

fn matches(lines: &[&str], search: &[&str], same: impl Fn(&str, &str) -> bool) -> Vec<usize> {
    if search.is_empty() || search.len() > lines.len() {
        return Vec::new();
    }
    // Two are enough to know that it is not unique.
    (0..=lines.len() - search.len())
        .filter(|start| search.iter().zip(&lines[*start..]).all(|(left, right)| same(left, right)))
        .take(2)
        .collect()
}

fn unique(found: Vec<usize>) -> Result<Option<usize>, Reason> {
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(Reason::Ambiguous),
    }
}

/// The replacement, indented as the file is where the search text was indented otherwise by the same amount everywhere.
fn shift(found: &[&str], search: &[&str], replace: &[&str]) -> Option<Vec<String>> {
    let indent = |line: &str| line[..line.len() - line.trim_start().len()].to_owned();
    let pairs: Vec<(String, String)> =
        found.iter().zip(search).filter(|(line, _)| !line.trim().is_empty()).map(|(file, search)| (indent(file), indent(search))).collect();
    let (file, quoted) = pairs.first()?;
    let (add, remove) = match (file.strip_suffix(quoted.as_str()), quoted.strip_suffix(file.as_str())) {
        (Some(add), _) => (add.to_owned(), String::new()),
        (None, Some(remove)) => (String::new(), remove.to_owned()),
        (None, None) => return None,
    };
    let uniform = pairs.iter().all(|(file, quoted)| *file == format!("{add}{}", quoted.strip_prefix(remove.as_str()).unwrap_or("\0")));
    uniform.then(|| {
        replace
            .iter()
            .map(|line| match line.trim().is_empty() {
                true => String::new(),
                false => format!("{add}{}", line.strip_prefix(remove.as_str()).unwrap_or(line)),
            })
            .collect()
    })
}

fn trim_blank<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    let start = usize::from(lines.first().is_some_and(|line| line.trim().is_empty()));
    let end = lines.len() - usize::from(lines.len() > start && lines.last().is_some_and(|line| line.trim().is_empty()));
    &lines[start..end]
}

/// `...` lines match anything between the parts around them, which must occur once each and in order.
fn elided(lines: &[&str], search: &[&str], replace: &[&str]) -> Result<Vec<String>, Reason> {
    let parts = |text: &[&str]| -> Vec<Vec<String>> {
        text.split(|line| line.trim() == ELISION).map(|part| part.iter().map(|line| (*line).to_owned()).collect()).collect()
    };
    let (wanted, put) = (parts(search), parts(replace));
    if wanted.len() != put.len() {
        return Err(Reason::ElisionMismatch);
    }
    let mut result: Vec<String> = Vec::new();
    let mut rest = 0;
    for (part, put) in wanted.iter().zip(&put) {
        if part.is_empty() {
            // Nothing stood before the first `...` or after the last; what the replacement has there is added in place.
            result.extend(put.iter().cloned());
            continue;
        }
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        let start = rest + unique(matches(&lines[rest..], &part, |left, right| left == right))?.ok_or(Reason::NotFound)?;
        result.extend(lines[rest..start].iter().map(|line| (*line).to_owned()));
        result.extend(put.iter().cloned());
        rest = start + part.len();
    }
    result.extend(lines[rest..].iter().map(|line| (*line).to_owned()));
    Ok(result)
}

fn splice(lines: &[&str], start: usize, count: usize, put: impl Iterator<Item = String>) -> Vec<String> {
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    owned(&lines[..start]).into_iter().chain(put).chain(owned(&lines[start + count..])).collect()
}

/// The place with the most equal lines, as a hint.
fn nearest(lines: &[&str], search: &[&str]) -> String {
    let score = |start: usize| {
        search.iter().zip(&lines[start..]).filter(|(left, right)| !left.trim().is_empty() && left.trim() == right.trim()).count()
    };
    let best = (0..lines.len()).map(|start| (score(start), start)).max_by_key(|(score, start)| (*score, std::cmp::Reverse(*start)));
    match best {
        Some((1.., start)) => {
            let near = &lines[start..lines.len().min(start + search.len())];
            near.iter().flat_map(|line| line.chars().chain(['\n'])).take(NEAREST_CHARS_MAX).collect::<String>().trim_end().to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, search: &str, replace: &str, expected: Result<&str, Reason>) {
        let result = apply(text, &Edit { search: search.into(), replace: replace.into() });
        assert_eq!(result.as_ref().map(String::as_str).map_err(|failure| failure.reason), expected, "{search:?} in {text:?}");
    }

    #[test]
    fn exact_lines_are_replaced() {
        check("a\nb\nc\n", "b\n", "x\ny\n", Ok("a\nx\ny\nc\n"));
        check("a\nb\nc\n", "b", "", Ok("a\nc\n"));
        check("a\nb", "b", "x", Ok("a\nx"));
        check("a\r\nb\r\n", "b\n", "x\n", Ok("a\r\nx\r\n"));
    }

    #[test]
    fn other_indentation_is_carried_over() {
        check("  if a:\n    b\n", "if a:\n  b\n", "if a:\n  c\n", Ok("  if a:\n    c\n"));
        check("if a:\n  b\n", "    if a:\n      b\n", "    if a:\n      c\n", Ok("if a:\n  c\n"));
    }

    #[test]
    fn a_blank_line_more_does_not_matter() {
        check("a\nb\n", "\nb\n\n", "\nx\n\n", Ok("a\nx\n"));
    }

    #[test]
    fn an_elision_stands_for_what_is_between() {
        check(
            "def f():\n  a\n  b\n  return 1\n",
            "def f():\n...\n  return 1\n",
            "def g():\n...\n  return 2\n",
            Ok("def g():\n  a\n  b\n  return 2\n"),
        );
        check("a\nb\n", "a\n...\nb\n", "x\n", Err(Reason::ElisionMismatch));
    }

    #[test]
    fn what_occurs_twice_is_refused_on_every_rung() {
        check("a\na\n", "a\n", "x\n", Err(Reason::Ambiguous));
        check("  a\n    a\n", "a\n", "x\n", Err(Reason::Ambiguous));
    }

    #[test]
    fn an_empty_search_only_fills_an_empty_file() {
        check("", "", "x\n", Ok("x\n"));
        check("a\n", " \n", "x\n", Err(Reason::EmptySearch));
    }

    #[test]
    fn a_miss_names_the_nearest_lines() {
        let failure = apply("one\ntwo\nthree\n", &Edit { search: "two\ndrei\n".into(), replace: String::new() }).expect_err("a failure");
        assert_eq!((failure.reason, failure.nearest.as_str()), (Reason::NotFound, "two\nthree"));
    }

    proptest! {
        #[test]
        fn an_exact_unique_line_is_replaced_like_text(before in prop::collection::vec("[a-c]{1,3}", 0..5), after in prop::collection::vec("[a-c]{1,3}", 0..5)) {
            let text = before.iter().chain([&"needle".to_owned()]).chain(&after).map(|line| format!("{line}\n")).collect::<String>();
            let result = apply(&text, &Edit { search: "needle\n".into(), replace: "thread\n".into() });
            prop_assert_eq!(result, Ok(text.replacen("needle\n", "thread\n", 1)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(a|b| |\\.\\.\\.|\n|\r|é){0,30}", search in "(a|b| |\\.\\.\\.|\n|é){0,12}", replace in "(a|b| |\\.\\.\\.|\n){0,12}") {
            let _ = apply(&text, &Edit { search, replace });
        }
    }
}
