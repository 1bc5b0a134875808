//! Every script in `tests/conversations/bot` comes out as it is written, played by the real program. `ATELIER_TEST_ONLY=07` plays one of
//! them (or several, with commas), `ATELIER_TEST_RECORD=1` writes what was seen into the files, to be read before it is kept.

use std::sync::Arc;
use tests::bot_conversation::{FOLDER, Script, difference, play};
use tests::home::read;
use tests::root;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Scripts that are played at one time. Each is mostly waiting for Telegram's pace.
const AT_ONE_TIME: usize = 6;
/// Fewer than this would mean that some got lost.
const SCRIPTS_MIN: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bot_conversation_comes_out_as_written() {
    let all = Script::all(&root().join(FOLDER));
    assert!(all.len() >= SCRIPTS_MIN, "scripts are missing");
    let only = std::env::var("ATELIER_TEST_ONLY").unwrap_or_default();
    let is_chosen = |script: &Script| only.is_empty() || only.split(',').any(|start| script.name().starts_with(start));
    let (room, mut under_way) = (Arc::new(Semaphore::new(AT_ONE_TIME)), JoinSet::new());
    for script in all.into_iter().filter(is_chosen) {
        let room = room.clone();
        under_way.spawn(async move {
            let _place = room.acquire().await.expect("it is never closed");
            let here = Handle::current();
            // A thread of its own: what panics there is told with the others.
            let played = tokio::task::spawn_blocking(move || (here.block_on(play(&script)), script)).await;
            played.map_err(|panic| panic.to_string()).and_then(|(played, script)| compare(&script, played))
        });
    }
    let mut failures: Vec<String> = under_way.join_all().await.into_iter().filter_map(Result::err).collect();
    failures.sort();
    assert!(failures.is_empty(), "{} conversations went another way:\n\n{}", failures.len(), failures.join("\n\n"));
}

fn compare(script: &Script, played: Result<Vec<tests::bot_conversation::Entry>, String>) -> Result<(), String> {
    let name = script.name();
    let found = script.with(&played.map_err(|why| format!("{name}: {why}"))?);
    let expected = read(&script.path);
    if expected == found {
        return Ok(());
    }
    if std::env::var("ATELIER_TEST_RECORD").is_ok() {
        return std::fs::write(&script.path, found).map_err(|error| format!("{name}: {error}"));
    }
    Err(format!("{name} ({}):\n{}", script.title, difference(&expected, &found)))
}
