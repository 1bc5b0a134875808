//! Several providers and their keys: who is asked, who pays, what happens when one is away, and that no key is ever seen again.

use atelier_host::app::App;
use atelier_host::ledger::NanoUsd;
use atelier_host::llm::gateway::{CallContext, Gateway};
use atelier_host::llm::keys::{KeyId, KeyState, MasterKeys, StoredKey};
use atelier_host::llm::providers::Providers;
use atelier_host::llm::{Completion, Message, Reply, Request, Role};
use atelier_host::project::{Pause, State};
use atelier_host::store::ledger::run_budget;
use atelier_host::store::runs::NewRun;
use secrecy::SecretString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tests::conversation::Conversation;
use tests::database::contents;
use tests::home::{Home, assert_agrees, assert_sound, read};
use tests::model_server::{Answer, ModelServer};
use tests::program::{Ended, atelier_beside, atelier_reading};
use tests::root;

/// 32 bytes that are not all the same.
const MASTER: &str = "m1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER_MASTER: &str = "m1:HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// Two providers of one class, `near` before `far`, with prices of 1 and 2 dollars for a million tokens.
fn two_providers(near: &str, far: &str) -> String {
    format!(
        "[providers.near]\ndialect = \"openai\"\nurl = \"{near}\"\nown_keys = true\n\
         [providers.far]\ndialect = \"openai\"\nurl = \"{far}\"\n\
         [classes]\nplanner = [\"near/m\", \"far/m\"]\ncoder = [\"near/m\", \"far/m\"]\nfast = \"near/m\"\n\
         [prices.\"near/m\"]\ninput = \"1\"\noutput = \"1\"\n[prices.\"far/m\"]\ninput = \"2\"\noutput = \"2\"\n"
    )
}

struct Desk {
    app: App,
    gateway: Arc<Gateway>,
    run: String,
    home: Home,
}

impl Desk {
    async fn new(near: &str, far: &str, keys: &[(&str, &str, Option<&str>)]) -> Desk {
        let mut home = Home::empty();
        home.variables.push(("ATELIER_MASTER_KEYS", MASTER.to_owned()));
        std::fs::write(home.beside("atelier.toml"), two_providers(near, far)).expect("the settings");
        let app = home.app(NOWHERE).await;
        let store = &app.reader.store;
        let master_keys = MasterKeys::parse(&SecretString::from(MASTER)).expect("master keys");
        for (number, (provider, secret, owner)) in keys.iter().enumerate() {
            store.add_key(&sealed(&master_keys, number, provider, secret, *owner)).await.expect("stored");
        }
        store.open_wallet("local", NanoUsd(1_000_000_000)).await.expect("a wallet");
        store.create_project("p1", "local", &State::new("an idea"), NanoUsd(1_000_000_000)).await.expect("a project");
        let new = NewRun {
            project: "p1",
            step: "elicit 1",
            task: None,
            attempt: 1,
            plugin: "none",
            plugin_sha256: "0",
            base_tree: "",
            task_limit: NanoUsd(1_000_000_000),
            run_limit: NanoUsd(1_000_000_000),
            lease: None,
        };
        let run = store.begin_run(&new, "").await.expect("a run").id;
        store.register_boot("a story").await.expect("a boot");
        let providers = Arc::new(Providers::open(&app.reader.settings, store, Some(master_keys)).await.expect("providers"));
        let gateway = Gateway::new(store.clone(), "a story".to_owned(), app.reader.settings.clone(), providers).expect("a gateway");
        Desk { gateway: Arc::new(gateway), app, run, home }
    }

    async fn call(&self, seq: u32) -> Completion {
        let message = Message { role: Role::User, text: "x".repeat(300), cache_prefix: false };
        let request = Request { class: "coder".to_owned(), messages: vec![message], max_output_tokens: 1_000, stop: vec![] };
        let (run, fingerprint) = (self.run.clone(), "f".to_owned());
        let context = CallContext { lease: None, budget: run_budget(&run), run, seq, fingerprint, wallet: "local".to_owned() };
        self.gateway.complete(context, request, &mut Vec::new()).await.expect("the store works")
    }

    /// What the user paid, and which provider and price each answered call went by.
    async fn receipt(&self) -> (i64, Vec<String>) {
        let store = &self.app.reader.store;
        let lines = store.receipt_lines("p1").await.expect("a receipt").into_iter().map(|line| line.provider).collect();
        (store.receipt("p1").await.expect("a receipt").charged.0, lines)
    }
}

