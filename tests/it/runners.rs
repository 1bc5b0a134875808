//! A project's own code, executed in the sandbox: what is right is verified, what is wrong is rejected, and what is hostile is
//! contained with its reason told.

use atelier_host::checks::Checks;
use atelier_host::plugins::registry::Registry;
use atelier_host::project::{Acceptance, Check, CheckResult, CheckStatus, CommandStep, Matching, Phase, SourceFile};
use atelier_host::workspace::path::ProjectPath;
use atelier_host::workspace::{File, Files};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::conversation::Conversation;
use tests::home::{Home, begin_approved, read};
use tests::model_server::{Answer, ModelServer};
use tests::root;

const PYTHON: &str = "runner-python";
const JAVASCRIPT: &str = "runner-javascript";
const PYTHON_TEST: &str = "import unittest\n\nfrom solution import answer\n\n\nclass TestAnswer(unittest.TestCase):\n    def test_answer(self):\n        self.assertEqual(answer(), 42)\n\n\ndef test_answer():\n    assert answer() == 42, answer()\n";
const JAVASCRIPT_TEST: &str = "const test = require('node:test');\nconst assert = require('node:assert');\nconst { answer } = require('../solution.js');\n\ntest('answer', async () => {\n  assert.strictEqual(await answer(), 42);\n});\n";

fn checks(runners: &[&str]) -> (Home, Checks) {
    let home = Home::with(runners);
    let registry = Registry::open(&home.data()).expect("a registry");
    (home, Checks::new(Arc::new(registry)))
}

fn files(texts: &[(&str, &str)]) -> Files {
    texts
        .iter()
        .map(|(path, text)| {
            let file = File { bytes: text.as_bytes().to_vec().into(), executable: false };
            (ProjectPath::parse(path).expect("a path"), file)
        })
        .collect()
}

async fn run(checks: &Checks, files: &Files, check: Check) -> CheckResult {
    let acceptance = Acceptance { id: "C1".into(), requirement: "R1".into(), check };
    checks.run(files, &[acceptance]).await.remove(0)
}

fn unit_test(path: &str, text: &str) -> Check {
    Check::UnitTest(SourceFile { path: path.into(), text: text.into() })
}

fn command(arguments: &[&str], stdin: &str, stdout: Matching, exit_code: i32) -> CommandStep {
    CommandStep { arguments: arguments.iter().map(|word| (*word).to_owned()).collect(), stdin: stdin.into(), stdout, exit_code }
}

