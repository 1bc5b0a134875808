//! Bad days of the whole application: each ends in words that name the next step, nothing is lost, and the ledger is sound.

use atelier_host::app::App;
use atelier_host::project::{Pause, Phase};
use tests::conversation::Conversation;
use tests::database::{Cluster, Engine, tamper};
use tests::home::{Home, approve, assert_agrees, assert_sound, begin, read};
use tests::model_server::{Answer, ModelServer};
use tests::root;

const NOWHERE: &str = "http://127.0.0.1:9/v1";

fn replies() -> Vec<Answer> {
    let text = read(&root().join("tests/conversations/01-a-clear-idea-needs-no-question.md"));
    Conversation::read(&text).expect("a conversation").texts("model").into_iter().map(Answer::Text).collect()
}

/// The model server misbehaves in its first answer; afterwards the project is resumed and comes out whole.
async fn recovers_from(bad: Vec<Answer>, expected: &str) {
    let name = format!("{bad:?}");
    let server = ModelServer::answering(bad.into_iter().chain(replies())).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S", "1".to_owned()));
    home.variables.push(("ATELIER_MODEL_IDLE_TIMEOUT_S", "1".to_owned()));
    let app = home.app(&server.url).await;
    let mut project = begin(&app, "greet by name").await;
    match &project.state.phase {
        Phase::Paused(pause, _) => {
            assert!(pause.to_string().contains(expected), "{name}: {pause}");
            project = app.control.resume(project, None).await.expect("resumed");
            project = app.orchestrator.advance(project).await.expect("it goes on");
        }
        phase => assert!(expected.is_empty(), "{name}: {phase:?}"),
    }
    assert_eq!(project.state.phase, Phase::Quoted, "{name}");
    project = approve(&app, &project).await;
    project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Delivered, "{name}");
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &server.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_outlives_every_fault_of_the_model_server() {
    recovers_from(vec![Answer::Status(500)], "did not answer: status 500").await;
    recovers_from(vec![Answer::Status(503)], "").await;
    recovers_from(vec![Answer::RateLimited(0)], "").await;
    recovers_from(vec![Answer::Silence], "ATELIER_MODEL_FIRST_BYTE_TIMEOUT_S").await;
    recovers_from(vec![Answer::Stall("size: XS".to_owned())], "did not answer").await;
    recovers_from(vec![Answer::Cut("size: XS".to_owned())], "did not answer").await;
    recovers_from(vec![Answer::Cut(String::new())], "did not answer").await;
    recovers_from(vec![Answer::Garbage], "not in the provider's format").await;
    recovers_from(vec![Answer::Text("gibberish".to_owned())], "").await;
    recovers_from(vec![Answer::Status(401)], "ATELIER_MODEL_KEY").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_reports_no_usage_is_estimated_and_the_project_is_delivered() {
    let answers = replies().into_iter().map(|answer| match answer {
        Answer::Text(text) => Answer::NoUsage(text),
        other => other,
    });
    let server = ModelServer::answering(answers).await;
    let home = Home::shipped();
    let app = home.app(&server.url).await;
    let project = tests::home::begin_approved(&app, "greet by name").await;
    assert_eq!(project.state.phase, Phase::Delivered);
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_never_make_sense_end_the_project_and_are_given_back() {
    let server = ModelServer::scripted(|_, _| Answer::Text("I am sorry, I can't help with that.".to_owned())).await;
    let home = Home::shipped();
    let app = home.app(&server.url).await;
    let project = begin(&app, "greet by name").await;
    assert!(matches!(&project.state.phase, Phase::Failed(why) if why.contains("repl")), "{:?}", project.state.phase);
    let receipt = app.reader.store.receipt(&project.id).await.expect("a receipt");
    assert!(receipt.charged.0 > 0 && receipt.charged == receipt.refunded, "{receipt:?}");
    assert!(receipt.calls <= 6, "{} calls for nothing", receipt.calls);
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idea_of_nothing_or_of_a_whole_book_is_refused_before_anything_is_spent() {
    let home = Home::shipped();
    let app = home.app(NOWHERE).await;
    for (idea, expected) in [("", "the idea is empty"), (" \n\t ", "the idea is empty"), (&*"x".repeat(100_000), "at most 50000")] {
        let error = app.control.create("local", idea, None).await.expect_err("a refusal").to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(app.reader.store.history(10).await.expect("a listing").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceiling_below_the_first_call_pauses_before_anything_is_sent_and_can_be_raised() {
    let server = ModelServer::answering(replies()).await;
    let home = Home::shipped();
    let app = home.app(&server.url).await;
    let project = app.control.create("local", "greet by name", Some("0.1".parse().expect("an amount"))).await.expect("a project");
    let project = app.orchestrator.advance(project).await.expect("it stops");
    assert!(matches!(project.state.phase, Phase::Paused(Pause::Ceiling, _)), "{:?}", project.state.phase);
    assert!(server.asked().is_empty());
    let project = app.control.resume(project, Some("100".parse().expect("an amount"))).await.expect("resumed");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Quoted);
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_wallet_pauses_and_a_grant_lets_it_go_on() {
    let server = ModelServer::answering(replies()).await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_DEFAULT_GRANT", "0.1".to_owned()));
    let app = home.app(&server.url).await;
    let project = begin(&app, "greet by name").await;
    assert!(matches!(project.state.phase, Phase::Paused(Pause::Credits, _)), "{:?}", project.state.phase);
    app.reader.store.grant("local", "1000".parse().expect("an amount"), "a gift").await.expect("granted");
    let project = app.control.resume(project, None).await.expect("resumed");
    assert_eq!(app.orchestrator.advance(project).await.expect("it goes on").state.phase, Phase::Quoted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_nothing_is_lost() {
    // A server's disk can't be filled from here; what it would say is told apart by its code as SQLite's is.
    if Engine::of_tests() == Engine::Postgres {
        return;
    }
    // An answer that certainly needs room.
    let long = Answer::Text(format!("size: XS\ntitle: T\nlanguage: text\nsummary: {}\nrequirement: r", "long ".repeat(20_000)));
    let server = ModelServer::answering(std::iter::once(long).chain(replies())).await;
    let home = Home::shipped();
    let app = home.app(&server.url).await;
    let project = app.control.create("local", "greet by name", None).await.expect("a project");
    let store = &app.reader.store;
    store.limit_pages(1).await.expect("a limit");
    // The pages that are there are filled first; then the very next growth fails.
    while store.note(&project.id, "progress", &"x".repeat(2_000)).await.is_ok() {}
    store.note(&project.id, "progress", "a connection of its own").await.expect("a small line still fits");
    store.limit_pages(1).await.expect("a limit");
    let error = format!("{:#}", app.orchestrator.advance(project.clone()).await.expect_err("no room"));
    assert!(error.contains("the disk that holds the database is full") && error.contains("run the command again"), "{error}");
    app.reader.store.limit_pages(1_000_000).await.expect("space again");
    let living = app.reader.store.living_boots().await.expect("the boots");
    tests::home::assert_audit(&app.reader.store, &living).await;
    drop(app);
    // A new process recovers what was open.
    let app = home.app(&server.url).await;
    let project = app.reader.store.project(&project.id).await.expect("it is there");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Quoted);
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_in_the_middle_of_a_call_loses_nothing() {
    // A file does not go away; a server does, and comes back.
    if Engine::of_tests() == Engine::Sqlite {
        return;
    }
    let cluster = Cluster::start(true);
    let (began, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let mut answers = replies().into_iter();
    let mut first = true;
    let server = ModelServer::scripted(move |_, _| {
        if std::mem::take(&mut first) {
            let _ = began.send(());
            let answer = Answer::Text("an answer that nobody can store".to_owned());
            return Answer::Slow(std::time::Duration::from_millis(400), Box::new(answer));
        }
        answers.next().unwrap_or(Answer::Status(500))
    })
    .await;
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_DATABASE_URL", cluster.create()));
    let app = home.app(&server.url).await;
    let project = app.control.create("local", "greet by name", None).await.expect("a project");
    let orchestrator = app.orchestrator.clone();
    let advancing = tokio::spawn(async move { orchestrator.advance(project).await });
    begins.recv().await.expect("a call is under way");
    let before = cluster.sessions();
    cluster.crash();
    let outcome = advancing.await.expect("no panic");
    assert!(!before.is_empty() && cluster.sessions().is_disjoint(&before), "every connection was lost");
    drop(app);
    // Either the server was back before anything had to be stored, or the error says what to do; a new process goes on from there.
    if let Err(error) = outcome {
        assert!(format!("{error:#}").contains("nothing was lost"), "{error:#}");
    }
    let app = home.app(&server.url).await;
    let project = app.reader.store.history(1).await.expect("a listing").remove(0).id;
    let project = app.reader.store.project(&project).await.expect("it is there");
    let project = app.control.resume(project, None).await.expect("resumed");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(project.state.phase, Phase::Quoted);
    assert_sound(&app).await;
    assert_agrees(&app.reader.store, &server.log()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_was_damaged_is_told_and_the_step_begins_anew() {
    let questions = "size: S\nquestion: Which of the two?\n- this\n- that\n";
    let server = ModelServer::scripted(move |_, _| Answer::Text(questions.to_owned())).await;
    let home = Home::shipped();
    let project = {
        let app = home.app(&server.url).await;
        begin(&app, "a tool for my notes").await
    };
    assert!(project.state.question.is_some());
    tamper(&home.store_folder(), "update journal set response = 'not what was written' where call = 'llm.complete'").expect("damaged");
    let app = home.app(&server.url).await;
    let project = app.control.answer(&project, atelier_host::project::Answer::Skipped).await.expect("answered");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert!(project.state.question.is_some(), "it asks once more: {:?}", project.state.phase);
    let events = app.reader.store.events(&project.id, 0).await.expect("events");
    let told = events.iter().find(|event| event.kind == "diverged").expect("it is told");
    assert!(told.text.contains("an answer that can't be read"), "{}", told.text);
    let receipt = app.reader.store.receipt(&project.id).await.expect("a receipt");
    assert!(receipt.refunded.0 > 0, "what led nowhere is given back");
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_worker_on_the_same_file_is_refused_and_readers_are_not() {
    let home = Home::shipped();
    let app = home.app(NOWHERE).await;
    if Engine::of_tests() == Engine::Postgres {
        // A server has room for both.
        App::build(home.settings(NOWHERE)).await.expect("a second worker");
        return;
    }
    let error = App::build(home.settings(NOWHERE)).await.err().expect("a refusal").to_string();
    assert!(error.contains("another process works on") && error.contains("--data-dir"), "{error}");
    let reader = atelier_host::app::Reader::open(home.settings(NOWHERE)).await.expect("a reader");
    assert!(reader.store.history(1).await.expect("a listing").is_empty());
    drop(app);
    App::build(home.settings(NOWHERE)).await.expect("free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_whose_bytes_changed_is_refused() {
    let server = ModelServer::answering(replies()).await;
    let home = Home::shipped();
    let pinned = std::fs::read_dir(home.data().join("plugins")).expect("the plugins");
    for entry in pinned {
        let path = entry.expect("an entry").path();
        let mut bytes = std::fs::read(&path).expect("the bytes");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).expect("changed");
    }
    let app = home.app(&server.url).await;
    let project = app.control.create("local", "greet by name", None).await.expect("a project");
    let error = format!("{:#}", app.orchestrator.advance(project).await.expect_err("a refusal"));
    assert!(error.contains("was changed after it was pinned") && error.contains("atelier plugin pin"), "{error}");
    assert!(server.asked().is_empty(), "nothing ran");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_file_costs_its_own_place_in_the_index_and_nothing_else() {
    let home = Home::shipped();
    home.grant(|manifest| {
        for plugin in manifest.plugins.iter_mut().filter(|plugin| plugin.world == "indexer") {
            plugin.limits.fuel_millions = 1;
        }
    });
    let server = ModelServer::answering(replies()).await;
    let app = home.app(&server.url).await;
    let project = tests::home::begin_approved(&app, "greet by name").await;
    assert_eq!(project.state.phase, Phase::Delivered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceiling_that_was_named_is_kept_until_another_is_named() {
    let server = ModelServer::answering(replies()).await;
    let home = Home::shipped();
    let app = home.app(&server.url).await;
    let named = "60".parse().expect("an amount");
    let project = app.control.create("local", "greet by name", Some(named)).await.expect("a project");
    let project = app.orchestrator.advance(project).await.expect("it goes on");
    assert_eq!(app.reader.store.project_budget(&project.id).await.expect("a budget").limit, named);
    let project = app.control.resume(project, None).await.expect("resumed");
    assert_eq!(project.state.limit, Some(named), "a plan is approved under it");
    assert_eq!(app.reader.store.project_budget(&project.id).await.expect("a budget").limit, named);
    let project = app.control.approve(&project, named).await.expect("approved");
    let higher = "70".parse().expect("an amount");
    let project = app.control.resume(project, Some(higher)).await.expect("a building project takes another ceiling");
    assert_eq!(app.reader.store.project_budget(&project.id).await.expect("a budget").limit, higher);
    let lower = app.control.resume(project, Some("0.1".parse().expect("an amount"))).await;
    assert!(lower.expect_err("less than was spent").to_string().contains("are spent already"));
}
