//! What the bot says, in its outbox: said once, and not at all where people see it already.

use atelier_host::chat::Message;
use atelier_host::ledger::NanoUsd;
use atelier_host::project::State;
use atelier_host::store::Store;
use atelier_host::store::chats::{ChatEffect, Fate, Kind, Letter, Used, Waiting};
use tests::database::store;

const CHAT: i64 = 1001;
/// The number that Telegram gave the message.
const MESSAGE: i64 = 7;

fn status(words: &str) -> Letter {
    let message = Message::text(words.to_owned());
    Letter { name: "status.p".to_owned(), chat: CHAT, person: CHAT, project: None, kind: Kind::Status, message }
}

async fn write(store: &Store, words: &str) {
    let letters = vec![status(words)];
    store.have(&ChatEffect { letters, ..ChatEffect::default() }).await.expect("it is written");
}

async fn next(store: &Store) -> Option<Waiting> {
    store.to_send(10).await.expect("a look").pop()
}

/// Takes what waits, as if it were under way.
async fn begin(store: &Store) -> Waiting {
    let waiting = next(store).await.expect("something waits");
    store.sending(std::slice::from_ref(&waiting)).await.expect("it is marked");
    waiting
}

async fn end(store: &Store, waiting: Waiting, fate: Fate) {
    store.sent(&[(waiting, fate, String::new())]).await.expect("it is noted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_turns_back_before_it_was_shown_is_not_sent() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(directory.path()).await;
    write(&store, "waiting").await;
    let first = begin(&store).await;
    end(&store, first, Fate::Sent(MESSAGE, None)).await;
    // It goes on and stops again, faster than a status may change.
    write(&store, "building").await;
    assert_eq!(next(&store).await.expect("a change").message, Some(MESSAGE));
    write(&store, "waiting").await;
    assert!(next(&store).await.is_none(), "that is what people see");
    // While a change is under way, turning back is a change as well.
    write(&store, "building").await;
    let change = begin(&store).await;
    write(&store, "waiting").await;
    assert!(next(&store).await.is_none(), "one at a time");
    end(&store, change, Fate::Sent(MESSAGE, None)).await;
    let back = begin(&store).await;
    assert_eq!(back.letter, status("waiting"));
    // Nobody knows whether that arrived, so what was seen before is no reason to be silent.
    end(&store, back, Fate::Uncertain).await;
    write(&store, "building").await;
    assert_eq!(next(&store).await.expect("a change").letter, status("building"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_something_is_told_again_what_waits_even_if_that_was_looked_at_in_between() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(directory.path()).await;
    let person = store.person(CHAT, "en").await.expect("a person");
    store.welcome(&person, NanoUsd::credits(100)).await.expect("credits");
    let follow = Some((String::from("p1"), CHAT, CHAT));
    let chat = ChatEffect { follow, ..ChatEffect::default() };
    store.create_project_for(Some(&chat), "p1", &person.wallet, &State::new("an idea"), NanoUsd::credits(10)).await.expect("a project");
    let moved = store.moved(1).await.expect("a look").pop().expect("a project");
    assert!(store.told(&moved, 1, "what was told", false, &[]).await.expect("it is told"));
    assert!(store.moved(1).await.expect("a look").is_empty());
    // The deed moved the project, the chat was told of that, and only then its buttons are taken.
    store.have(&ChatEffect { used: Some(Used::Project("p1".to_owned())), ..ChatEffect::default() }).await.expect("an effect");
    let again = store.moved(1).await.expect("a look").pop().expect("it is told again");
    assert_eq!(again.told, "");
    assert!(store.told(&again, 1, "what was told", false, &[]).await.expect("it is told"));
    assert!(store.moved(1).await.expect("a look").is_empty(), "once");
}
