//! What comes in the name of Telegram: read or left alone, and answered like any words.

#![no_main]

use atelier_host::chat::{Expecting, Language, Situation, Texts, respond};
use atelier_host::ledger::NanoUsd;
use atelier_host::telegram::Me;
use atelier_host::telegram::incoming::{Deed, said};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|text: &str| -> Corpus {
    let Ok(update) = serde_json::from_str(text) else { return Corpus::Reject };
    let me = Me { id: 42, name: "atelier_bot".to_owned() };
    let Some(said) = said(&me, update) else { return Corpus::Keep };
    let Deed::Spoke(heard, _) = &said.deed else { return Corpus::Keep };
    for expecting in [Expecting::Idea, Expecting::default()] {
        let situation = Situation {
            texts: Texts(Language::of(&said.language)),
            person: said.user,
            allowed: true,
            is_operator: true,
            is_group: said.is_group,
            credits: (NanoUsd(1_000_000_000), NanoUsd(0)),
            limit: NanoUsd(1_000_000),
            current: None,
            owns: false,
            listed: Vec::new(),
            under_way: (0, 3),
            expecting,
            bot: me.name.clone(),
            stats: None,
            offers: Vec::new(),
            bought: Vec::new(),
        };
        for message in respond(&situation, heard).say {
            assert!(!message.html.contains("<script"), "words of people are escaped");
        }
    }
    Corpus::Keep
});
