//! The words of code and prose, as the index knows them: identifiers whole and in parts, in lower case, without what every file says.

/// Words that say nothing about where something is.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "def", "for", "from", "has", "have", "if", "in", "into", "is", "it", "its", "no",
    "none", "not", "of", "on", "or", "return", "returns", "self", "such", "that", "the", "their", "then", "there", "these", "this", "to",
    "was", "when", "which", "will", "with",
];
/// Different words of a query; more only make it slow.
const QUERY_WORDS_MAX: usize = 32;
/// Letters of a word; what is longer is data.
const WORD_BYTES_MAX: usize = 80;

/// What is kept of a text, as words between spaces. The index's own tokenizer takes them apart again and reduces them to their stems.
pub fn kept(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    each(text, |word| {
        if !is_stop_word(word) {
            kept.push_str(word);
            kept.push(' ');
        }
    });
    kept
}

/// The different words of a query, in its order. One of stop words alone is taken at its word.
pub fn of_query(query: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    each(query, |word| {
        if !all.iter().any(|known| known == word) {
            all.push(word.to_owned());
        }
    });
    let mut telling: Vec<String> = all.iter().filter(|word| !is_stop_word(word)).cloned().collect();
    if telling.is_empty() {
        telling = all;
    }
    telling.truncate(QUERY_WORDS_MAX);
    telling
}

fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Calls with every word: each identifier, then its parts where it has several.
fn each(text: &str, mut call: impl FnMut(&str)) {
    let mut lower = String::new();
    for token in text.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
        if token.is_empty() || token.len() > WORD_BYTES_MAX {
            continue;
        }
        lower.clear();
        let mut parts: Vec<usize> = vec![0];
        let mut previous = '_';
        let mut letters = token.chars().peekable();
        while let Some(letter) = letters.next() {
            let next_is_lower = letters.peek().is_some_and(|next| next.is_lowercase());
            // `parseHTTPHeader` has three parts: the last capital of a row begins a word.
            let starts =
                letter.is_uppercase() && (!previous.is_uppercase() || next_is_lower) || letter.is_numeric() != previous.is_numeric();
            let begins = if previous == '_' { !lower.is_empty() } else { starts };
            if letter != '_' && begins {
                parts.push(lower.len());
            }
            lower.extend(letter.to_lowercase());
            previous = letter;
        }
        call(&lower);
        parts.push(lower.len());
        let pieces = parts.windows(2).map(|pair| lower[pair[0]..pair[1]].trim_matches('_')).filter(|part| !part.is_empty());
        if pieces.clone().next() != Some(lower.as_str()) {
            pieces.for_each(&mut call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_found_whole_and_in_parts() {
        assert_eq!(of_query("parseHTTPHeader(line_no)"), ["parsehttpheader", "parse", "http", "header", "line_no", "line"]);
        assert_eq!(of_query("utf8 = 'Zoë'"), ["utf8", "utf", "8", "zoë"]);
        assert_eq!(of_query("__init__ _x"), ["__init__", "init", "_x", "x"]);
        assert_eq!(kept("Return the HTTPServer, please"), "httpserver http server please ");
    }

    #[test]
    fn a_query_of_stop_words_is_still_a_query() {
        assert_eq!(of_query("to be or not to be"), ["to", "be", "or", "not"]);
        assert!(of_query(" ?! ").is_empty());
        assert!(STOP_WORDS.is_sorted());
    }
}
