//! The document of the bot's conversations holds what the program and the scripts say today.

use tests::bot_document::{DOCUMENT, renewed};
use tests::home::read;
use tests::root;

#[test]
fn the_bots_document_is_as_it_would_be_made_anew() {
    let path = root().join(DOCUMENT);
    let (text, made) = (read(&path), renewed(&read(&path)));
    if text != made && std::env::var("ATELIER_TEST_RECORD").is_ok() {
        return std::fs::write(&path, made).expect("the document can be written");
    }
    assert!(text == made, "{DOCUMENT} is behind; `make bot-ux` renews it:\n{}", tests::bot_conversation::difference(&text, &made));
}
