//! The bot, from an idea to a finished project in one chat: the real program, a strict double of Telegram's server and a model.

use atelier_host::app::Reader;
use std::io::Cursor;
use std::process::Command;
use std::time::Duration;
use telegram_double::{Options, Shown, TelegramServer};
use tests::home::{Home, assert_agrees, assert_audit};
use tests::people::with_button;
use tests::program::Worker;
use tests::workshop::{Tasks, Workshop};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn telegram() -> (TelegramServer, Home) {
    let telegram = TelegramServer::start(Options::default()).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_TELEGRAM_TOKEN", telegram.token.clone()));
    home.variables.push(("ATELIER_TELEGRAM_API_URL", telegram.url.clone()));
    home.variables.push(("ATELIER_TELEGRAM_USERS", "*".to_owned()));
    (telegram, home)
}

pub(crate) fn said(shown: &[Shown], words: &str) -> usize {
    shown.iter().filter(|message| message.from_bot && message.text.contains(words)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idea_becomes_a_zip_without_leaving_the_chat() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::from_millis(50)).await;
    let (telegram, home) = telegram().await;
    home.environment(&workshop.server.url);
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    telegram.says(chat, ada, "/start");
    telegram.wait_for(chat, |shown| said(shown, "Tell me your idea") == 1, PATIENCE).await;
    telegram.says(chat, ada, "parts");
    telegram.wait_for(chat, |shown| said(shown, "I am thinking about it") == 1, PATIENCE).await;
    let shown = telegram.wait_for(chat, |shown| with_button(shown, "Approve").is_some(), PATIENCE).await;
    let (plan, approve) = with_button(&shown, "Approve").expect("it is there");
    assert!(plan.text.contains("Price") && plan.text.contains("part_1() is 1."), "{}", plan.text);
    assert!(shown.iter().any(|message| message.document.as_ref().is_some_and(|document| document.name == "plan.md")));
    telegram.presses(chat, ada, plan.message_id, &approve);
    let zip =
        |shown: &[Shown]| shown.iter().any(|message| message.document.as_ref().is_some_and(|document| document.name.ends_with(".zip")));
    let is_over = |shown: &[Shown]| zip(shown) && said(shown, "is done") == 1 && said(shown, "2 of 2 tasks done") == 1;
    let shown = telegram.wait_for(chat, is_over, PATIENCE).await;
    assert_eq!(telegram.answered_callbacks().len(), 1, "the button stopped turning");
    let status: Vec<_> = shown.iter().filter(|message| message.text.contains("tasks done")).collect();
    assert_eq!(status.len(), 1, "one message that changes");
    let received = shown.iter().filter_map(|message| message.document.as_ref()).find(|document| document.name.ends_with(".zip"));
    let folder = home.beside("received");
    let bytes = received.expect("it came").bytes.clone();
    zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip").extract(&folder).expect("unpacked");
    let program = "from part_1 import part_1; from part_2 import part_2; print(part_1() + part_2())";
    let ran = Command::new("python3").args(["-c", program]).current_dir(folder.join("parts")).output().expect("python3 runs");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "3\n", "what came runs: {ran:?}");
    assert_eq!(worker.stop().await, Some(0));
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    assert_audit(&reader.store, &[]).await;
    workshop.server.asked();
    assert_agrees(&reader.store, &workshop.server.log()).await;
    assert!(telegram.refused_calls().is_empty(), "{:?}", telegram.refused_calls());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_comes_twice_counts_once_and_a_strangers_button_does_nothing() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, home) = telegram().await;
    home.environment(&workshop.server.url);
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let (ada, eve) = (telegram.user("Ada"), telegram.user("Eve"));
    let (chat, other) = (telegram.private_chat(ada), telegram.private_chat(eve));
    let update = telegram.says(chat, ada, "parts");
    let shown = telegram.wait_for(chat, |shown| with_button(shown, "Approve").is_some(), PATIENCE).await;
    telegram.delivers_again(update);
    let (plan, approve) = with_button(&shown, "Approve").expect("it is there");
    let data = plan.data_of(&approve).expect("it has data").to_string();
    telegram.says(other, eve, "/start");
    let theirs = telegram.wait_for(other, |shown| said(shown, "Tell me your idea") == 1, PATIENCE).await;
    let message = theirs.iter().find(|message| message.from_bot).expect("the welcome").message_id;
    telegram.presses_data(other, eve, message, &data);
    tests::until(async || {
        telegram.answered_callbacks().iter().any(|answer| answer.text.as_deref().is_some_and(|text| text.contains("Only the person")))
    })
    .await;
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    let projects = reader.store.history(10).await.expect("a listing");
    assert_eq!((projects.len(), projects[0].phase.as_str()), (1, "quoted"));
    assert_eq!(worker.stop().await, Some(0));
    assert_eq!(said(&telegram.chat(chat), "I am thinking about it"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_answer_in_the_persons_language_whatever_the_state() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, home) = telegram().await;
    home.environment(&workshop.server.url);
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    for (command, words) in [
        ("/status", "no project yet"),
        ("/credits", "You have"),
        ("/history", "no project yet"),
        ("/new", "What shall I build"),
        ("/help", "What I can do"),
        ("/cancel", "no project yet"),
    ] {
        let before = telegram.chat(chat).len();
        telegram.says(chat, ada, command);
        telegram.wait_for(chat, |shown| said(&shown[before.min(shown.len())..], words) == 1, PATIENCE).await;
    }
    assert_eq!(worker.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_told_the_way_in_and_has_nothing_to_spend() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let (telegram, mut home) = telegram().await;
    home.variables.push(("ATELIER_TELEGRAM_USERS", "1, 2".to_owned()));
    home.environment(&workshop.server.url);
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let eve = telegram.user("Eve");
    let chat = telegram.private_chat(eve);
    telegram.says(chat, eve, "build me something");
    let shown = telegram.wait_for(chat, |shown| said(shown, "not open to everybody") == 1, PATIENCE).await;
    assert!(shown.iter().any(|message| message.text.contains(&eve.to_string())), "{shown:?}");
    assert_eq!(worker.stop().await, Some(0));
    assert!(workshop.server.asked().is_empty());
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    assert!(reader.store.history(1).await.expect("a listing").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_is_killed_again_and_again_builds_one_project_and_loses_no_word() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::from_millis(200)).await;
    let (telegram, home) = telegram().await;
    home.environment(&workshop.server.url);
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    telegram.says(chat, ada, "parts");
    let is_over = |shown: &[Shown]| said(shown, "is done") >= 1;
    let mut pressed = false;
    for life in 0_u64..40 {
        let worker = Worker::start_with_bot(&home, &workshop.server.url);
        // Each lives a little longer than the one before, and is killed.
        tokio::time::sleep(Duration::from_millis(300 + 150 * life)).await;
        drop(worker);
        let shown = telegram.chat(chat);
        if let (false, Some((plan, approve))) = (pressed, with_button(&shown, "Approve")) {
            telegram.presses(chat, ada, plan.message_id, &approve);
            pressed = true;
        }
        if is_over(&shown) {
            break;
        }
    }
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let shown = telegram.wait_for(chat, is_over, PATIENCE).await;
    drop(worker);
    for words in ["I am thinking about it", "On it.", "is done"] {
        // A word that had just left when the process died is said once more.
        assert!((1..=2).contains(&said(&shown, words)), "{words}: {}", said(&shown, words));
    }
    let reader = Reader::open(home.settings(&workshop.server.url)).await.expect("the store");
    assert_eq!(reader.store.history(10).await.expect("a listing").len(), 1);
    assert_audit(&reader.store, &[]).await;
}
