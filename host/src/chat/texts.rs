//! Every word that the bot says, by name and language. The files beside this one can be read and mended without knowing the code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language of the bot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Complete, and what stands in where another one is silent.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// By the code that Telegram tells, such as `de` or `de-AT`.
    pub fn of(code: &str) -> Language {
        match code.split(['-', '_']).next() {
            Some("de") => Language::German,
            _ => Language::English,
        }
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::German => "de",
        }
    }
}

type Table = BTreeMap<String, String>;

fn read(text: &str) -> Table {
    toml::from_str(text).expect("the texts are part of the program, and a test reads them")
}

static ENGLISH: LazyLock<Table> = LazyLock::new(|| read(include_str!("texts/en.toml")));
static GERMAN: LazyLock<Table> = LazyLock::new(|| read(include_str!("texts/de.toml")));

/// The texts of one language.
#[derive(Clone, Copy, Debug, Default)]
pub struct Texts(pub Language);

impl Texts {
    /// The text of this name with everything in braces filled in, escaped.
    pub fn say(self, name: &str, fill: &[(&str, &str)]) -> String {
        let filled: Vec<(&str, String)> = fill.iter().map(|(name, value)| (*name, escape(value))).collect();
        self.fill(name, &filled)
    }

    /// The text of this name where there is no markup: on a button, in a menu.
    pub fn plain(self, name: &str) -> String {
        self.fill(name, &[])
    }

    /// As [`Texts::say`], with parts that are texts of ours already.
    pub fn compose(self, name: &str, parts: &[(&str, &str)]) -> String {
        let parts: Vec<(&str, String)> = parts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.fill(name, &parts)
    }

    fn fill(self, name: &str, parts: &[(&str, String)]) -> String {
        let own = match self.0 {
            Language::English => None,
            Language::German => GERMAN.get(name),
        };
        let pattern = own.or_else(|| ENGLISH.get(name)).map_or(name, String::as_str);
        // Piece by piece, so that braces in what is filled in mean nothing.
        let (mut text, mut rest) = (String::with_capacity(pattern.len()), pattern);
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let Some((hole, after)) = after.split_once('}') else {
                rest = after;
                break;
            };
            text.push_str(parts.iter().find(|(name, _)| *name == hole).map_or("", |(_, value)| value));
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

/// Text as Telegram's HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A line of an agent's words as Telegram's HTML, with what stands between backticks as code.
pub fn prose(text: &str) -> String {
    let (mut html, mut rest) = (String::new(), text);
    while let Some((before, code, after)) = rest.split_once('`').and_then(|(before, rest)| {
        let (code, after) = rest.split_once('`')?;
        (!code.is_empty()).then_some((before, code, after))
    }) {
        html.push_str(&format!("{}<code>{}</code>", escape(before), escape(code)));
        rest = after;
    }
    html + &escape(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn where_there_is_no_markup_there_is_none_in_the_text() {
        for (name, text) in ENGLISH.iter().chain(GERMAN.iter()) {
            let is_bare = ["command-", "phase-"].iter().any(|start| name.starts_with(start));
            let is_button = [
                "skip",
                "enough",
                "stale",
                "foreign",
                "change",
                "cancel",
                "try-again",
                "give-up",
                "send-again",
                "offer-over",
                "invoice-description",
                "checkout-unknown",
                "checkout-foreign",
                "checkout-busy",
            ];
            if is_bare || is_button.contains(&name.as_str()) {
                assert!(!text.contains(['<', '&', '{']), "{name}");
            }
        }
    }

    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_language_says_the_same_things_and_fills_in_the_same() {
        for (name, text) in GERMAN.iter() {
            let english = ENGLISH.get(name).unwrap_or_else(|| panic!("`{name}` has no English"));
            assert_eq!(holes(text), holes(english), "{name}");
        }
        let missing: Vec<_> = ENGLISH.keys().filter(|name| !GERMAN.contains_key(*name)).collect();
        assert!(missing.is_empty(), "without German: {missing:?}");
    }

    #[test]
    fn what_agents_put_between_backticks_is_code_and_nothing_else_is_markup() {
        assert_eq!(prose("`a <b>` & `c`"), "<code>a &lt;b&gt;</code> &amp; <code>c</code>");
        for text in ["no code", "one ` alone", "`` nothing ``"] {
            assert_eq!(prose(text), text);
        }
    }

    #[test]
    fn what_is_filled_in_is_no_markup_and_no_pattern() {
        let text = Texts(Language::English).say("resumed", &[("title", "<b>{phase}</b> & more")]);
        assert_eq!(text, "<b>&lt;b&gt;{phase}&lt;/b&gt; &amp; more</b> goes on.");
    }
}
