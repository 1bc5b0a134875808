//! The program as a person or a script uses it: what it prints, and its exit codes.

use tests::conversation::Conversation;
use tests::home::{Home, read};
use tests::model_server::{Answer, ModelServer};
use tests::program::{atelier, atelier_beside};
use tests::root;
use tests::workshop::{Tasks, Workshop};

const NOWHERE: &str = "http://127.0.0.1:9/v1";

#[test]
fn without_a_model_the_three_ways_to_get_one_are_shown() {
    let ended = atelier(&Home::shipped(), "", &["run", "an idea"]);
    assert_eq!(ended.code, Some(2));
    for way in ["Ollama", "ATELIER_MODEL_KEY", "atelier demo"] {
        assert!(ended.err.contains(way), "{}", ended.err);
    }
}

#[test]
fn a_wrong_argument_ends_with_2_and_names_the_next_step() {
    let home = Home::shipped();
    for (arguments, expected) in [
        (&["show", "p123"][..], "there is no project `p123`; `atelier history` lists them"),
        (&["status", "../../etc"], "there is no project"),
        (&["resume", "p123"], "there is no project"),
        (&["run", ""], "the idea is empty"),
        (&["run", "an idea", "--answers", "no-such-file"], "no-such-file"),
        (&["run", "an idea", "--ceiling", "lots"], "lots"),
        (&["credits", "grant", "-5"], "5"),
        (&["audit", "--provider-log", "no-such-file"], "no-such-file"),
        (&["plugin", "pin", "no-such-file", "--manifest", "none"], "no-such-file"),
        (&["paint"], "paint"),
    ] {
        let ended = atelier(&home, NOWHERE, arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(expected), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn a_folder_with_something_in_it_is_found_out_before_anything_is_spent() {
    let home = Home::shipped();
    let out = home.beside("full");
    std::fs::create_dir_all(out.join("thing")).expect("a folder");
    let ended = atelier(&home, NOWHERE, &["run", "an idea", "--out", &out.display().to_string()]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("is not empty; choose another folder for --out"), "{}", ended.err);
}

#[test]
fn settings_that_make_no_sense_are_refused_at_the_start() {
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_MODEL_PRICE", "cheap".to_owned()));
    let ended = atelier(&home, NOWHERE, &["history"]);
    assert!(ended.code == Some(2) && ended.err.contains("INPUT/OUTPUT"), "{}", ended.err);
    let ended = atelier(&Home::shipped(), "http://example.org/v1", &["run", "an idea"]);
    assert!(ended.code == Some(2) && ended.err.contains("plain http to another machine"), "{}", ended.err);
}

#[test]
fn a_model_without_a_price_is_never_called() {
    let home = Home::shipped();
    let mut command = tests::program::command(&home, NOWHERE, &["run", "an idea"]);
    let output = command.env_remove("ATELIER_MODEL_PRICE").output().expect("it starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("the model `story` has no price; set ATELIER_MODEL_PRICE"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_run_from_the_terminal_leaves_a_sound_delivery() {
    let text = read(&root().join("tests/conversations/06-the-second-task-builds-on-the-first.md"));
    let replies = Conversation::read(&text).expect("a conversation").texts("model");
    let server = ModelServer::answering(replies.into_iter().map(Answer::Text)).await;
    let home = Home::shipped();
    let out = home.beside("out");
    let ended = atelier_beside(&home, &server.url, &["run", "two shapes", "--yes", "--json", "--out", &out.display().to_string()]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let report: serde_json::Value = serde_json::from_str(&ended.out).expect("standard output is the report");
    assert_eq!((&report["phase"], &report["receipt"]["calls"]), (&"delivered".into(), &7.into()));
    assert_eq!(report, serde_json::from_str::<serde_json::Value>(&read(&out.join("report.json"))).expect("the same report"));
    assert!(read(&out.join("REPORT.md")).contains("shapes.area(2, 3) is 6."));

    // The zip holds the project and the report, and the project runs.
    let zip = std::fs::File::open(out.join("project.zip")).expect("the zip");
    let mut zip = zip::ZipArchive::new(zip).expect("a sound zip");
    zip.extract(home.beside("unzipped")).expect("unpacked");
    let project = home.beside("unzipped").join("shapes");
    assert!(home.beside("unzipped/REPORT.md").exists() && project.join("README.md").exists());
    let run = std::process::Command::new("python3").arg("main.py").current_dir(&project).output().expect("python3 runs");
    assert_eq!(String::from_utf8_lossy(&run.stdout), "6\n");

    // Git itself finds nothing wrong with the history, which has one commit for each task.
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").arg("-C").arg(out.join("repository")).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    git(&["fsck", "--strict"]);
    assert_eq!(git(&["log", "--reverse", "--format=%an: %s"]), "Atelier: Areas\nAtelier: Print an area\n");
    assert_eq!(git(&["status", "--porcelain"]), "");
    assert!(!git(&["ls-files"]).contains("REPORT"));

    // What was stored can be looked at, and written out again.
    let id = report["project"].as_str().expect("an id");
    let status = atelier(&home, NOWHERE, &["status", id]);
    assert!(status.out.contains("delivered") && status.out.contains("accepted  T1 Areas"), "{}", status.out);
    assert!(atelier(&home, NOWHERE, &["history"]).out.contains(id));
    let shown = atelier(&home, NOWHERE, &["show", id]).out;
    assert!(shown.contains("Idea: two shapes") && shown.contains("approved: ceiling"), "{shown}");
    let again = home.beside("again");
    let ended = atelier(&home, NOWHERE, &["resume", id, "--out", &again.display().to_string()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(std::fs::read(out.join("project.zip")).expect("one"), std::fs::read(again.join("project.zip")).expect("two"));

    // The ledger agrees with what the provider says it served.
    std::fs::write(home.beside("log.jsonl"), server.log()).expect("the log");
    let audit = atelier(&home, NOWHERE, &["audit", "--provider-log", &home.beside("log.jsonl").display().to_string()]);
    assert_eq!(audit.code, Some(0), "{}", audit.out);
    assert!(audit.out.contains("7 served") && audit.out.contains(" 0 violations"), "{}", audit.out);
    std::fs::write(home.beside("log.jsonl"), server.log().lines().skip(1).collect::<Vec<_>>().join("\n")).expect("the log");
    let audit = atelier(&home, NOWHERE, &["audit", "--provider-log", &home.beside("log.jsonl").display().to_string()]);
    assert_eq!(audit.code, Some(4), "a call that the provider does not know must be found: {}", audit.out);
    let canary = [&ended.err, &ended.out, &shown, &status.out].into_iter().any(|text| text.contains("canary"));
    assert!(!canary, "the key shows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_can_be_cancelled_while_a_process_works_on_it_and_when_none_does() {
    let server = ModelServer::scripted(|_, _| Answer::Stall("size: XS".to_owned())).await;
    let home = Home::shipped();
    let mut child = tests::program::start(&home, &server.url, &["run", "an idea"]);
    while server.asked().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let listed = atelier_beside(&home, &server.url, &["history", "--json"]).await;
    let id = serde_json::from_str::<serde_json::Value>(&listed.out).expect("a listing")[0]["id"].as_str().expect("an id").to_owned();
    let ended = atelier_beside(&home, &server.url, &["cancel", &id]).await;
    let cancelled = std::time::Instant::now();
    assert!(ended.code == Some(0) && ended.out.contains("is asked to stop"), "{}{}", ended.out, ended.err);
    while server.left().is_empty() {
        assert!(cancelled.elapsed() < std::time::Duration::from_secs(1), "the provider's connection is still open");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let status = tokio::task::spawn_blocking(move || child.wait()).await.expect("a thread").expect("it ends");
    assert_eq!(status.code(), Some(5));
    assert_eq!(server.asked().len(), 1, "nothing more is asked");
    let held = atelier_beside(&home, &server.url, &["audit"]).await;
    assert_eq!(held.code, Some(0), "{}", held.out);
    let ended = atelier_beside(&home, &server.url, &["cancel", &id]).await;
    assert!(ended.out.contains("cancelled already"), "{}", ended.out);

    let down = ModelServer::scripted(|_, _| Answer::Status(500)).await;
    assert_eq!(atelier_beside(&home, &down.url, &["run", "another idea"]).await.code, Some(3));
    let listed = atelier_beside(&home, &down.url, &["history", "--json", "--limit", "1"]).await;
    let id = serde_json::from_str::<serde_json::Value>(&listed.out).expect("a listing")[0]["id"].as_str().expect("an id").to_owned();
    let ended = atelier_beside(&home, &down.url, &["cancel", &id]).await;
    assert!(ended.code == Some(0) && ended.out.contains("is cancelled"), "{}{}", ended.out, ended.err);
    assert_eq!(atelier_beside(&home, &down.url, &["audit"]).await.code, Some(0));
}

/// The id of the newest project.
async fn newest(home: &Home, url: &str) -> String {
    let listed = atelier_beside(home, url, &["history", "--json", "--limit", "1"]).await;
    serde_json::from_str::<serde_json::Value>(&listed.out).expect("a listing")[0]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_can_be_paused_and_watched_and_goes_on_where_it_was() {
    let workshop = Workshop::new(4, Tasks::Apart, || std::time::Duration::from_millis(500)).await;
    let (home, url) = (Home::shipped(), workshop.server.url.clone());
    let mut child = tests::program::start(&home, &url, &["run", "parts", "--yes"]);
    while workshop.server.asked().len() < 2 + 4 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let id = newest(&home, &url).await;
    let ended = atelier_beside(&home, &url, &["pause", &id]).await;
    assert!(ended.code == Some(0) && ended.out.contains("is asked to wait"), "{}{}", ended.out, ended.err);
    let status = tokio::task::spawn_blocking(move || child.wait()).await.expect("a thread").expect("it ends");
    assert_eq!(status.code(), Some(3));
    let asked = workshop.server.asked().len();
    assert_eq!(asked, 2 + 4, "no call begins after the wish");
    let again = atelier_beside(&home, &url, &["pause", &id]).await;
    assert!(again.out.contains("paused already"), "{}", again.out);

    let resume = {
        let (home, url, id) = (&home, &url, &id);
        async move { atelier_beside(home, url, &["resume", id, "--yes"]).await }
    };
    let watch = async {
        // It looks while the other one works, and ends with it.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        atelier_beside(&home, &url, &["watch", &id]).await
    };
    let (resumed, watched) = tokio::join!(resume, watch);
    assert_eq!(resumed.code, Some(0), "{}", resumed.err);
    assert_eq!(workshop.server.asked().len(), 2 + 4 * 2, "what was answered is not asked again");
    for words in ["brief", "planned", "paused     paused by the user", "written", "accepted", "delivered", "so far)"] {
        assert!(watched.out.contains(words), "`{words}` is missing:\n{}", watched.out);
    }
    let lines = atelier_beside(&home, &url, &["watch", &id, "--json"]).await;
    let spent: Vec<i64> = lines
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON")["spent"].as_i64().expect("an amount"))
        .collect();
    assert!(spent.is_sorted() && *spent.last().expect("events") > 0, "{spent:?}");
    assert_eq!(atelier_beside(&home, &url, &["audit"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_is_stuck_waits_for_a_choice() {
    let text = read(&root().join("tests/conversations/12-a-try-that-changes-nothing-stops-the-work.md"));
    let replies = Conversation::read(&text).expect("a conversation").texts("model");
    for give_up in [true, false] {
        let mut answers: Vec<Answer> = replies.iter().cloned().map(Answer::Text).collect();
        answers
            .push(Answer::Text("summary: a heading\n\nindex.html\n````\n<!doctype html><title>One</title><h1>One</h1>\n````\n".to_owned()));
        answers.push(Answer::Text("accept: there is a heading.".to_owned()));
        let server = ModelServer::answering(answers).await;
        let home = Home::shipped();
        let ended = atelier_beside(&home, &server.url, &["run", "a page", "--yes"]).await;
        assert_eq!(ended.code, Some(3), "{}", ended.err);
        for words in ["makes no progress", "there is still no heading", "--give-up", "strongest model"] {
            assert!(ended.err.contains(words), "`{words}` is missing:\n{}", ended.err);
        }
        let id = newest(&home, &server.url).await;
        let out = home.beside("out").display().to_string();
        let mut arguments = vec!["resume", id.as_str(), "--out", out.as_str()];
        if give_up {
            arguments.push("--give-up");
        }
        let ended = atelier_beside(&home, &server.url, &arguments).await;
        assert_eq!(ended.code, Some(if give_up { 4 } else { 0 }), "{}", ended.err);
        assert_eq!(server.asked().len(), if give_up { 6 } else { 8 });
        let again = atelier_beside(&home, &server.url, &["resume", &id, "--give-up"]).await;
        assert!(again.code == Some(2) && again.err.contains("is stuck"), "{}", again.err);
    }
}

#[test]
fn credits_are_granted_and_shown() {
    let home = Home::shipped();
    assert_eq!(atelier(&home, NOWHERE, &["credits", "grant", "2.5", "--reference", "gift"]).code, Some(0));
    assert_eq!(atelier(&home, NOWHERE, &["credits", "grant", "2.5", "--reference", "gift"]).code, Some(0));
    let balance = atelier(&home, NOWHERE, &["credits", "balance"]).out;
    assert!(balance.contains("2.5 credits") || balance.contains("10002.5 credits"), "{balance}");
    let ledger = atelier(&home, NOWHERE, &["credits", "ledger"]).out;
    assert_eq!(ledger.matches("gift").count(), 1, "{ledger}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_verified_again_and_what_was_tampered_with_is_named() {
    let text = read(&root().join("tests/conversations/07-what-was-run-is-verified.md"));
    let replies = Conversation::read(&text).expect("a conversation").texts("model");
    let server = ModelServer::answering(replies.into_iter().map(Answer::Text)).await;
    let home = Home::with_runners();
    let out = home.beside("out");
    let ended = atelier_beside(&home, &server.url, &["run", "leap years", "--yes", "--out", &out.display().to_string()]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("verified    R1"), "{}", ended.out);
    let report = read(&out.join("REPORT.md"));
    assert!(report.contains("2 of 2 tests passed") && report.contains("runner-python"), "{report}");
    let zip = out.join("project.zip");
    let verified = atelier(&home, NOWHERE, &["verify", &zip.display().to_string()]);
    assert!(
        verified.code == Some(0) && verified.out.contains("2 checks run again, 0 files tampered with, 0 checks differ"),
        "{}",
        verified.out
    );
    let stored = atelier(&home, NOWHERE, &["verify", &id_in(&out)]);
    assert_eq!(stored.code, Some(0), "{}", stored.out);

    let tampered = |name: &str, change: &dyn Fn(&str, String) -> Option<String>, added: Option<&str>| {
        let path = home.beside(name);
        rewrite_zip(&zip, &path, change, added);
        atelier(&home, NOWHERE, &["verify", &path.display().to_string()])
    };
    let code = tampered(
        "code.zip",
        &|name, text| Some(if name.ends_with("leap.py") && !name.contains("test") { text.replace("400", "401") } else { text }),
        None,
    );
    assert!(code.code == Some(4) && code.out.contains("TAMPERED  leap.py: its content was changed"), "{}", code.out);
    assert!(code.out.contains("DIFFERENT C1 (R1)"), "{}", code.out);
    let test = tampered("test.zip", &|name, text| Some(if name.contains("test_leap") { String::new() } else { text }), None);
    assert!(test.code == Some(4) && test.out.contains("TAMPERED  tests/test_leap.py: its content was changed"), "{}", test.out);
    let gone = tampered("gone.zip", &|name, text| (!name.ends_with("main.py")).then_some(text), None);
    assert!(gone.code == Some(4) && gone.out.contains("TAMPERED  main.py: it is missing"), "{}", gone.out);
    let more = tampered("more.zip", &|_, text| Some(text), Some("leap-years/extra.py"));
    assert!(more.code == Some(4) && more.out.contains("TAMPERED  extra.py: it was added"), "{}", more.out);
    let praise =
        tampered("praise.zip", &|name, text| Some(if name == "report.json" { text.replace("delivered", "praised") } else { text }), None);
    assert!(praise.code == Some(4) && praise.out.contains("TAMPERED  report.json"), "{}", praise.out);
    let elsewhere = atelier(&Home::with_runners(), NOWHERE, &["verify", &zip.display().to_string()]);
    assert!(elsewhere.code == Some(0) && elsewhere.err.contains("was not built here"), "{}{}", elsewhere.out, elsewhere.err);
    assert_eq!(atelier(&home, NOWHERE, &["verify", "p123"]).code, Some(2));
}

fn id_in(out: &std::path::Path) -> String {
    let report: serde_json::Value = serde_json::from_str(&read(&out.join("report.json"))).expect("a report");
    report["project"].as_str().expect("an id").to_owned()
}

/// A copy of the zip with each text as `change` makes it, and perhaps one more file.
fn rewrite_zip(from: &std::path::Path, to: &std::path::Path, change: &dyn Fn(&str, String) -> Option<String>, added: Option<&str>) {
    use std::io::{Read, Write};
    let mut old = zip::ZipArchive::new(std::fs::File::open(from).expect("the zip")).expect("a sound zip");
    let mut new = zip::ZipWriter::new(std::fs::File::create(to).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    for number in 0..old.len() {
        let mut entry = old.by_index(number).expect("an entry");
        let name = entry.name().expect("its name").into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("text");
        if let Some(text) = change(&name, text) {
            new.start_file(name, options).expect("begun");
            new.write_all(text.as_bytes()).expect("written");
        }
    }
    if let Some(name) = added {
        new.start_file(name, options).expect("begun");
        new.write_all(b"x = 1\n").expect("written");
    }
    new.finish().expect("finished");
}

#[test]
fn the_demo_says_that_it_is_a_recording_and_leaves_a_project_that_runs() {
    let home = Home::with_runners();
    let out = home.beside("out");
    let ended = atelier(&home, "", &["demo", "--out", &out.display().to_string()]);
    assert_eq!(ended.code, Some(0), "the prompts have changed since the recording (`make demo-record`): {}", ended.err);
    assert!(ended.err.contains("This is a recording"), "{}", ended.err);
    assert!(read(&out.join("REPORT.md")).contains("## Requirements"));
    let zip = std::fs::File::open(out.join("project.zip")).expect("the zip");
    zip::ZipArchive::new(zip).expect("a sound zip").extract(home.beside("unzipped")).expect("unpacked");
    let project = home.beside("unzipped/table-converter");
    let tests = std::process::Command::new("python3").args(["-m", "unittest", "tests/test_conversion.py"]).current_dir(&project).output();
    assert!(tests.expect("python3 runs").status.success(), "the delivered project fails its own tests");
    assert_eq!(atelier(&home, "", &["audit"]).code, Some(0));
}

#[test]
fn plugins_are_listed_with_their_imports_and_verified() {
    let home = Home::shipped();
    let imports = atelier(&home, NOWHERE, &["plugin", "list", "--imports"]);
    assert!(imports.out.lines().count() >= 10, "{}", imports.out);
    assert!(imports.out.lines().all(|line| line.split_once(' ').is_some_and(|(_, import)| import.starts_with("atelier:agent/"))));
    let verified = atelier(&home, NOWHERE, &["plugin", "verify"]);
    assert!(verified.code == Some(0) && verified.out.matches("good").count() == 4, "{}", verified.out);
    let doctor = atelier(&home, NOWHERE, &["doctor"]);
    assert!(doctor.out.contains("story"), "{}", doctor.out);
    assert!(!doctor.out.contains("canary"), "{}", doctor.out);
}
