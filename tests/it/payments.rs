//! Telegram Stars: what was paid brings its credits once, what goes back goes back once, and nobody ever has both.

use atelier_host::app::Reader;
use atelier_host::chat::Offer;
use atelier_host::ledger::NanoUsd;
use atelier_host::store::chats::{ChatEffect, Checkout, Invoice, Payment, Received, Trade};
use atelier_host::store::{Store, StoreError};
use serde_json::json;
use std::time::Duration;
use telegram_double::{Failure, Options, Paid, Shown, TelegramServer};
use tests::database::store;
use tests::home::{Home, assert_audit};
use tests::people::with_button;
use tests::program::Worker;
use tests::workshop::{Tasks, Workshop};

const PATIENCE: Duration = Duration::from_secs(30);
/// What the operator of these stories asks.
const CREDITS_PER_STAR: i64 = 10;

struct Shop {
    telegram: TelegramServer,
    home: Home,
    workshop: Workshop,
    worker: Worker,
}

impl Shop {
    async fn open(operators: &[i64]) -> Shop {
        let telegram = TelegramServer::start(Options::default()).await;
        let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
        let mut home = Home::shipped();
        home.variables.push(("ATELIER_TELEGRAM_TOKEN", telegram.token.clone()));
        home.variables.push(("ATELIER_TELEGRAM_API_URL", telegram.url.clone()));
        home.variables.push(("ATELIER_TELEGRAM_USERS", "*".to_owned()));
        home.variables.push(("ATELIER_TELEGRAM_CREDITS_PER_STAR", CREDITS_PER_STAR.to_string()));
        home.variables.push(("ATELIER_TELEGRAM_OPERATORS", operators.iter().map(i64::to_string).collect::<Vec<_>>().join(",")));
        let worker = Worker::start_with_bot(&home, &workshop.server.url);
        Shop { telegram, home, workshop, worker }
    }

    fn someone(&self, name: &str) -> i64 {
        self.telegram.private_chat(self.telegram.user(name))
    }

    async fn reader(&self) -> Reader {
        Reader::open(self.home.settings(&self.workshop.server.url)).await.expect("the store")
    }

    async fn balance(&self, person: i64) -> NanoUsd {
        let store = self.reader().await.store;
        let wallet = store.known_person(person).await.expect("a look").expect("somebody").wallet;
        store.balance(&wallet).await.expect("a balance").balance
    }

    /// Says it, and waits for an answer with these words.
    async fn says(&self, chat: i64, text: &str, answer: &str) -> Vec<Shown> {
        let before = self.telegram.chat(chat).len();
        self.telegram.says(chat, chat, text);
        self.telegram.wait_for(chat, |shown| said(&shown[before.min(shown.len())..], answer), PATIENCE).await
    }

    /// Asks for what there is, takes an offer, and gets an invoice: its message.
    async fn invoice(&self, chat: i64, stars: i64) -> i64 {
        let words = format!("{stars} ⭐ → ");
        self.says(chat, "/buy", "Telegram Stars").await;
        let (message, label) =
            with_button(&self.telegram.chat(chat), &words).map(|(shown, label)| (shown.message_id, label)).expect("an offer");
        self.telegram.presses(chat, chat, message, &label);
        let pay = format!("Pay ⭐{stars}");
        let shown = self.telegram.wait_for(chat, |shown| with_button(shown, &pay).is_some(), PATIENCE).await;
        with_button(&shown, &pay).expect("an invoice").0.message_id
    }

    /// How far the last payment got, when it is decided.
    async fn decided(&self) -> Paid {
        tests::until(async || self.telegram.payments().last().is_some_and(|payment| payment.state != Paid::Waiting)).await;
        self.telegram.payments().last().expect("a payment").state.clone()
    }

    /// Buys, until it is said that it was bought: the charge.
    async fn buys(&self, chat: i64, stars: i64) -> String {
        let message = self.invoice(chat, stars).await;
        self.telegram.pays(chat, chat, message);
        let Paid::Done { charge_id, .. } = self.decided().await else { panic!("{:?}", self.telegram.payments()) };
        self.telegram.wait_for(chat, |shown| said(shown, &format!("Thank you for {stars} ⭐")), PATIENCE).await;
        charge_id
    }

