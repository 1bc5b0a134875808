//! The parts of `documentation/bot_ux_design.md` that are made from the program and the scripts: the commands, the texts, the states and
//! the conversations. Each stands between two marks; what is around them is written by hand.

use crate::bot_conversation::{FOLDER, Script, written};
use crate::home::read;
use crate::root;
use atelier_host::chat::{COMMANDS, Language, Texts};
use std::collections::BTreeMap;

/// The document, below the checkout.
pub const DOCUMENT: &str = "documentation/bot_ux_design.md";

/// The document with every made part made anew.
pub fn renewed(document: &str) -> String {
    let parts = [("commands", commands()), ("texts", texts()), ("conversations", conversations())];
    parts.iter().fold(document.to_owned(), |text, (name, part)| {
        let (begin, end) = (format!("<!-- made from the code: {name} -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{DOCUMENT} has no mark `{}`", begin.trim()));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{DOCUMENT} has no mark `{end}`"));
        format!("{before}{begin}\n{part}\n{end}{after}")
    })
}

/// The chat's menu, in its order.
fn commands() -> String {
    let (english, german) = (Texts(Language::English), Texts(Language::German));
    let line = |name: &&str| {
        let text = format!("command-{name}");
        format!("| /{name} | {} | {} |\n", english.plain(&text), german.plain(&text))
    };
    format!("| command | in the menu | auf Deutsch |\n| --- | --- | --- |\n{}", COMMANDS.iter().map(line).collect::<String>())
}

/// Every text by its name.
fn texts() -> String {
    let table = |language: &str| -> BTreeMap<String, String> {
        let text = read(&root().join(format!("host/src/chat/texts/{language}.toml")));
        toml::from_str(&text).expect("the texts can be read")
    };
    let german = table("de");
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;").replace('\n', "<br>");
    let line = |(name, text): (&String, &String)| {
        let other = german.get(name).map(String::as_str).unwrap_or_default();
        format!("| `{name}` | {} | {} |\n", cell(text), cell(other))
    };
    format!("| name | English | Deutsch |\n| --- | --- | --- |\n{}", table("en").iter().map(line).collect::<String>())
}

/// Every script.
fn conversations() -> String {
    let scripts = Script::all(&root().join(FOLDER));
    let told = scripts.iter().enumerate().map(|(at, script)| {
        let settings: String = script.settings.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect();
        let settings = if settings.is_empty() { settings } else { format!("{settings}\n") };
        format!("### {}. {}\n\n{}\n\n{settings}```text\n{}```\n", at + 1, script.title, script.about(), written(&script.entries))
    });
    told.collect::<Vec<_>>().join("\n")
}