fn sealed(master_keys: &MasterKeys, number: usize, provider: &str, secret: &str, owner: Option<&str>) -> StoredKey {
    let id = KeyId(format!("key-{number}"));
    StoredKey {
        sealed: master_keys.seal(provider, &id, 1, &SecretString::from(secret)),
        id,
        provider: provider.to_owned(),
        owner: owner.map(str::to_owned),
        label: String::new(),
        state: KeyState::Active,
        kek_id: "m1".to_owned(),
        version: 1,
        requests_per_minute: None,
        tokens_per_minute: None,
        created_ms: i64::try_from(number).expect("a small number"),
    }
}

fn is_reply(completion: &Completion) -> bool {
    matches!(completion, Completion::Stored(Ok(Reply { text, .. })) if text == "hello you")
}

/// 300 letters are 75 tokens, `hello you` three; a token is 1,000 nano-USD at `near` and twice that at `far`.
const NEAR: i64 = 78 * 1_000;
const FAR: i64 = 2 * NEAR;

fn hello() -> Answer {
    Answer::Text("hello you".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_goes_on_with_its_next_provider_at_that_ones_price() {
    for bad in [Answer::Status(503), Answer::Status(500), Answer::KeyRefused, Answer::Status(402), Answer::Status(404)] {
        let name = format!("{bad:?}");
        let near = ModelServer::scripted(move |_, _| bad.clone()).await;
        let far = ModelServer::scripted(|_, _| hello()).await;
        let desk = Desk::new(&near.url, &far.url, &[("near", "key-of-near", None), ("far", "key-of-far", None)]).await;
        let completion = desk.call(0).await;
        assert!(is_reply(&completion), "{name}: {completion:?}");
        assert_eq!(desk.receipt().await, (FAR, vec!["far".to_owned()]), "{name}");
        assert_eq!((near.asked().len(), far.asked().len()), (1, 1), "{name}");
        assert_eq!(far.asked()[0].key, "key-of-far", "each provider gets its own key");
        assert_sound(&desk.app).await;
        assert_agrees(&desk.app.reader.store, &(near.log() + &far.log())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_one_provider_accepted_is_not_sent_to_another() {
    let near = ModelServer::scripted(|_, _| Answer::Garbage).await;
    let far = ModelServer::scripted(|_, _| hello()).await;
    let desk = Desk::new(&near.url, &far.url, &[("near", "key-of-near", None), ("far", "key-of-far", None)]).await;
    assert!(matches!(desk.call(0).await, Completion::Suspended(Pause::Provider(_))));
    assert_eq!((near.asked().len(), far.asked().len()), (1, 0));
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_put_aside_and_the_others_go_on() {
    let near = ModelServer::scripted(|asked, _| if asked.key == "good-key" { hello() } else { Answer::KeyRefused }).await;
    let desk = Desk::new(&near.url, NOWHERE, &[("near", "bad-key-1", None), ("near", "good-key", None), ("near", "bad-key-2", None)]).await;
    for seq in 0..6 {
        assert!(is_reply(&desk.call(seq).await), "call {seq}");
    }
    let refused = near.asked().iter().filter(|asked| asked.key != "good-key").count();
    assert!(refused <= 2, "a refused key was used again: {refused}");
    assert_eq!(desk.receipt().await.0, 6 * NEAR);
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_key_is_refused_the_operator_is_told_and_nothing_is_paid() {
    let near = ModelServer::scripted(|_, _| Answer::KeyRefused).await;
    let desk = Desk::new(&near.url, NOWHERE, &[("near", "canary-bad-key", None)]).await;
    for seq in 0..2 {
        match desk.call(seq).await {
            Completion::Suspended(Pause::Operator(why)) => assert!(why.contains("atelier keys") && !why.contains("canary"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(near.asked().len(), 1, "the second call is not made with a key that was refused");
    assert_eq!(desk.receipt().await, (0, vec![]));
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_own_key_is_used_for_that_user_and_costs_what_the_operator_says() {
    let near = ModelServer::scripted(|_, _| hello()).await;
    let keys = [("near", "shared-key", None), ("near", "own-key", Some("local"))];
    let desk = Desk::new(&near.url, NOWHERE, &keys).await;
    assert!(is_reply(&desk.call(0).await));
    assert_eq!(near.asked()[0].key, "own-key");
    assert_eq!(desk.receipt().await, (0, vec!["own:near".to_owned()]), "the provider bills the user; by default the house asks nothing");
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_own_key_that_does_not_open_is_never_replaced_by_a_shared_one() {
    let near = ModelServer::scripted(|_, _| hello()).await;
    let desk = Desk::new(&near.url, NOWHERE, &[("near", "shared-key", None)]).await;
    let others = MasterKeys::parse(&SecretString::from(OTHER_MASTER)).expect("master keys");
    desk.app.reader.store.add_key(&sealed(&others, 7, "near", "own-key", Some("local"))).await.expect("stored");
    match desk.call(0).await {
        Completion::Suspended(Pause::Operator(why)) => assert!(why.contains("your own key"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(near.asked().is_empty());
    assert_eq!(desk.receipt().await.0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_with_a_users_own_key_does_not_go_on_with_a_shared_one_elsewhere() {
    let near = ModelServer::scripted(|_, _| Answer::Status(500)).await;
    let far = ModelServer::scripted(|_, _| hello()).await;
    let keys = [("near", "own-key", Some("local")), ("far", "shared-key", None)];
    let desk = Desk::new(&near.url, &far.url, &keys).await;
    assert!(matches!(desk.call(0).await, Completion::Suspended(Pause::Provider(_))));
    assert!(far.asked().is_empty());
    assert_eq!(desk.receipt().await.0, 0);
    assert_sound(&desk.app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_process_hears_of_a_key_that_is_drained() {
    let near = ModelServer::scripted(|_, _| hello()).await;
    let desk = Desk::new(&near.url, NOWHERE, &[("near", "first-key", None), ("near", "second-key", None)]).await;
    desk.app.reader.store.set_key_state("key-0", KeyState::Draining).await.expect("drained");
    // It looks every two seconds.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    for seq in 0..3 {
        assert!(is_reply(&desk.call(seq).await));
    }
    assert!(near.asked().iter().all(|asked| asked.key == "second-key"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrong_master_key_is_told_at_the_start() {
    let near = ModelServer::scripted(|_, _| hello()).await;
    let mut desk = Desk::new(&near.url, NOWHERE, &[("near", "canary-key", None)]).await;
    drop(desk.app);
    desk.home.variables = vec![("ATELIER_MASTER_KEYS", OTHER_MASTER.to_owned())];
    let error = App::build(desk.home.settings(NOWHERE)).await.err().expect("a refusal").to_string();
    assert!(error.contains("none of the 1 stored keys") && error.contains("ATELIER_MASTER_KEYS"), "{error}");
    assert!(!error.contains("canary") && !error.contains(OTHER_MASTER), "{error}");
    desk.home.variables = vec![("ATELIER_MASTER_KEYS", MASTER.to_owned())];
    App::build(desk.home.settings(NOWHERE)).await.expect("the right one");
}

/// The commands on keys, in the order in which an operator uses them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_added_checked_rewrapped_and_revoked_and_never_shown() {
    let server = ModelServer::scripted(|_, _| hello()).await;
    let mut home = Home::empty();
    std::fs::write(home.beside("atelier.toml"), two_providers(&server.url, &server.url)).expect("the settings");
    home.variables.push(("ATELIER_MASTER_KEYS", MASTER.to_owned()));
    let add = async |home: &Home, key: &str, more: &[&str]| {
        let arguments: Vec<&str> = ["keys", "add", "near"].iter().chain(more).copied().collect();
        atelier_reading(home, NOWHERE, &arguments, key).await
    };
    let good = add(&home, "canary-good-key\n", &["--label", "main"]).await;
    assert_eq!(good.code, Some(0), "{}", good.err);
    let good_id = good.out.trim().to_owned();
    let bad = add(&home, "canary-refused-key", &["--requests-per-minute", "60"]).await;
    let bad_id = bad.out.trim().to_owned();
    let run = async |home: &Home, arguments: &[&str]| atelier_beside(home, NOWHERE, arguments).await;

    let listed = run(&home, &["keys", "list"]).await;
    assert!(listed.code == Some(0) && listed.out.contains(&good_id) && listed.out.contains("main"), "{listed:?}");
    let checked = run(&home, &["keys", "check"]).await;
    assert_eq!(checked.code, Some(4), "{checked:?}");
    assert!(checked.out.contains(&format!("{good_id} ok")) && checked.out.contains(&format!("{bad_id} FAILED")), "{checked:?}");

    home.variables = vec![("ATELIER_MASTER_KEYS", format!("{},{MASTER}", OTHER_MASTER.replace("m1:", "m2:")))];
    let rewrapped = run(&home, &["keys", "rewrap"]).await;
    assert!(rewrapped.code == Some(0) && rewrapped.out.contains("2 keys sealed anew with `m2`"), "{rewrapped:?}");
    home.variables = vec![("ATELIER_MASTER_KEYS", MASTER.to_owned())];
    let closed = run(&home, &["keys", "list"]).await;
    assert_eq!(closed.code, Some(4), "the old master key opens nothing any more: {closed:?}");
    home.variables = vec![("ATELIER_MASTER_KEYS", OTHER_MASTER.replace("m1:", "m2:"))];
    assert_eq!(run(&home, &["keys", "list"]).await.code, Some(0));

    assert_eq!(run(&home, &["keys", "drain", &good_id]).await.code, Some(0));
    assert_eq!(run(&home, &["keys", "revoke", &bad_id]).await.code, Some(0));
    let again = run(&home, &["keys", "drain", &bad_id]).await;
    assert!(again.code == Some(2) && again.err.contains("there is no key"), "a revoked key does not come back: {again:?}");
    for (ended, expected) in [
        (add(&home, "", &[]).await, "holds no key"),
        (add(&home, "two words", &[]).await, "holds no key"),
        (atelier_reading(&home, NOWHERE, &["keys", "add", "nobody"], "canary-x").await, "there is no provider `nobody`"),
        (atelier_reading(&home, NOWHERE, &["keys", "add", "far", "--owner", "me"], "canary-x").await, "takes no keys of users"),
    ] {
        assert!(ended.code == Some(2) && ended.err.contains(expected), "{expected}: {ended:?}");
    }
    for ended in [good, bad, listed, checked, rewrapped, closed] {
        assert!(!ended.out.contains("canary") && !ended.err.contains("canary"), "{ended:?}");
    }
}

/// Unique fake keys, of every kind that there is, through a whole project with everything logged: none is found anywhere again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_found_in_any_output_log_error_guest_value_file_or_column() {
    let text = read(&root().join("tests/conversations/03-a-rejected-try-is-mended.md"));
    let replies = Conversation::read(&text).expect("a conversation").texts("model");
    let mut next = replies.into_iter();
    let server = ModelServer::scripted(move |asked, _| match asked.key.as_str() {
        "canary-stored-good" => Answer::Text(next.next().unwrap_or_default()),
        _ => Answer::KeyRefused,
    })
    .await;
    let mut home = Home::shipped();
    std::fs::write(home.beside("atelier.toml"), two_providers(&server.url, NOWHERE)).expect("the settings");
    let master = MASTER.split_once(':').expect("an id").1.trim_end_matches('=');
    home.variables = vec![
        ("ATELIER_MASTER_KEYS", MASTER.to_owned()),
        ("ATELIER_MODEL_KEY", "canary-of-settings".to_owned()),
        ("ATELIER_LOG", "trace".to_owned()),
    ];
    let mut seen: Vec<Ended> = Vec::new();
    for key in ["canary-stored-bad", "canary-stored-good"] {
        seen.push(atelier_reading(&home, NOWHERE, &["keys", "add", "near"], key).await);
    }
    let out = home.beside("out").display().to_string();
    let ended = atelier_beside(&home, NOWHERE, &["run", "add two numbers", "--yes", "--out", &out]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("TRACE "), "everything is logged: {}", ended.err);
    seen.push(ended);
    for arguments in [&["doctor"][..], &["keys", "list"], &["keys", "check"], &["history"], &["audit", "--json"], &["prices", "list"]] {
        seen.push(atelier_beside(&home, NOWHERE, arguments).await);
    }
    let refused = server.asked().iter().filter(|asked| asked.key == "canary-stored-bad").count();
    assert_eq!(refused, 1, "the bad key was tried, and its refusal repeats it");
    let canaries = ["canary-stored-bad", "canary-stored-good", "canary-of-settings", master];
    let look = |place: &str, bytes: &[u8]| {
        for canary in canaries {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "`{canary}` is in {place}");
        }
    };
    for ended in &seen {
        look("an output", ended.out.as_bytes());
        look("an error or a log", ended.err.as_bytes());
    }
    let mut files = 0;
    for folder in [home.data(), home.beside("out")] {
        files += walk(&folder, &look);
    }
    assert!(files > 10, "the database and the result were looked at");
    look("the database", &contents(home.folder()));
}

/// Looks at every file below a folder, and says how many there were. Compiled plugins hold nothing of ours.
fn walk(folder: &Path, look: &impl Fn(&str, &[u8])) -> u32 {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.ends_with("cache") {
            continue;
        }
        match path.is_dir() {
            true => files += walk(&path, look),
            false => {
                look(&path.display().to_string(), &std::fs::read(&path).expect("a file"));
                files += 1;
            }
        }
    }
    files
}
