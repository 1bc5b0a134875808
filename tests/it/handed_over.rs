//! A project that exists already is taken out of a zip, and only what is to be different in it is planned, built and judged.

use atelier_host::app::Reader;
use std::io::Read;
use tests::home::{Home, assert_audit, read};
use tests::model_server::{Answer, ModelServer};
use tests::program::{Ended, atelier, atelier_beside};
use tests::zipped;
use zip::ZipArchive;

const SHOP: &[(&str, &str)] = &[
    ("shop/basket.py", "def total(prices):\n    return sum(prices)\n"),
    ("shop/tests/test_basket.py", "import unittest\n"),
    ("shop/README.md", "# Shop\n\nAdds prices.\n"),
    ("shop/.env", "KEY=canary-4711\n"),
    ("shop/node_modules/x/index.js", "canary-4712\n"),
];
const BRIEF: &str = "size: XS\ntitle: Shop with a discount\nlanguage: python\nsummary: The shop, with a discount.\nrequirement: `total(prices, discount)` takes the discount off.\n";
const TEST: &str = "import unittest\nfrom basket import total\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(total([10, 10], 5), 15)\n        self.assertEqual(total([10, 10]), 20)\n";
const EDIT: &str =
    "summary: take a discount off\n\nbasket.py\n````\ndef total(prices, discount=0):\n    return sum(prices) - discount\n````\n";

fn plan(test: &str) -> String {
    format!(
        "design: basket.py as it is, with a discount.\nrun: python3 -c 'import basket'\n\ntask: Take a discount off\nneeds: -\nfiles: basket.py\ndo: Give total a discount.\n\ncheck: R1 unit-test {test}\n````python\n{TEST}````\n"
    )
}

/// A model that changes the shop; the plan's first test file is the second time another one.
async fn model(first_test: &'static str) -> ModelServer {
    let mut plans = 0;
    ModelServer::scripted(move |asked, _| {
        let text = asked.text();
        let answer = if text.contains("# Your task: ") {
            EDIT.to_owned()
        } else if text.contains("# The task\n\n") {
            "accept: it does.".to_owned()
        } else if text.contains("You turn a brief into a plan") {
            plans += 1;
            plan(if plans == 1 { first_test } else { "tests/test_discount.py" })
        } else {
            BRIEF.to_owned()
        };
        Answer::Text(answer)
    })
    .await
}

/// The shop, changed by the program.
async fn changed(first_test: &'static str) -> (ModelServer, Home, Ended) {
    let server = model(first_test).await;
    let home = Home::with(&["runner-python"]);
    std::fs::write(home.beside("shop.zip"), zipped(SHOP)).expect("written");
    let arguments = ["run", "Take a discount off", "--project", "shop.zip", "--yes", "--out", "out"];
    let ended = atelier_beside(&home, &server.url, &arguments).await;
    (server, home, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_changed_where_it_stands_and_its_own_files_stay_as_they_are() {
    let (server, home, ended) = changed("tests/test_discount.py").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.err.contains("3 files of the project") && ended.err.contains(".env (may hold secrets)"), "{}", ended.err);

    let asked = server.asked();
    assert!(asked.iter().all(|one| !one.text().contains("canary-47")), "what was left out is told to nobody");
    let told: Vec<bool> = asked.iter().map(|one| one.text().contains("handed over its 3 files")).collect();
    assert_eq!(told.iter().filter(|told| **told).count(), 2, "the architect knows what there is: {told:?}");
    assert!(
        asked.iter().any(|one| one.text().contains("return sum(prices)\n") && one.text().contains("# Your task: ")),
        "so does who changes it"
    );

    let mut zip = ZipArchive::new(std::fs::File::open(home.beside("out/project.zip")).expect("the zip")).expect("a zip");
    let mut names: Vec<String> =
        (0..zip.len()).map(|at| zip.by_index(at).expect("an entry").name().expect("a name").into_owned()).collect();
    names.sort();
    let folder = "shop-with-a-discount";
    let expected = ["README.md", "basket.py", "tests/test_basket.py", "tests/test_discount.py"].map(|name| format!("{folder}/{name}"));
    assert_eq!(names[..2], ["REPORT.md", "report.json"]);
    assert_eq!(names[2..], expected);
    let mut readme = String::new();
    zip.by_name(&format!("{folder}/README.md")).expect("it is there").read_to_string(&mut readme).expect("text");
    assert_eq!(readme, "# Shop\n\nAdds prices.\n", "their own");

    let report = read(&home.beside("out/REPORT.md"));
    assert!(
        report.contains("began from a project that was handed over: 3 files; left out: 1 made by tools, 1 may hold secrets"),
        "{report}"
    );
    assert!(report.contains("| **verified** |"), "the check failed on what was handed over, and passes now: {report}");
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git").arg("-C").arg(home.beside("out/repository")).args(arguments).output().expect("git");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(git(&["log", "--format=%s", "--reverse"]), "The project as it was handed over\nTake a discount off\n");
    assert_eq!(git(&["status", "--porcelain"]), "");
    let reader = Reader::open(home.settings(&server.url)).await.expect("the store");
    assert_audit(&reader.store, &[]).await;
    let id = reader.store.history(1).await.expect("a listing").remove(0).id;
    let events = reader.store.events(&id, 0).await.expect("events");
    assert!(events.iter().any(|event| event.kind == "handed over"), "{events:?}");
    let verified = atelier(&home, &server.url, &["verify", "out/project.zip"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let replayed = atelier(&home, &server.url, &["replay", &id]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_takes_the_place_of_no_file_that_was_handed_over() {
    let (server, _home, ended) = changed("tests/test_basket.py").await;
    assert_eq!(ended.code, Some(0), "the planner is told, and names another: {ended:?}");
    assert!(server.asked().iter().any(|one| one.text().contains("`tests/test_basket.py`: the project has a file of that name")));
}

#[test]
fn what_is_no_project_is_refused_before_anything_is_spent() {
    let home = Home::shipped();
    let many: Vec<String> = (0..1_600).map(|number| format!("f{number}.py")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1\n")).collect();
    let files: [(&str, Vec<u8>, &str); 4] = [
        ("no.zip", b"no zip".to_vec(), "pack the project's folder again"),
        ("empty.zip", zipped(&[(".env", "x")]), "holds no file of a project"),
        ("evil.zip", zipped(&[("../../evil.py", "x"), ("/etc/evil", "x")]), "holds no file of a project"),
        ("many.zip", zipped(&many), "pack only the project's own source files"),
    ];
    for (name, bytes, why) in files {
        std::fs::write(home.beside(name), bytes).expect("written");
        let ended = atelier(&home, "http://127.0.0.1:9/v1", &["run", "Change it", "--project", name]);
        assert!(ended.code != Some(0) && ended.err.contains(why), "{name}: {ended:?}");
    }
    let ended = atelier(&home, "http://127.0.0.1:9/v1", &["run", "Change it", "--project", "nowhere.zip"]);
    assert!(ended.code != Some(0) && ended.err.contains("nowhere.zip"), "{ended:?}");
    assert!(!home.beside("evil.py").exists());
}
