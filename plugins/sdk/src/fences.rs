//! Reads replies in fenced text. Code travels between fences of backticks, never inside JSON; a longer fence holds a shorter one,
//! so a file with fences of its own survives.

/// A line outside any fence, or a whole fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// One line of prose.
    Line(&'a str),
    /// What stands between two fences.
    Block {
        /// What follows the opening fence, such as `python`.
        info: &'a str,
        /// The lines between, each ended by `\n`.
        text: String,
        /// Whether the closing fence is missing, as in a reply that was cut off.
        open: bool,
    },
}

/// The parts of a reply, in order.
pub fn parts(reply: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = reply.lines();
    while let Some(line) = lines.next() {
        let Some(ticks) = fence(line) else {
            parts.push(Part::Line(line));
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let info = line.trim_start().trim_start_matches('`').trim();
        let (mut text, mut open) = (String::new(), true);
        for inner in lines.by_ref() {
            if fence(inner).is_some_and(|count| count >= ticks) && inner.trim().chars().all(|letter| letter == '`') {
                open = false;
                break;
            }
            // A block inside a list is indented as a whole.
            let blank = inner.chars().take(indent).take_while(|letter| *letter == ' ').count();
            text.push_str(&inner[blank..]);
            text.push('\n');
        }
        parts.push(Part::Block { info, text, open });
    }
    parts
}

/// How many backticks open this line, if it is a fence.
fn fence(line: &str) -> Option<usize> {
    let count = line.trim_start().chars().take_while(|letter| *letter == '`').count();
    (count >= 3).then_some(count)
}

/// A fence that is longer than any inside this text.
pub fn around(text: &str) -> String {
    let longest = text.lines().filter_map(fence).max().unwrap_or(3);
    "`".repeat((longest + 1).max(4))
}

/// `key: value`, with the key in any case, and either of them perhaps in bold.
pub fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (found, value) = line.trim().trim_start_matches(['*', '#', ' ']).split_once(':')?;
    if !found.trim().trim_end_matches('*').eq_ignore_ascii_case(key) {
        return None;
    }
    let value = value.trim();
    let whole = value.strip_prefix("**").and_then(|rest| rest.strip_suffix("**"));
    Some(whole.or(value.strip_prefix("** ")).unwrap_or(value).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let reply = "a.md\n````markdown\n```sh\nls\n```\n````\nend";
        let block = Part::Block { info: "markdown", text: "```sh\nls\n```\n".into(), open: false };
        assert_eq!(parts(reply), [Part::Line("a.md"), block, Part::Line("end")]);
    }

    #[test]
    fn a_block_that_was_cut_off_is_marked_open() {
        assert_eq!(parts("```py\nx"), [Part::Block { info: "py", text: "x\n".into(), open: true }]);
    }

    #[test]
    fn the_fence_around_a_text_is_longer_than_any_in_it() {
        assert_eq!(around("x\n`````\n"), "``````");
        assert_eq!(around("x"), "````");
    }

    #[test]
    fn fields_are_found_in_any_dress() {
        assert_eq!(field("**Title:** A b", "title"), Some("A b"));
        assert_eq!(field("title : x: y", "title"), Some("x: y"));
        assert_eq!(field("Title: **A b**", "title"), Some("A b"));
        assert_eq!(field("files: a, b/**", "files"), Some("a, b/**"));
        assert_eq!(field("titles: x", "title"), None);
    }
}
