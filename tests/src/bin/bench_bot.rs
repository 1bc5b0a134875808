//! `make bench-bot [USERS=1000]`: so many people build a project each, with the real program in release, Telegram's flood limits on, and a
//! model that answers after a second, so that there is something to see while it works. First one comes every second, as in a quiet hour,
//! in which their statuses can change as they like; then ten a second, more than Telegram lets be answered at once, so that statuses wait.
//! What is measured is how long a person waits until the bot says that it heard them, and whether Telegram's limits are kept without
//! anything being lost.

use anyhow::{Result, ensure};
use atelier_host::app::Reader;
use std::collections::{HashMap, VecDeque};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use telegram_double::{LoggedCall, Options, TelegramServer};
use tests::home::{Home, assert_audit};
use tests::people::Person;
use tests::program::Worker;
use tests::workshop::{Tasks, Workshop};

/// The quiet time, and people who come in a second of it.
const QUIET_S: f64 = 60.0;
const QUIET_ARRIVALS_PER_S: f64 = 1.0;
/// People who come in a second afterwards.
const ARRIVALS_PER_S: f64 = 10.0;
/// A person looks at the chat so often, and needs that long to read a plan.
const LOOK_INTERVAL: Duration = Duration::from_millis(1_000);
const MODEL_DELAY: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);
/// What is held to be heard at once.
const HEARD_P95_MAX: Duration = Duration::from_millis(300);
/// Telegram's limits.
const CALLS_PER_S_MAX: usize = 30;
const CHAT_CALLS_PER_S_MAX: usize = 3;
/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(1_800);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let users = std::env::var("USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    match bench(users).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("a target is missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(users: usize) -> Result<bool> {
    let workshop = Workshop::new(2, Tasks::Apart, || MODEL_DELAY).await;
    let telegram = TelegramServer::start(Options::default()).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_TELEGRAM_TOKEN", telegram.token.clone()));
    home.variables.push(("ATELIER_TELEGRAM_API_URL", telegram.url.clone()));
    home.variables.push(("ATELIER_TELEGRAM_USERS", "*".to_owned()));
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let reader = loop {
        // The program makes the database.
        tokio::time::sleep(TICK * 10).await;
        let reader = Reader::open(home.settings(&workshop.server.url)).await?;
        if !reader.store.workers().await?.is_empty() {
            break reader;
        }
    };
    println!(
        "{users} people, one project of two tasks each; {QUIET_ARRIVALS_PER_S} a second for {QUIET_S} s, then {ARRIVALS_PER_S} a second"
    );
    let began = Instant::now();
    let mut people: Vec<(Person, Instant)> = Vec::new();
    let mut told = 0;
    while people.len() < users || people.iter().any(|(person, _)| !person.is_done()) {
        ensure!(began.elapsed() < PATIENCE, "somebody waits for ever:\n{}", telegram.transcript_text(people[0].0.chat));
        while people.len() < users && due(began.elapsed()) > people.len() as f64 {
            let mut person = Person::new(&telegram, &format!("P{}", people.len()), false);
            person.act(&telegram);
            people.push((person, Instant::now() + LOOK_INTERVAL));
        }
        let now = Instant::now();
        for (person, next) in people.iter_mut().filter(|(person, next)| !person.is_done() && *next <= now) {
            person.act(&telegram);
            *next = now + LOOK_INTERVAL;
        }
        if began.elapsed().as_secs() / 30 > told {
            told = began.elapsed().as_secs() / 30;
            let done = people.iter().filter(|(person, _)| person.is_done()).count();
            println!("{:>5} s: {:>5} came, {done:>5} have their files", told * 30, people.len());
        }
        tokio::time::sleep(TICK).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    while reader.store.outbox_count().await?.waiting > 0 {
        ensure!(began.elapsed() < PATIENCE, "the outbox does not empty");
        tokio::time::sleep(TICK * 10).await;
    }
    let outbox = reader.store.outbox_count().await?;
    ensure!(worker.stop().await == Some(0), "the bot does not stop");
    assert_audit(&reader.store, &[]).await;
    let mut heard: Vec<Duration> = people.iter().flat_map(|(person, _)| person.heard_after(&telegram.chat(person.chat))).collect();
    heard.sort();
    ensure!(heard.len() == 2 * users, "{} of {} deeds were acknowledged", heard.len(), 2 * users);
    let at = |part: usize| heard[(heard.len() - 1) * part / 100].as_millis();
    let calls: Vec<LoggedCall> = telegram.outbox_log().into_iter().filter(|call| SENDS.contains(&call.method.as_str())).collect();
    let edits: Vec<&LoggedCall> = calls.iter().filter(|call| call.method == "editMessageText").collect();
    let mut edits_by_chat: HashMap<i64, Vec<SystemTime>> = HashMap::new();
    for edit in &edits {
        edits_by_chat.entry(edit.chat.unwrap_or_default()).or_default().push(edit.at);
    }
    // Each has one project, so one message that changes.
    let edits_max = edits_by_chat.into_values().map(|times| busiest(times.into_iter())).max().unwrap_or_default();
    let edits = edits.len();
    let all_max = busiest(calls.iter().map(|call| call.at));
    let mut by_chat: HashMap<i64, Vec<SystemTime>> = HashMap::new();
    for call in &calls {
        by_chat.entry(call.chat.unwrap_or_default()).or_default().push(call.at);
    }
    let chat_max = by_chat.into_values().map(|times| busiest(times.into_iter())).max().unwrap_or_default();
    let (refusals, lost) = (telegram.flood_refusals(), outbox.refused + outbox.uncertain);
    println!("\n{:<44}{:>10}{:>10}", "", "measured", "target");
    println!("{:<44}{:>7} ms{:>7} ms", "heard after, p95 of updates", at(95), HEARD_P95_MAX.as_millis());
    println!("{:<44}{:>10}{:>10}", "messages lost", lost, 0);
    println!("{:<44}{:>10}{:>10}", "refused for too many", refusals, 0);
    println!("{:<44}{:>10}{:>10}", "calls in the busiest second", all_max, CALLS_PER_S_MAX);
    println!("{:<44}{:>10}{:>10}", "changes of one status in its busiest second", edits_max, 1);
    println!("{:<44}{:>10}{:>10}", "of one chat in its busiest second", chat_max, CHAT_CALLS_PER_S_MAX);
    println!(
        "bench-bot users={users} seconds={seconds:.0} heard_p50_ms={} heard_p95_ms={} heard_p99_ms={} heard_max_ms={} calls={} edits={edits} lost={lost} refused_429={refusals} calls_per_s_max={all_max} chat_calls_per_s_max={chat_max} status_edits_per_s_max={edits_max} cores=2",
        at(50),
        at(95),
        at(99),
        at(100),
        calls.len(),
    );
    let is_kept =
        edits > 0 && edits_max <= 1 && all_max <= CALLS_PER_S_MAX && chat_max <= CHAT_CALLS_PER_S_MAX && refusals == 0 && lost == 0;
    Ok(is_kept && at(95) <= HEARD_P95_MAX.as_millis())
}

/// How many people have come after this time.
fn due(elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    seconds.min(QUIET_S) * QUIET_ARRIVALS_PER_S + (seconds - QUIET_S).max(0.0) * ARRIVALS_PER_S
}

/// What counts for Telegram's limits.
const SENDS: &[&str] = &["sendMessage", "sendDocument", "editMessageText", "editMessageReplyMarkup"];

/// The most of these within a second.
fn busiest(times: impl Iterator<Item = SystemTime>) -> usize {
    let mut times: Vec<SystemTime> = times.collect();
    times.sort();
    let mut window: VecDeque<SystemTime> = VecDeque::new();
    let mut most = 0;
    for time in times {
        while window.front().is_some_and(|first| time.duration_since(*first).is_ok_and(|apart| apart >= Duration::from_secs(1))) {
            window.pop_front();
        }
        window.push_back(time);
        most = most.max(window.len());
    }
    most
}