/// Every program of `tests/hostile/`, one language at a time.
async fn hostile(runner: &str, ending: &str, solution: &str, test: Check) {
    let (_home, checks) = checks(&[runner]);
    let mut names: Vec<_> =
        std::fs::read_dir(root().join("tests/hostile")).expect("the programs").map(|entry| entry.expect("an entry").path()).collect();
    names.retain(|path| path.extension().is_some_and(|known| known == ending));
    names.sort();
    assert!(names.len() >= 15, "programs are missing");
    let mut wrong = Vec::new();
    for path in names {
        let text = read(&path);
        let expected = text.lines().next().unwrap_or_default().trim_start_matches(['#', '/', ' ']).to_owned();
        let started = Instant::now();
        let result = run(&checks, &files(&[(solution, &text)]), test.clone()).await;
        let elapsed = started.elapsed();
        let verified = result.status == CheckStatus::Passed;
        let (verdict, words) = expected.split_once(':').map_or((expected.as_str(), ""), |(verdict, words)| (verdict, words));
        let allowed = match (verified, verdict.trim()) {
            (true, verdict) => verdict.starts_with("verified"),
            (false, "verified") => false,
            (false, _) => words.split('|').any(|word| result.detail.to_lowercase().contains(&word.trim().to_lowercase())),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!(
            "{name:<28} {:<10} {:>6} ms  {}",
            if verified { "verified" } else { "rejected" },
            elapsed.as_millis(),
            result.detail.lines().nth(1).unwrap_or(&result.detail)
        );
        if !allowed || elapsed > Duration::from_secs(60) {
            wrong.push(format!("{name}: expected `{expected}`, got {:?} after {elapsed:?}: {}", result.status, result.detail));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_python_is_contained_and_never_verified() {
    hostile(PYTHON, "py", "solution.py", unit_test("tests/test_answer.py", PYTHON_TEST)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_javascript_is_contained_and_never_verified() {
    hostile(JAVASCRIPT, "js", "solution.js", unit_test("tests/answer.test.js", JAVASCRIPT_TEST)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plans_test_is_run_and_not_the_projects() {
    let (_home, checks) = checks(&[PYTHON]);
    let project = files(&[("solution.py", "def answer():\n    return 41\n"), ("tests/test_answer.py", "def test_answer():\n    pass\n")]);
    let result = run(&checks, &project, unit_test("tests/test_answer.py", PYTHON_TEST)).await;
    assert_eq!(result.status, CheckStatus::Failed, "{}", result.detail);
    assert!(result.detail.contains("41"), "{}", result.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_share_one_tree_and_are_compared_by_the_host() {
    let (_home, checks) = checks(&[PYTHON, JAVASCRIPT]);
    let tool = "import pathlib, sys\nnotes = pathlib.Path('notes.txt')\nif sys.argv[1:] == ['add']:\n    notes.write_text((notes.read_text() if notes.exists() else '') + sys.stdin.read())\nelif sys.argv[1:] == ['list']:\n    print(notes.read_text(), end='')\nelse:\n    print('usage: add|list', file=sys.stderr)\n    sys.exit(2)\n";
    let project = files(&[("tool.py", tool)]);
    let add = command(&["python3", "tool.py", "add"], "milk\n", Matching::Anything, 0);
    let list = |expected: &str| command(&["python3", "tool.py", "list"], "", Matching::Exact(expected.into()), 0);
    let good = run(&checks, &project, Check::Command(vec![add.clone(), add.clone(), list("milk\nmilk\n")])).await;
    assert_eq!(good.status, CheckStatus::Passed, "{}", good.detail);
    assert_eq!(good.ran.expect("it ran").command, "python3 tool.py add && python3 tool.py add && python3 tool.py list");
    let bad = run(&checks, &project, Check::Command(vec![add, list("eggs\n")])).await;
    assert!(bad.status == CheckStatus::Failed && bad.detail.contains(r#"printed "milk\n" instead of "eggs\n""#), "{}", bad.detail);
    let usage = run(&checks, &project, Check::Command(vec![command(&["python3", "tool.py"], "", Matching::Exact(String::new()), 0)])).await;
    assert!(usage.detail.contains("ended with 2 instead of 0") && usage.detail.contains("usage: add|list"), "{}", usage.detail);
    let node = files(&[("tool.js", "process.stdin.on('data', (text) => console.log(String(text).trim().length));")]);
    let counted = run(&checks, &node, Check::Command(vec![command(&["node", "tool.js"], "12345\n", Matching::Exact("5".into()), 0)])).await;
    assert_eq!(counted.status, CheckStatus::Passed, "{}", counted.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_do_not_parse_and_links_that_lead_nowhere_are_found() {
    let (_home, checks) = checks(&[PYTHON, JAVASCRIPT]);
    let page = "<!doctype html><html><head><title>T</title><link rel=\"stylesheet\" href=\"style.css\"><script src=\"app.js\"></script></head><body><p>x</p></body></html>";
    for (path, text, expected) in [
        ("a.py", "def f(:\n", "a.py:1"),
        ("a.js", "function (", "a.js:1"),
        ("a.ts", "const a: number = ;", "a.ts:1"),
        ("page.html", page, "app.js"),
        ("page.html", "<!doctype html><title>T</title><div><p>x</div></span>", "span"),
    ] {
        let project = files(&[(path, text), ("style.css", "p {}\n")]);
        let result = run(&checks, &project, Check::Parses(vec![path.into()])).await;
        assert!(result.status == CheckStatus::Failed && result.detail.contains(expected), "{path}: {:?} {}", result.status, result.detail);
    }
    let good = files(&[
        ("page.html", page),
        ("style.css", "p {}\n"),
        ("app.js", "let a = 1;\n"),
        ("a.ts", "const a: number = 1;\n"),
        ("a.py", "a = 1\n"),
    ]);
    let result = run(&checks, &good, Check::Parses(vec!["page.html".into(), "app.js".into(), "a.ts".into(), "a.py".into()])).await;
    assert_eq!(result.status, CheckStatus::Passed, "{}", result.detail);
    let loads =
        run(&checks, &files(&[("lib/a.py", "import lib.b\n"), ("lib/b.py", "x = 1\n")]), Check::Loads(vec!["lib/a.py".into()])).await;
    assert_eq!(loads.status, CheckStatus::Passed, "{}", loads.detail);
    let loads = run(&checks, &files(&[("a.mjs", "import './missing.mjs';\n")]), Check::Loads(vec!["a.mjs".into()])).await;
    assert!(loads.status == CheckStatus::Failed && loads.detail.contains("missing.mjs"), "{}", loads.detail);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_runner_is_not_run_and_says_so() {
    let (_home, checks) = checks(&[PYTHON, JAVASCRIPT]);
    let project = files(&[("main.rs", "fn main() {}\n")]);
    for (check, expected) in [
        (Check::Parses(vec!["main.rs".into()]), "no parser for rust"),
        (unit_test("tests/a.rs", "#[test] fn a() {}"), "no runner for rust"),
        (Check::Command(vec![command(&["cargo", "run"], "", Matching::Anything, 0)]), "no runner for `cargo`"),
        (Check::Judgement("taste".into()), "for a person to judge: taste"),
        (unit_test("tests/test_none.py", "x = 1\n"), "holds no test"),
    ] {
        let result = run(&checks, &project, check).await;
        assert!(result.status == CheckStatus::NotRun && result.detail.contains(expected), "{:?}: {}", result.status, result.detail);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_check_gives_the_same_output_hash() {
    let (_home, checks) = checks(&[PYTHON]);
    let project = files(&[(
        "solution.py",
        "import random, time, uuid\n\n\ndef answer():\n    print(random.random(), time.time(), uuid.uuid4(), {'a', 'b', 'c'})\n    return 42\n",
    )]);
    let step = command(&["python3", "-c", "from solution import answer; answer()"], "", Matching::Anything, 0);
    let one = run(&checks, &project, Check::Command(vec![step.clone()])).await;
    let two = run(&checks, &project, Check::Command(vec![step])).await;
    assert_eq!(one.status, CheckStatus::Passed, "{}", one.detail);
    assert_eq!(one.ran, two.ran);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_can_be_left_out_to_measure_what_it_is_worth() {
    for (switch, conversation, calls, told) in [
        ("verifier", "07-what-was-run-is-verified.md", 4, ""),
        ("parse_gate", "08-what-does-not-parse-is-not-written.md", 5, "these checks fail"),
        ("index", "08-what-does-not-parse-is-not-written.md", 5, "does not parse"),
    ] {
        let text = read(&root().join("tests/conversations").join(conversation));
        let replies = Conversation::read(&text).expect("a conversation").texts("model");
        let server = ModelServer::answering(replies.into_iter().map(Answer::Text)).await;
        let home = Home::with(&[PYTHON]);
        std::fs::write(home.beside("atelier.toml"), format!("[without]\n{switch} = true\n")).expect("settings");
        let app = home.app(&server.url).await;
        let project = begin_approved(&app, "an idea").await;
        assert_eq!(project.state.phase, Phase::Delivered, "without {switch}");
        let asked = server.asked();
        assert_eq!(asked.len(), calls, "without {switch}");
        assert!(asked.iter().any(|asked| asked.text().contains(told)), "without {switch}");
    }
}