    async fn close(self) {
        let reader = self.reader().await;
        assert_eq!(self.worker.stop().await, Some(0));
        assert_audit(&reader.store, &[]).await;
        assert!(self.telegram.unanswered_callbacks() == 0);
    }
}

fn said(shown: &[Shown], words: &str) -> bool {
    shown.iter().any(|message| message.from_bot && message.text.contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_brings_its_credits_and_goes_back_while_they_are_there() {
    let shop = Shop::open(&[]).await;
    let ada = shop.someone("Ada");
    shop.says(ada, "/paysupport", "You have paid nothing").await;
    let before = shop.balance(ada).await;
    shop.buys(ada, 250).await;
    assert_eq!(shop.balance(ada).await, before + NanoUsd::credits(250 * CREDITS_PER_STAR));
    let shown = shop.says(ada, "/paysupport", "What you paid").await;
    let (message, label) = with_button(&shown, "Give 250 ⭐ back").expect("a button");
    shop.telegram.presses(ada, ada, message.message_id, &label);
    shop.telegram.wait_for(ada, |shown| said(shown, "250 ⭐ are back"), PATIENCE).await;
    assert_eq!((shop.balance(ada).await, shop.telegram.refunds().len()), (before, 1));
    let shown = shop.says(ada, "/paysupport", "given back").await;
    assert!(with_button(&shown, "Give 250").is_none(), "once");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_is_told_fifty_times_counts_once_at_the_wire() {
    let shop = Shop::open(&[]).await;
    let ada = shop.someone("Ada");
    let charge = shop.buys(ada, 50).await;
    let after = shop.balance(ada).await;
    shop.telegram.holds_updates();
    for _ in 0..49 {
        shop.telegram.repeat_payment(&charge);
    }
    shop.telegram.releases_updates(telegram_double::Order::Reversed);
    let reader = shop.reader().await;
    tests::until(async || {
        let (all, open) = reader.store.inbox_count().await.expect("a count");
        all >= 52 && open == 0
    })
    .await;
    assert_eq!(shop.balance(ada).await, after);
    let thanks = shop.telegram.chat(ada).iter().filter(|message| message.text.contains("Thank you for 50 ⭐")).count();
    assert_eq!(thanks, 1, "and it is said once");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invoice_is_for_whoever_asked_for_it() {
    let shop = Shop::open(&[]).await;
    let (ada, eve) = (shop.someone("Ada"), shop.someone("Eve"));
    let message = shop.invoice(ada, 50).await;
    // The invoice was forwarded, or its payload is made up.
    let payload = shop.telegram.message_json(ada, message)["invoice"].clone();
    assert!(payload.is_object());
    let name = shop.telegram.calls_of("sendInvoice")[0].fields["payload"].clone();
    for (query, stars, payload, words) in [
        ("a", 50, name.clone(), "made to somebody else"),
        ("b", 5, name, "This offer is over"),
        ("c", 50, json!("made-up"), "This offer is over"),
    ] {
        shop.telegram.raw_update(json!({ "pre_checkout_query": {
            "id": query, "from": { "id": eve, "is_bot": false, "first_name": "Eve", "language_code": "en" },
            "currency": "XTR", "total_amount": stars, "invoice_payload": payload,
        } }));
        tests::until(async || {
            shop.telegram.calls_of("answerPreCheckoutQuery").iter().any(|call| {
                call.fields["pre_checkout_query_id"] == query
                    && call.fields["ok"] == false
                    && call.fields["error_message"].as_str().is_some_and(|said| said.contains(words))
            })
        })
        .await;
    }
    shop.telegram.pays(ada, ada, message);
    assert!(matches!(shop.decided().await, Paid::Done { .. }), "the one who asked can pay all the same");
    shop.worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stars_go_back_once_though_nobody_heard_that_they_did_and_the_program_dies() {
    let mut shop = Shop::open(&[]).await;
    let ada = shop.someone("Ada");
    let before = {
        shop.says(ada, "/start", "Tell me your idea").await;
        shop.balance(ada).await
    };
    shop.buys(ada, 50).await;
    let shown = shop.says(ada, "/paysupport", "What you paid").await;
    let (message, label) = with_button(&shown, "Give 50 ⭐ back").expect("a button");
    // It is done, and the connection breaks before anybody hears of it.
    shop.telegram.fail_next("refundStarPayment", 1, Failure::DoneThenClosed);
    shop.telegram.presses(ada, ada, message.message_id, &label);
    tests::until(async || shop.telegram.refunds().len() == 1).await;
    drop(shop.worker);
    assert_eq!(shop.telegram.refunds().len(), 1);
    shop.worker = Worker::start_with_bot(&shop.home, &shop.workshop.server.url);
    shop.telegram.wait_for(ada, |shown| said(shown, "50 ⭐ are back"), PATIENCE).await;
    assert_eq!((shop.balance(ada).await, shop.telegram.refunds().len()), (before, 1));
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_gives_a_purchase_back_unless_something_of_it_is_spent() {
    let telegram_operator = 1_000_017;
    let shop = Shop::open(&[telegram_operator]).await;
    let operator =
        shop.telegram.user_like(telegram_double::Person { id: telegram_operator, first_name: "Olga".to_owned(), ..Default::default() });
    let (olga, ada) = (shop.telegram.private_chat(operator), shop.someone("Ada"));
    shop.buys(ada, 50).await;
    let reader = shop.reader().await;
    let wallet = reader.store.known_person(ada).await.expect("a look").expect("somebody").wallet;
    let press = async || {
        let shown = shop.says(olga, &format!("/refund {ada}"), "What this person paid").await;
        let (message, label) = with_button(&shown, "Give 50 ⭐ back").expect("a button");
        shop.telegram.presses(olga, olga, message.message_id, &label);
    };
    // What is held by a call is not there.
    let all = reader.store.balance(&wallet).await.expect("a balance").balance;
    tests::database::tamper(&shop.home.store_folder(), &format!("update wallet set held = balance where id = '{wallet}'")).expect("done");
    press().await;
    shop.telegram.wait_for(olga, |shown| said(shown, "can't go back as a whole"), PATIENCE).await;
    tests::database::tamper(&shop.home.store_folder(), &format!("update wallet set held = 0 where id = '{wallet}'")).expect("done");
    press().await;
    shop.telegram.wait_for(ada, |shown| said(shown, "50 ⭐ are back"), PATIENCE).await;
    assert_eq!(reader.store.balance(&wallet).await.expect("a balance").balance, all - NanoUsd::credits(50 * CREDITS_PER_STAR));
    let shown = shop.says(ada, &format!("/refund {ada}"), "There is no /refund").await;
    assert!(with_button(&shown, "Give 50").is_none(), "for others there is no such command");
    shop.close().await;
}

async fn person(store: &Store, id: i64) -> String {
    store.person(id, "en").await.expect("a person").wallet
}

async fn paid(store: &Store, charge: &str, person: i64) -> Payment {
    let reference = store.payment_reference(charge).await.expect("a reference");
    let credits = NanoUsd::credits(500);
    Payment { charge: charge.to_owned(), reference, person, stars: 50, credits, state: "paid".to_owned(), at_ms: 0 }
}

async fn received(store: &Store, updates: std::ops::Range<i64>, chat: i64) {
    let all: Vec<Received> = updates.map(|update| Received { update, chat, body: "{}".to_owned() }).collect();
    store.receive(&all).await.expect("stored");
}

fn effect(update: i64, trade: Trade) -> ChatEffect {
    ChatEffect { update: Some(update), trade: Some(trade), ..ChatEffect::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_one_time_grant_once() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = store(directory.path()).await;
    let wallet = person(&store, 7).await;
    received(&store, 1..51, 7).await;
    let payment = paid(&store, "stx1", 7).await;
    let all = (1..51).map(|update| {
        let (store, payment) = (store.clone(), payment.clone());
        tokio::spawn(async move { store.have(&effect(update, Trade::Paid(payment))).await })
    });
    for one in futures_util::future::join_all(all).await {
        one.expect("it lives").expect("it has its effect, or none");
    }
    assert_eq!(store.balance(&wallet).await.expect("a balance").balance, NanoUsd::credits(500));
    assert_eq!(store.payments_of(7, 10).await.expect("a listing").len(), 1);
    assert_audit(&store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_give_back_at_one_time_give_back_once() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = store(directory.path()).await;
    let wallet = person(&store, 7).await;
    person(&store, 8).await;
    received(&store, 1..60, 7).await;
    let payment = paid(&store, "stx1", 7).await;
    store.have(&effect(1, Trade::Paid(payment.clone()))).await.expect("paid");
    let refused = store.have(&effect(2, Trade::Return(payment.reference.clone(), Some(8)))).await;
    assert!(matches!(refused, Err(StoreError::NoPayment)), "it is not theirs: {refused:?}");
    let all = (3..23).map(|update| {
        let (store, reference) = (store.clone(), payment.reference.clone());
        tokio::spawn(async move { store.have(&effect(update, Trade::Return(reference, Some(7)))).await.is_ok() })
    });
    let done = futures_util::future::join_all(all).await.into_iter().filter(|done| matches!(done, Ok(true))).count();
    assert_eq!((done, store.balance(&wallet).await.expect("a balance").balance), (1, NanoUsd::ZERO));
    assert_audit(&store, &[]).await;
    // Telegram says no: the credits are there again, and it can be tried again.
    let refunding = store.refunding(10).await.expect("a listing");
    for _ in 0..2 {
        store.refunded(&refunding[0], atelier_host::store::chats::Refund::Declined, &[]).await.expect("noted");
        assert_eq!(store.balance(&wallet).await.expect("a balance").balance, NanoUsd::credits(500));
    }
    assert_audit(&store, &[]).await;
    store.have(&effect(30, Trade::Return(payment.reference.clone(), None))).await.expect("an operator");
    // Telegram tells of it before its answer is heard.
    store.have(&effect(31, Trade::Returned(payment.charge.clone()))).await.expect("noted");
    assert_eq!(store.payments_of(7, 10).await.expect("a listing")[0].state, "refunding", "the answer decides");
    store.refunded(&refunding[0], atelier_host::store::chats::Refund::Done, &[]).await.expect("noted");
    assert_eq!(store.balance(&wallet).await.expect("a balance").balance, NanoUsd::ZERO);
    assert_audit(&store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_telegram_gives_back_by_itself_takes_the_credits_that_are_left() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = store(directory.path()).await;
    let wallet = person(&store, 7).await;
    received(&store, 1..9, 7).await;
    let payment = paid(&store, "stx1", 7).await;
    store.have(&effect(1, Trade::Paid(payment.clone()))).await.expect("paid");
    for update in 2..4 {
        store.have(&effect(update, Trade::Returned(payment.charge.clone()))).await.expect("noted");
        assert_eq!(store.balance(&wallet).await.expect("a balance").balance, NanoUsd::ZERO);
    }
    store.have(&effect(4, Trade::Returned("of somebody else's".to_owned()))).await.expect("noted");
    assert_audit(&store, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_does_not_know_whose_payment_it_was() {
    let directory = tempfile::tempdir().expect("a folder");
    let store = store(directory.path()).await;
    let wallet = person(&store, 7).await;
    received(&store, 1..2, 7).await;
    let payment = paid(&store, "stx-secret", 7).await;
    store.have(&effect(1, Trade::Paid(payment.clone()))).await.expect("paid");
    let entries = store.entries(&wallet, 10).await.expect("a listing");
    assert_eq!((entries[0].debit.as_str(), entries[0].reference.as_str()), ("house:stars", payment.reference.as_str()));
    assert!(!entries[0].reference.contains("stx-secret"));
    let invoice = Invoice::new(7, &Offer { stars: 50, credits: NanoUsd::credits(500) });
    received(&store, 2..3, 7).await;
    store.have(&effect(2, Trade::Offer(invoice.clone()))).await.expect("offered");
    for (person, stars, expected) in [(7, 50, Checkout::Good), (8, 50, Checkout::Foreign), (7, 49, Checkout::Unknown)] {
        assert_eq!(store.checkout(&invoice.name, person, stars).await.expect("an answer"), expected);
    }
}
