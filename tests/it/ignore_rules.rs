//! A folder that is handed over: its ignore rules are git's own, held against `git check-ignore` on paths and rules that nobody thought out.

use atelier_host::workspace::folder::take;
use atelier_host::workspace::import::Why;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::home::{Home, read};
use tests::program::atelier_beside;

const ROUNDS: u64 = 8;
const PATHS_EACH: usize = 150;
const FOLDERS: &[&str] = &["src", "lib", "docs", "tmp", "gen", "a b", "Src", "x.d"];
const NAMES: &[&str] =
    &["a.py", "b.log", "c.txt", "d.min.js", "README", "x.tmp", "keep.log", "#note", "!odd", "e[1].py", "Ünï.txt", ".hidden"];
const RULES: &[&str] = &[
    "*.log",
    "!keep.log",
    "/src/*.py",
    "docs/**",
    "**/gen",
    "tmp/",
    "lib/*/c.txt",
    "!/docs/README",
    "a b/",
    "\\#note",
    "\\!odd",
    "d.*",
    "[ab].py",
    "e\\[1\\].py",
    "src/**/x.tmp",
    "?.txt",
    "# a comment",
    "",
    "x.tmp   ",
    "*/README",
    "**/src/lib/**",
    "!src/",
    "/gen/*",
    "!/gen/a.py",
    "Ün*",
    ".h*",
    "*",
    "!*/",
    "!*.py",
    "x.d/*.py",
    "lib",
    "!lib/a.py",
];

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        // An xorshift; quality does not matter, repetition does.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("small")
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn rules(&mut self, count: usize) -> String {
        (0..count).map(|_| format!("{}\n", self.of(RULES))).collect()
    }
}

/// A repository with files and rules; returns the paths of the files.
fn repository(folder: &Path, numbers: &mut Numbers) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    while paths.len() < PATHS_EACH {
        let depth = numbers.below(4);
        let folders: String = (0..depth).map(|_| format!("{}/", numbers.of(FOLDERS))).collect();
        paths.insert(format!("{folders}{}", numbers.of(NAMES)));
    }
    let inner = ["src", "docs/src", "lib"].map(|folder| (format!("{folder}/.gitignore"), numbers.rules(2)));
    let texts = paths.iter().map(|path| (path.clone(), path.clone())).chain([(".gitignore".to_owned(), numbers.rules(7))]).chain(inner);
    for (path, text) in texts {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    assert!(git(folder).args(["init", "-q"]).status().expect("git runs").success());
    paths
}

fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    git
}

/// The paths that git itself would leave out.
fn ignored_by_git(folder: &Path, paths: &BTreeSet<String>) -> BTreeSet<String> {
    let mut git = git(folder);
    git.args(["check-ignore", "--no-index", "--stdin", "-z"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = git.spawn().expect("git runs");
    let asked: String = paths.iter().map(|path| format!("{path}\0")).collect();
    let mut stdin = child.stdin.take().expect("its input");
    let writer = std::thread::spawn(move || stdin.write_all(asked.as_bytes()));
    let out = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("written");
    String::from_utf8(out.stdout).expect("text").split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

#[test]
fn what_a_folder_leaves_out_is_what_git_leaves_out() {
    let (mut numbers, mut looked_at, mut ignored) = (Numbers(0x5EED), 0, 0);
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = repository(folder.path(), &mut numbers);
        let imported = take(folder.path()).expect("a project");
        let ours: BTreeSet<String> = imported
            .left_out
            .iter()
            .filter(|(path, why)| **why == Why::Ignored && paths.contains(*path))
            .map(|(path, _)| path.clone())
            .collect();
        let theirs = ignored_by_git(folder.path(), &paths);
        let rules = std::fs::read_to_string(folder.path().join(".gitignore")).expect("the rules");
        let differ: Vec<&String> = ours.symmetric_difference(&theirs).collect();
        assert!(differ.is_empty(), "round {round}: {differ:?} under\n{rules}");
        looked_at += paths.len();
        ignored += theirs.len();
    }
    assert!(looked_at >= 1_000 && ignored > looked_at / 10 && ignored < looked_at * 9 / 10, "{ignored} of {looked_at}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_handed_over_as_it_is_and_stays_as_it_is() {
    let model = tests::model_server::ModelServer::scripted(|asked, _| {
        tests::workshop::answer(asked, 1, tests::workshop::Tasks::Apart)
            .map_or(tests::model_server::Answer::Status(500), tests::model_server::Answer::Text)
    })
    .await;
    let home = Home::shipped();
    for (path, text) in
        [("old/main.py", "print(1)\n"), ("old/.gitignore", "*.log\n"), ("old/x.log", "canary-4713\n"), ("old/.env", "KEY=canary-4714\n")]
    {
        let path = home.beside(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let ended = atelier_beside(&home, &model.url, &["run", "parts", "--project", "old", "--yes", "--out", "out"]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("2 files of the project are taken"), "{}", ended.err);
    for words in ["left out: .env (may hold secrets)", "left out: x.log (left out by an ignore file)"] {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }
    assert!(model.asked().iter().all(|asked| !asked.text().contains("canary-471")), "what was left out reaches no model");
    assert!(read(&home.beside("out/REPORT.md")).contains("2 files"), "the report says what it began from");
    assert_eq!(read(&home.beside("old/main.py")), "print(1)\n");
    let ended = atelier_beside(&home, &model.url, &["run", "parts", "--project", "nowhere", "--yes"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.err);
}
