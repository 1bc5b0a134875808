//! Telegram's `parse_mode` HTML, read as its own parser reads it, with its complaints and their byte offsets. It knows a handful of
//! tags and refuses every other one; it makes no document, only plain text and entities. See `text`.

use crate::text::{Entity, units};

/// The tags that Telegram knows, and the entity that each makes. `a`, `pre`, `span` and `blockquote` say more in attributes.
const TAGS: [(&str, &str); 16] = [
    ("b", "bold"),
    ("strong", "bold"),
    ("i", "italic"),
    ("em", "italic"),
    ("u", "underline"),
    ("ins", "underline"),
    ("s", "strikethrough"),
    ("strike", "strikethrough"),
    ("del", "strikethrough"),
    ("a", "text_link"),
    ("code", "code"),
    ("pre", "pre"),
    ("blockquote", "blockquote"),
    ("tg-spoiler", "spoiler"),
    ("span", "spoiler"),
    ("expandable", "expandable_blockquote"),
];

/// The plain text and its entities, or what is wrong. With `strict` it also refuses what Telegram only advises against.
pub(crate) fn parse(text: &str, strict: bool) -> Result<(String, Vec<Entity>), String> {
    Parser { source: text.as_bytes(), text, strict, plain: String::new(), entities: Vec::new(), open: Vec::new() }.run()
}

/// A tag that waits for its end.
struct Open {
    tag: String,
    argument: String,
    offset: usize,
}

struct Parser<'a> {
    source: &'a [u8],
    text: &'a str,
    strict: bool,
    plain: String,
    entities: Vec<Entity>,
    open: Vec<Open>,
}

