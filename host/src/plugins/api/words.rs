//! Words from guests, made safe to store and to show. A guest may repeat what a model said, and a model what a stranger wrote: a
//! control sequence could hide a price on a terminal, a line break could forge a section of a report, and eight megabytes of
//! summary would be written with every change of the project.

/// One line without control characters, at most so long.
pub fn line(text: &str, chars_max: usize) -> String {
    let flat = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter });
    flat.filter(|letter| !is_unsafe(*letter)).take(chars_max).collect::<String>().trim().to_owned()
}

/// Some lines without control characters, at most so long.
pub fn prose(text: &str, chars_max: usize) -> String {
    text.chars().filter(|letter| matches!(letter, '\n' | '\t') || !is_unsafe(*letter)).take(chars_max).collect()
}

/// As [`line`], for lists, at most so many.
pub fn lines(texts: Vec<String>, count_max: usize, chars_max: usize) -> Vec<String> {
    texts.iter().take(count_max).map(|text| line(text, chars_max)).collect()
}

/// Control characters, and those that turn the direction of writing.
fn is_unsafe(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_but_words() {
        assert_eq!(line("cheap\u{1b}[8m and\r\nhidden\u{202e}", 100), "cheap[8m and  hidden");
        assert_eq!(prose("one\n\ttwo\u{1b}[2J\r", 100), "one\n\ttwo[2J");
        assert_eq!(line("abcdef", 3), "abc");
    }
}
