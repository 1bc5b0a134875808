//! What a model wrote, however odd: plans, files and edits are read or refused in words, and an edit changes what it says and no more.

#![no_main]

use atelier_architect::earlier::Earlier;
use atelier_architect::{command_text, plan_text};
use atelier_host::workspace::edits::{Edit, apply};
use atelier_implementer::reply;
use atelier_sdk::fences::{Part, around, parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = plan_text::read(text, &Earlier::default());
    let _ = command_text::commands(text);
    let _ = reply::only_summary(text);
    if let Ok(changes) = reply::read(text) {
        // Each edit, tried on each file of the reply.
        for edit in &changes.edits {
            let edit = Edit { search: edit.search.clone(), replace: edit.replace.clone() };
            for file in changes.files.iter().take(4) {
                let _ = apply(&file.text, &edit);
            }
        }
    }
    // A text between fences comes back as it was.
    let lines: String = text.replace('\r', "").lines().map(|line| format!("{line}\n")).collect();
    let fence = around(&lines);
    let fenced = format!("{fence}\n{lines}{fence}");
    assert_eq!(parts(&fenced), [Part::Block { info: "", text: lines.clone(), open: false }]);
    // Words that stand in a file once are found, and replaced there alone.
    if let Some((before, after)) = lines.split_once("\n\n")
        && let Ok(changed) = apply(&lines, &Edit { search: before.to_owned(), replace: "x".to_owned() })
    {
        assert!(changed.contains(after.trim()), "what was not searched for stays");
    }
});