impl Parser<'_> {
    /// The byte there, or 0 after the end, as Telegram's own parser reads it.
    fn byte(&self, at: usize) -> u8 {
        self.source.get(at).copied().unwrap_or(0)
    }

    fn past_spaces(&self, mut at: usize) -> usize {
        while self.byte(at).is_ascii_whitespace() {
            at += 1;
        }
        at
    }

    /// The first place from here on that ends a word.
    fn past_word(&self, mut at: usize, ends: &[u8]) -> usize {
        while at < self.source.len() && !self.byte(at).is_ascii_whitespace() && !ends.contains(&self.byte(at)) {
            at += 1;
        }
        at
    }

    fn run(mut self) -> Result<(String, Vec<Entity>), String> {
        let mut at = 0;
        while let Some(letter) = self.text[at..].chars().next() {
            match letter {
                '<' if self.byte(at + 1) == b'/' => at = self.end_tag(at)?,
                '<' => at = self.start_tag(at)?,
                '&' => match character(&self.text[at..]) {
                    Some((decoded, length)) => {
                        self.plain.push(decoded);
                        at += length;
                    }
                    None if self.strict => return Err(format!("Unsupported or unescaped \"&\" at byte offset {at}")),
                    None => {
                        self.plain.push('&');
                        at += 1;
                    }
                },
                '>' if self.strict => return Err(format!("Unescaped \">\" at byte offset {at}")),
                _ => {
                    self.plain.push(letter);
                    at += letter.len_utf8();
                }
            }
        }
        if let Some(open) = self.open.last() {
            return Err(format!("Can't find end tag corresponding to start tag \"{}\"", open.tag));
        }
        // Sorted as Telegram sorts: what begins first, and of these what holds the others.
        self.entities.sort_by_key(|entity| (entity.offset, std::cmp::Reverse(entity.length)));
        Ok((self.plain, self.entities))
    }

    fn start_tag(&mut self, begin: usize) -> Result<usize, String> {
        let mut at = self.past_word(begin + 1, b">");
        if at >= self.source.len() {
            return Err(format!("Unclosed start tag at byte offset {begin}"));
        }
        let tag = self.text[begin + 1..at].to_ascii_lowercase();
        if tag == "expandable" || !TAGS.iter().any(|(known, _)| *known == tag) {
            return Err(format!("Unsupported start tag \"{tag}\" at byte offset {begin}"));
        }
        let unclosed = || format!("Unclosed start tag \"{tag}\" at byte offset {begin}");
        let mut argument = String::new();
        loop {
            at = self.past_spaces(at);
            if self.byte(at) == b'>' {
                break;
            }
            let name_begin = at;
            at = self.past_word(at, b"=>/\"'");
            let name = &self.text[name_begin..at];
            if at >= self.source.len() {
                return Err(unclosed());
            }
            if name.is_empty() {
                return Err(format!("Empty attribute name in the tag \"{tag}\" at byte offset {begin}"));
            }
            at = self.past_spaces(at);
            if self.byte(at) != b'=' {
                if tag == "blockquote" && name == "expandable" {
                    argument = "expandable".to_owned();
                }
                continue;
            }
            at = self.past_spaces(at + 1);
            if at >= self.source.len() {
                return Err(unclosed());
            }
            let value;
            (value, at) = self.attribute_value(at)?;
            if at >= self.source.len() {
                return Err(unclosed());
            }
            match (tag.as_str(), name) {
                ("a", "href") => argument = value,
                ("code", "class") => argument = value.strip_prefix("language-").map(str::to_owned).unwrap_or(argument),
                ("span", "class") => argument = value.strip_prefix("tg-").map(str::to_owned).unwrap_or(argument),
                ("blockquote", "expandable") => argument = "expandable".to_owned(),
                _ => {}
            }
        }
        if tag == "span" && argument != "spoiler" {
            return Err(format!("Tag \"span\" must have class \"tg-spoiler\" at byte offset {begin}"));
        }
        self.open.push(Open { tag, argument, offset: units(&self.plain) });
        Ok(at + 1)
    }

    /// The value of an attribute, and where it ends.
    fn attribute_value(&self, begin: usize) -> Result<(String, usize), String> {
        let quote = self.byte(begin);
        if quote != b'"' && quote != b'\'' {
            let mut at = begin;
            while self.byte(at).is_ascii_alphanumeric() || matches!(self.byte(at), b'.' | b'-') {
                at += 1;
            }
            if !self.byte(at).is_ascii_whitespace() && self.byte(at) != b'>' {
                return Err(format!("Unexpected end of name token at byte offset {begin}"));
            }
            return Ok((self.text[begin..at].to_ascii_lowercase(), at));
        }
        let (mut value, mut at) = (String::new(), begin + 1);
        while let Some(letter) = self.text[at..].chars().next() {
            if letter == char::from(quote) {
                return Ok((value, at + 1));
            }
            let (decoded, length) = character(&self.text[at..]).filter(|_| letter == '&').unwrap_or((letter, letter.len_utf8()));
            value.push(decoded);
            at += length;
        }
        Ok((value, at))
    }

    fn end_tag(&mut self, begin: usize) -> Result<usize, String> {
        let Some(open) = self.open.pop() else { return Err(format!("Unexpected end tag at byte offset {begin}")) };
        let at = self.past_word(begin + 2, b">");
        let found = self.text[begin + 2..at].to_ascii_lowercase();
        let at = self.past_spaces(at);
        if self.byte(at) != b'>' {
            return Err(format!("Unclosed end tag at byte offset {begin}"));
        }
        if !found.is_empty() && found != open.tag {
            let expected = open.tag;
            return Err(format!("Unmatched end tag at byte offset {begin}, expected \"</{expected}>\", found \"</{found}>\""));
        }
        self.close(open);
        Ok(at + 1)
    }

    fn close(&mut self, open: Open) {
        let length = units(&self.plain) - open.offset;
        let known = TAGS.iter().find(|(tag, _)| *tag == if open.argument == "expandable" { "expandable" } else { &open.tag });
        let mut kind = known.map_or("", |(_, kind)| kind).to_owned();
        let mut argument = open.argument;
        if open.tag == "pre" || open.tag == "code" {
            // `<pre><code class="language-x">` is one block of code in a language.
            let inner = self.entities.last().filter(|last| open.tag == "pre" && last.kind == "code");
            if let Some(code) = inner.filter(|code| code.offset == open.offset && code.length == length) {
                argument = code.argument.clone();
                self.entities.pop();
            }
        } else if open.tag == "a" {
            // Without an address the text is the address, if it can be one.
            if argument.is_empty() {
                let shown: Vec<u16> = self.plain.encode_utf16().skip(open.offset).collect();
                argument = String::from_utf16_lossy(&shown);
            }
            if !argument.contains('.') && !argument.starts_with("tg://") && !argument.contains("://") {
                kind.clear();
            }
        } else {
            argument = String::new();
        }
        if length > 0 && !kind.is_empty() {
            self.entities.push(Entity { kind, offset: open.offset, length, argument });
        }
    }
}

