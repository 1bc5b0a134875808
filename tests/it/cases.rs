//! A plugin's cases: `atelier plugin test` runs it under the real host with a model that speaks from a file, and says what is not as it should be.

use crate::replay::changed_implementer;
use std::time::Duration;
use tests::home::{Home, begin_approved, component};
use tests::program::{Ended, atelier};
use tests::workshop::{Tasks, Workshop};
use tests::{root, target};

const NOWHERE: &str = "http://127.0.0.1:9/v1";
const CASE: &str = "cases/greeter.toml";

/// The folder of an architect in JavaScript with this case, and the command that tests it with the component that is there.
fn test(home: &Home, change: impl FnOnce(String) -> String) -> Ended {
    let name = "architect-javascript";
    let folder = target().join("tools/examples").join(name);
    let case = home.beside("greeter.toml");
    let text = std::fs::read_to_string(folder.join(CASE)).expect("its case; `make examples` makes it");
    std::fs::write(&case, change(text)).expect("written");
    let component = target().join("plugins").join(format!("{name}.wasm"));
    let [folder, component, case] = [folder, component, case].map(|path| path.display().to_string());
    atelier(home, NOWHERE, &["plugin", "test", &folder, "--component", &component, "--case", &case])
}

#[test]
fn a_case_shows_what_a_plugin_does_and_takes_and_that_it_repeats() {
    let home = Home::empty();
    let ended = test(&home, |case| case);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for words in ["good greeter: returned", "2 host calls", "2 model calls", "credits charged", "replayed: the same", "1 of 1 cases"] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    assert!(!home.data().join("plugins.lock").exists(), "nothing was pinned");
    let kept = std::fs::read_dir(home.data().join("plugins")).map_or(0, |entries| {
        entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "wasm"))).count()
    });
    assert_eq!(kept, 0, "and nothing kept");
}

#[test]
fn the_shipped_plugins_cases_come_out() {
    for name in ["implementer", "documenter"] {
        let home = Home::empty();
        let component = target().join("plugins").join(format!("{name}.wasm")).display().to_string();
        let folder = root().join("plugins").join(name).display().to_string();
        let ended = atelier(&home, NOWHERE, &["plugin", "test", &folder, "--component", &component]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    }
}

#[test]
fn the_case_of_a_plugin_in_python_comes_out_too() {
    let home = Home::empty();
    let name = "implementer-python";
    let folder = target().join("tools/examples").join(name).display().to_string();
    let component = target().join("plugins").join(format!("{name}.wasm")).display().to_string();
    let ended = atelier(&home, NOWHERE, &["plugin", "test", &folder, "--component", &component]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("good hello") && ended.out.contains("2 model calls"), "{}", ended.out);
}

#[test]
fn what_is_not_as_expected_is_said() {
    let home = Home::empty();
    let ended = test(&home, |case| case.replace("returns = \"It says good-bye.\"", "returns = \"It sings.\""));
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("it should return something with `It sings.`"), "{}", ended.out);
    let ended = test(&home, |case| case.replace("\"What a nice idea!\",", "").replace("\", \"there is no line `requirement: …`", ""));
    assert_eq!(ended.code, Some(0), "one reply is enough for one that can be read: {}{}", ended.out, ended.err);
    let ended = test(&home, |case| case.replace("\"What a nice idea!\",", "\"What?\", \"What a nice idea!\","));
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("gave up") && ended.out.contains("1 of 3 replies were not asked for"), "{}", ended.out);
    let ended =
        test(&home, |case| case.replace("\nreplies = [\n    \"What a nice idea!\",", "\nanswers = [").replace("asks = ", "asks = []\n# "));
    assert!(
        ended.code == Some(4) && ended.out.contains("it should return"),
        "without a reply the model is silent: {}{}",
        ended.out,
        ended.err
    );
}

#[test]
fn a_case_that_is_none_is_told_with_what_would_be_one() {
    let home = Home::empty();
    for (from, to, words) in [
        ("export = \"elicit\"", "export = \"sing\"", "there are elicit, make-plan, verify, implement and document"),
        ("export = \"elicit\"", "export = \"verify\"", "needs a [job.task]"),
        ("idea = ", "tune = ", "a job has no `tune`"),
        ("[expect]", "[hope]", "unknown field `hope`"),
    ] {
        let ended = test(&home, |case| case.replace(from, to));
        assert!(ended.code == Some(2) && ended.err.contains(words), "{words}: {:?} {}", ended.code, ended.err);
    }
    let ended = atelier(&home, NOWHERE, &["plugin", "test", &home.beside("").display().to_string()]);
    assert!(ended.code == Some(2) && ended.err.contains("there is no case in"), "{:?} {}", ended.code, ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_are_compared_on_a_case_and_on_recorded_work() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    drop(begin_approved(&home.app(&workshop.server.url).await, "parts").await);
    let asked = workshop.server.asked().len();
    let write = |name: &str, bytes: Vec<u8>| {
        let path = home.beside(name);
        std::fs::write(&path, bytes).expect("written");
        path.display().to_string()
    };
    let one = write("one.wasm", component("implementer"));
    let other = write("other.wasm", changed_implementer());
    let case = root().join("plugins/implementer/cases/hello.toml").display().to_string();
    let manifest = root().join("plugins/implementer/plugin.toml").display().to_string();
    let words = ["plugin", "compare", &one, &other, "--manifest", &manifest, "--case", &case, "--projects", "5"];
    let ended = atelier(&home, &workshop.server.url, &words);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let line = |beginning: &str| {
        ended.out.lines().find(|line| line.starts_with(beginning)).unwrap_or_else(|| panic!("{beginning}: {}", ended.out))
    };
    assert!(line("case hello").contains("good") && line("case hello").contains("request 1 should have"), "{}", ended.out);
    assert!(line("run ").contains("implement") && line("run ").contains("the same") && line("run ").contains("parts at"), "{}", ended.out);
    assert!(line("one:").contains("2 of 2 as they should be") && line("other:").contains("0 of 2"), "{}", ended.out);
    assert_eq!(workshop.server.asked().len(), asked, "nobody was asked but the case");
    let nothing = atelier(&home, &workshop.server.url, &words[..6]);
    assert!(nothing.code == Some(2) && nothing.err.contains("name cases with --case FILE"), "{:?} {}", nothing.code, nothing.err);
}
