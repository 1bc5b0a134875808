//! `make bench-stars [USERS=200]`: so many people pay at the same instant while as many others talk to the bot, with the real program in
//! release and Telegram's flood limits on; then some of these payments are told fifty times. What is measured is how long Telegram waits
//! for the answer whether a payment is welcome, which it does for ten seconds; and that everybody has what was paid for, once.

use anyhow::{Context, Result, ensure};
use atelier_host::app::Reader;
use atelier_host::ledger::NanoUsd;
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use telegram_double::{Options, Paid, TelegramServer};
use tests::home::{Home, assert_audit};
use tests::people::with_button;
use tests::program::Worker;
use tests::workshop::{Tasks, Workshop};

const STARS: i64 = 50;
const CREDITS_PER_STAR: i64 = 10;
/// Telegram waits so long.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// What those who talk say in a second, all together.
const TALK_PER_S: u32 = 20;
/// Payments that are told again, and how often each is told in all.
const TOLD_AGAIN: usize = 20;
const TOLD: usize = 50;
const TICK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(900);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let users = std::env::var("USERS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
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
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let telegram = Arc::new(TelegramServer::start(Options::default()).await);
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_TELEGRAM_TOKEN", telegram.token.clone()));
    home.variables.push(("ATELIER_TELEGRAM_API_URL", telegram.url.clone()));
    home.variables.push(("ATELIER_TELEGRAM_USERS", "*".to_owned()));
    home.variables.push(("ATELIER_TELEGRAM_CREDITS_PER_STAR", CREDITS_PER_STAR.to_string()));
    let worker = Worker::start_with_bot(&home, &workshop.server.url);
    let people = |name: &str| -> Vec<i64> { (0..users).map(|at| telegram.private_chat(telegram.user(&format!("{name}{at}")))).collect() };
    let (buyers, talkers) = (people("B"), people("T"));
    println!("{users} people pay {STARS} Stars each at one instant, {users} others say {TALK_PER_S} things a second");

    let began = Instant::now();
    let invoices = invoices(&telegram, &buyers, began).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let talk = tokio::spawn(talk(telegram.clone(), talkers, is_over.clone()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut asked: HashMap<i64, SystemTime> = HashMap::new();
    for (chat, message) in &invoices {
        telegram.pays(*chat, *chat, *message);
        asked.insert(*chat, SystemTime::now());
    }
    while telegram.payments().iter().any(|payment| payment.state == Paid::Waiting) {
        ensure!(began.elapsed() < PATIENCE, "a payment is never answered");
        tokio::time::sleep(TICK).await;
    }
    let payments = telegram.payments();
    let done: Vec<(i64, String)> = payments
        .iter()
        .filter_map(|payment| match &payment.state {
            Paid::Done { charge_id, .. } => Some((payment.chat, charge_id.clone())),
            _ => None,
        })
        .collect();
    let answers: HashMap<String, SystemTime> = telegram
        .calls_of("answerPreCheckoutQuery")
        .into_iter()
        .filter_map(|call| Some((call.fields["pre_checkout_query_id"].as_str()?.to_owned(), call.at)))
        .collect();
    let mut waited: Vec<Duration> =
        payments.iter().filter_map(|payment| answers.get(&payment.query_id)?.duration_since(*asked.get(&payment.chat)?).ok()).collect();
    waited.sort();
    for (_, charge) in done.iter().take(TOLD_AGAIN) {
        for _ in 1..TOLD {
            telegram.repeat_payment(charge);
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let said = talk.await?;

    let reader = Reader::open(home.settings(&workshop.server.url)).await?;
    let told = done.len() + done.len().min(TOLD_AGAIN) * (TOLD - 1);
    loop {
        let (_, open) = reader.store.inbox_count().await?;
        if open == 0 && telegram.pending_updates() == 0 {
            break;
        }
        ensure!(began.elapsed() < PATIENCE, "{open} updates have no effect");
        tokio::time::sleep(TICK * 10).await;
    }
    let (mut grants, mut wrong) = (0, 0);
    for chat in &buyers {
        let person = reader.store.known_person(*chat).await?.context("a buyer is known")?;
        let entries = reader.store.entries(&person.wallet, 100).await?;
        let bought: Vec<_> = entries.iter().filter(|entry| entry.debit == "house:stars").collect();
        grants += bought.len();
        let is_right = bought.len() == 1 && bought[0].amount == NanoUsd::credits(STARS * CREDITS_PER_STAR);
        wrong += usize::from(!is_right);
    }
    ensure!(worker.stop().await == Some(0), "the bot does not stop");
    assert_audit(&reader.store, &[]).await;
    ensure!(waited.len() == users, "{} of {users} were answered", waited.len());
    let at = |part: usize| waited[(waited.len() - 1) * part / 100].as_millis();
    let missed = users - done.len();
    println!("\n{:<52}{:>10}{:>10}", "", "measured", "target");
    println!("{:<52}{:>7} ms{:>7} ms", "a checkout is answered after, at the most", at(100), ANSWER_MAX.as_millis());
    println!("{:<52}{:>10}{:>10}", "payments that Telegram gave up", missed, 0);
    println!("{:<52}{:>10}{:>10}", format!("grants, of {} payments told {told} times", done.len()), grants, users);
    println!("{:<52}{:>10}{:>10}", "people who have more or less than they paid for", wrong, 0);
    println!(
        "bench-stars users={users} said={said} checkout_p50_ms={} checkout_p95_ms={} checkout_max_ms={} missed={missed} told={told} grants={grants} wrong={wrong} books=0 cores=2",
        at(50),
        at(95),
        at(100),
    );
    Ok(waited.last().is_some_and(|most| *most < ANSWER_MAX) && missed == 0 && wrong == 0 && grants == users)
}

/// Everybody asks for what there is and takes the first offer: their invoices.
async fn invoices(telegram: &TelegramServer, buyers: &[i64], began: Instant) -> Result<Vec<(i64, i64)>> {
    for chat in buyers {
        telegram.says(*chat, *chat, "/buy");
    }
    let (offer, pay) = (format!("{STARS} ⭐ → "), format!("Pay ⭐{STARS}"));
    let (mut pressed, mut invoices): (Vec<i64>, HashMap<i64, i64>) = (Vec::new(), HashMap::new());
    while invoices.len() < buyers.len() {
        ensure!(began.elapsed() < PATIENCE, "somebody gets no invoice:\n{}", telegram.transcript_text(buyers[0]));
        for chat in buyers.iter().filter(|chat| !invoices.contains_key(chat)).copied().collect::<Vec<_>>() {
            let shown = telegram.chat(chat);
            if let Some((message, _)) = with_button(&shown, &pay) {
                invoices.insert(chat, message.message_id);
            } else if let (false, Some((message, label))) = (pressed.contains(&chat), with_button(&shown, &offer)) {
                telegram.presses(chat, chat, message.message_id, &label);
                pressed.push(chat);
            }
        }
        tokio::time::sleep(TICK * 5).await;
    }
    Ok(invoices.into_iter().collect())
}

/// Others ask for this and that, one after the other, until it is over: how much was said.
async fn talk(telegram: Arc<TelegramServer>, talkers: Vec<i64>, is_over: Arc<AtomicBool>) -> usize {
    let mut said = 0;
    while !is_over.load(Ordering::Relaxed) {
        let chat = talkers[said % talkers.len()];
        telegram.says(chat, chat, ["/status", "/credits", "/history", "/help"][said % 4]);
        said += 1;
        tokio::time::sleep(Duration::from_secs(1) / TALK_PER_S).await;
    }
    said
}