/// The character that an entity at the beginning of this text stands for, and how many bytes it takes.
fn character(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('&')?;
    let (decoded, length) = if let Some(number) = rest.strip_prefix('#') {
        let (digits, radix, before) = match number.strip_prefix('x') {
            Some(digits) => (digits, 16, 3),
            None => (number, 10, 2),
        };
        let length = digits.chars().take_while(|digit| digit.is_digit(radix)).count();
        let decoded = u32::from_str_radix(&digits[..length], radix).ok().filter(|code| *code != 0).and_then(char::from_u32)?;
        (decoded, before + length)
    } else {
        let length = rest.chars().take_while(char::is_ascii_alphabetic).count();
        let decoded = match &rest[..length] {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            _ => return None,
        };
        (decoded, 1 + length)
    };
    // Telegram takes an entity without its semicolon as well.
    Some((decoded, length + usize::from(text.as_bytes().get(length) == Some(&b';'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<(String, usize, usize, String)>) {
        let (plain, entities) = parse(text, true).expect("well-formed HTML");
        (plain, entities.into_iter().map(|entity| (entity.kind, entity.offset, entity.length, entity.argument)).collect())
    }

    fn entity(kind: &str, offset: usize, length: usize, argument: &str) -> (String, usize, usize, String) {
        (kind.to_owned(), offset, length, argument.to_owned())
    }

    #[test]
    fn every_documented_tag_makes_its_entity() {
        for (tag, kind) in TAGS.iter().filter(|(tag, _)| !["a", "span", "expandable"].contains(tag)) {
            assert_eq!(read(&format!("<{tag}>x</{tag}>")), ("x".to_owned(), vec![entity(kind, 0, 1, "")]));
        }
        assert_eq!(read("<span class=\"tg-spoiler\">x</span>").1, [entity("spoiler", 0, 1, "")]);
        assert_eq!(read("<a href=\"https://a.b/?c=1&amp;d\">x</a>").1, [entity("text_link", 0, 1, "https://a.b/?c=1&d")]);
        assert_eq!(read("<blockquote expandable>x</blockquote>").1, [entity("expandable_blockquote", 0, 1, "")]);
        assert_eq!(read("<pre><code class=\"language-rust\">x</code></pre>").1, [entity("pre", 0, 1, "rust")]);
    }

    #[test]
    fn entities_are_counted_in_utf_16_code_units() {
        let (plain, entities) = read("🦀 <b>é<i>🦀</i></b>");
        assert_eq!(plain, "🦀 é🦀");
        assert_eq!(entities, [entity("bold", 3, 3, ""), entity("italic", 4, 2, "")]);
    }

    #[test]
    fn the_four_named_and_the_numeric_entities_are_decoded() {
        assert_eq!(read("&lt;&gt;&amp;&quot;&#39;&#x1F980;").0, "<>&\"'🦀");
    }

    #[test]
    fn each_fault_is_told_in_telegram_s_words() {
        for (text, words) in [
            ("a <div>", "Unsupported start tag \"div\" at byte offset 2"),
            ("<b>x", "Can't find end tag corresponding to start tag \"b\""),
            ("x</b>", "Unexpected end tag at byte offset 1"),
            ("<b><i>x</b></i>", "Unmatched end tag at byte offset 7, expected \"</i>\", found \"</b>\""),
            ("a < b", "Unsupported start tag \"\" at byte offset 2"),
            ("a <b", "Unclosed start tag at byte offset 2"),
            ("<b>x</b", "Unclosed end tag at byte offset 4"),
            ("<span>x</span>", "Tag \"span\" must have class \"tg-spoiler\" at byte offset 0"),
            ("<a href=\"x", "Unclosed start tag \"a\" at byte offset 0"),
            ("<a =x>y</a>", "Empty attribute name in the tag \"a\" at byte offset 0"),
        ] {
            assert_eq!(parse(text, true).expect_err(text), words, "{text}");
        }
    }

    #[test]
    fn what_is_not_escaped_is_refused_only_when_strict() {
        for text in ["a & b", "a > b", "&nbsp;", "&hellip;"] {
            parse(text, true).expect_err(text);
            assert_eq!(parse(text, false), Ok((text.to_owned(), Vec::new())));
        }
    }
}
