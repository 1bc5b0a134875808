//! The index of a folder says what the folder says, whatever is in it and whatever happened on the way.

use atelier_host::index::cache::Cache;
use atelier_host::index::grep::grep;
use atelier_host::index::source::{Content, Entry, Folder, Listing, Source};
use atelier_host::index::update::{Chunker, update};
use atelier_host::index::{Chunk, FileIndex, IndexError, Symbol};
use atelier_host::workspace::import::Why;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tests::home::Home;
use tests::program::atelier;

const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// A chunk and a name for each line; it breaks at a word, as a grammar might, and counts what it read.
#[derive(Default)]
struct Lines {
    files: AtomicU64,
}

impl Chunker for Lines {
    async fn index_file(&self, _: &str, text: &str) -> Result<FileIndex, String> {
        self.files.fetch_add(1, Ordering::SeqCst);
        assert!(!text.contains("falls over"), "a fault of the host itself");
        if text.contains("breaks the grammar") {
            return Err("wasm trap: out of bounds".to_owned());
        }
        let mut index = FileIndex::default();
        for (line, text) in (1..).zip(text.lines()) {
            let name: String = text.split_whitespace().next().unwrap_or_default().to_owned();
            index.definitions.push(Symbol { name: name.clone(), kind: "line".into(), line });
            index.chunks.push(Chunk { name, kind: "line".into(), first_line: line, last_line: line, text: text.to_owned() });
        }
        Ok(index)
    }
}

/// A folder that is written and indexed.
struct Indexed {
    folder: TempDir,
    cache: Cache,
    lines: Arc<Lines>,
}

impl Indexed {
    async fn new() -> Indexed {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("work")).expect("made");
        let cache = Cache::open(&folder.path().join("index.db"), "story").await.expect("an index");
        Indexed { folder, cache, lines: Arc::default() }
    }

    fn work(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    async fn update(&self) -> atelier_host::index::update::Updated {
        update(&self.cache, &Folder::open(&self.work()).expect("a folder"), &self.lines, None).await.expect("an update")
    }

    /// Everything that it says, but how often it changed.
    async fn says(&self) -> Vec<String> {
        let mut said = Vec::new();
        for chunk in self.cache.chunks_after("", 0, u32::MAX).await.expect("chunks") {
            said.push(format!("{chunk:?}"));
        }
        said.push(format!("{:?} {:?}", self.cache.all_definitions().await.expect("names"), self.cache.left_out().await.expect("left out")));
        said.push(format!("{:?} {}", self.cache.status().await.expect("a status"), self.cache.fresh().await.expect("an answer").tree));
        for query in ["alpha", "beta gamma", "number seven", "alpha beta delta one two three"] {
            said.push(format!("{:?}", self.cache.search(query, 20).await.expect("found")));
        }
        said
    }

    async fn left_out(&self) -> BTreeMap<String, String> {
        self.cache.left_out().await.expect("left out").into_iter().map(|left| (left.path, left.why)).collect()
    }
}

#[tokio::test]
async fn an_index_that_was_brought_up_to_date_equals_one_made_anew() {
    let kept = Indexed::new().await;
    // Numbers that look like chance and are the same every time.
    let mut state: u64 = 7;
    let mut next = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let words = ["alpha", "beta", "gamma", "delta", "number", "seven", "one", "two", "three", "thing"];
    for round in 0..40 {
        for _ in 0..next(12) {
            let path = format!("d{}/f{}.txt", next(4), next(9));
            match next(5) {
                0 => drop(std::fs::remove_file(kept.work().join(&path))),
                // Another file of the same size.
                1 => kept.write(&path, format!("alpha {}\n", next(10))),
                _ => {
                    let text: String =
                        (0..next(20) + 1).map(|_| format!("{} {}\n", words[next(10) as usize], words[next(10) as usize])).collect();
                    kept.write(&path, text);
                }
            }
        }
        kept.update().await;
        let anew = Indexed::new().await;
        update(&anew.cache, &Folder::open(&kept.work()).expect("a folder"), &anew.lines, None).await.expect("an update");
        // One by one, so that a difference can be read.
        let (kept, anew) = (kept.says().await, anew.says().await);
        for (says, wanted) in kept.iter().zip(&anew) {
            assert_eq!(says, wanted, "round {round}");
        }
        assert_eq!(kept.len(), anew.len(), "round {round}");
    }
}

#[tokio::test]
async fn only_what_changed_is_read_and_every_answer_says_how_fresh_it_is() {
    let index = Indexed::new().await;
    for number in 0..30 {
        index.write(&format!("f{number}.txt"), format!("name{number} alpha\n"));
    }
    let first = index.update().await;
    assert_eq!((first.read, first.fresh.generation, first.fresh.pending_files), (30, 1, 0));
    // They were changed a moment before they were read: their times say nothing yet, their contents do.
    let again = index.update().await;
    assert_eq!((again.read, &again.fresh), (0, &first.fresh));
    index.write("f7.txt", "name7 beta\n");
    std::fs::remove_file(index.work().join("f8.txt")).expect("removed");
    let changed = index.update().await;
    assert_eq!((changed.read, changed.gone, changed.fresh.generation), (1, 1, 2));
    assert_ne!(changed.fresh.tree, first.fresh.tree);
    assert_eq!(index.lines.files.load(Ordering::SeqCst), 31);
    assert!(index.cache.definitions("name8", 5).await.expect("an answer").hits.is_empty(), "no ghost of a deleted file");
    let answer = index.cache.definitions("name7", 5).await.expect("an answer");
    assert_eq!((answer.fresh, answer.hits[0].text.as_str()), (changed.fresh, "name7 beta"));
}

#[tokio::test]
async fn whatever_is_in_a_folder_is_read_or_left_out_with_the_reason() {
    let index = Indexed::new().await;
    index.write("fine.txt", "fine alpha\n");
    index.write("windows.txt", "first alpha\r\nsecond beta\r\n");
    index.write("broken.txt", [b'a', 0xff, 0xfe, b'\n']);
    index.write("picture.png", [0x89, b'P', b'N', b'G', 0, 0]);
    index.write("bundle.min.js", "var a=1;".repeat(100_000));
    index.write("huge.txt", "alpha line\n".repeat(500_000));
    index.write("trap.txt", format!("breaks the grammar\n{}", "alpha\n".repeat(100)));
    index.write("deploy.txt", "-----BEGIN RSA PRIVATE KEY-----\nabc\n");
    index.write("notes.txt", format!("the key is AKIA{}\n", "Q".repeat(16)));
    index.write(".env", "KEY=1\n");
    index.write("node_modules/x/index.js", "alpha\n");
    index.write(".gitignore", "*.log\n");
    index.write("a.log", "alpha\n");
    std::os::unix::fs::symlink("..", index.work().join("loop")).expect("a link");
    std::os::unix::fs::symlink("/etc", index.work().join("etc")).expect("a link");
    let updated = index.update().await;
    assert_eq!(updated.fresh.pending_files, 0);
    let left = index.left_out().await;
    let expected = [
        (".env", "may hold secrets"),
        ("a.log", "left out by an ignore file"),
        ("broken.txt", "not a text"),
        ("bundle.min.js", "minified"),
        ("deploy.txt", "may hold secrets"),
        ("etc", "a link"),
        ("huge.txt", "larger than 1 MiB"),
        ("loop", "a link"),
        ("node_modules", "made by tools"),
        ("notes.txt", "may hold secrets"),
        ("picture.png", "not a text"),
        ("trap.txt", "wasm trap: out of bounds"),
    ];
    assert_eq!(left.iter().map(|(path, why)| (path.as_str(), why.as_str())).collect::<Vec<_>>(), expected);
    // What broke the grammar is found by its words all the same; what ends lines in two characters has names as any other.
    assert_eq!(index.cache.search("breaks grammar", 5).await.expect("found")[0].hit.path, "trap.txt");
    assert_eq!(index.cache.definitions("second", 5).await.expect("an answer").hits[0].first_line, 2);
    assert!(index.cache.search("QQQQQQQQQQQQQQQQ", 5).await.expect("found").is_empty());
}

#[tokio::test]
async fn an_update_that_ends_in_a_fault_never_says_that_it_is_complete() {
    let index = Indexed::new().await;
    index.write("a.txt", "alpha one\n");
    index.write("b.txt", "beta falls over\n");
    let folder = Folder::open(&index.work()).expect("a folder");
    let error = update(&index.cache, &folder, &index.lines, None).await.expect_err("interrupted");
    assert!(matches!(error, IndexError::Interrupted), "{error}");
    let fresh = index.cache.fresh().await.expect("an answer");
    assert!(fresh.pending_files > 0 && fresh.tree.is_empty(), "{fresh:?}");
    index.write("b.txt", "beta stands\n");
    let updated = index.update().await;
    assert_eq!((updated.fresh.pending_files, updated.fresh.generation), (0, 1));
    assert_eq!(index.cache.definitions("beta", 5).await.expect("an answer").hits.len(), 1);
}

/// A folder that changes between the look at it and the reading: a file goes, one becomes a link, one grows.
struct Moving;

impl Source for Moving {
    fn list(&self) -> Result<Listing, IndexError> {
        let entry = |path: &str| Entry { path: path.into(), size: 6, modified_ns: Some(1), digest: None };
        Ok(Listing { files: ["gone.txt", "grown.txt", "there.txt"].map(entry).to_vec(), left_out: Vec::new() })
    }

    fn read(&self, path: &str) -> Content {
        match path {
            "gone.txt" => Content::Gone,
            "grown.txt" => Content::LeftOut(Why::Large),
            _ => Content::Bytes(b"alpha\n".to_vec()),
        }
    }
}

#[tokio::test]
async fn a_folder_that_changes_while_it_is_read_has_an_index_of_what_was_read() {
    let index = Indexed::new().await;
    let updated = update(&index.cache, &Moving, &index.lines, None).await.expect("an update");
    assert_eq!((updated.read, updated.fresh.pending_files), (1, 0));
    assert_eq!(index.left_out().await, BTreeMap::from([("grown.txt".to_owned(), "larger than 1 MiB".to_owned())]));
    assert_eq!(index.cache.status().await.expect("a status").chunks, 1);
}

#[tokio::test]
async fn a_full_disk_leaves_the_index_as_it_was_and_is_said() {
    let index = Indexed::new().await;
    index.write("a.txt", "alpha one\n");
    index.update().await;
    index.cache.limit_pages(1).await.expect("a limit");
    index.write("b.txt", "beta two\n".repeat(5_000));
    let folder = Folder::open(&index.work()).expect("a folder");
    let error = update(&index.cache, &folder, &index.lines, None).await.expect_err("there is no room");
    assert!(error.to_string().contains("make room on the disk"), "{error}");
    let answer = index.cache.definitions("alpha", 5).await.expect("an answer");
    assert!(answer.hits.len() == 1 && answer.fresh.pending_files > 0, "it answers, and says that it is behind: {:?}", answer.fresh);
    index.cache.limit_pages(1_000_000).await.expect("space again");
    assert_eq!(index.update().await.fresh.pending_files, 0);
    assert_eq!(index.cache.search("beta", 5).await.expect("found")[0].hit.path, "b.txt");
}

#[tokio::test]
async fn lines_are_found_by_a_pattern_and_a_wrong_pattern_is_said() {
    let index = Indexed::new().await;
    index.write("a.txt", "one 1\ntwo 22\nthree\n");
    index.write("b.txt", "four 4\n");
    index.update().await;
    let answer = grep(&index.cache, r"\d$", 10).await.expect("an answer");
    let found: Vec<_> = answer.hits.iter().map(|hit| (hit.path.as_str(), hit.first_line)).collect();
    assert_eq!(found, [("a.txt", 1), ("a.txt", 2), ("b.txt", 1)]);
    assert_eq!(grep(&index.cache, r"\d$", 2).await.expect("an answer").hits.len(), 2);
    assert!(matches!(grep(&index.cache, "(", 2).await, Err(IndexError::Pattern { .. })));
}

fn json(home: &Home, work: &Path, arguments: &[&str]) -> Value {
    let work = work.display().to_string();
    let ended = atelier(home, NOWHERE, &[&["index"], arguments, &["--json", "--in", &work]].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    serde_json::from_str(&ended.out).expect("JSON")
}

#[test]
fn the_command_line_answers_about_any_folder_with_the_shipped_indexer() {
    let home = Home::shipped();
    let work = home.beside("work");
    std::fs::create_dir_all(work.join("shop")).expect("made");
    let write = |path: &str, text: &str| std::fs::write(work.join(path), text).expect("written");
    write(
        "shop/cart.py",
        "from shop.price import total_price\n\n\nclass Cart:\n    def checkout(self):\n        return total_price(self.items)\n",
    );
    write("shop/price.py", "TAX = 19\n\n\ndef total_price(items):\n    \"\"\"Sum of all items with tax.\"\"\"\n    return sum(items)\n");
    write("broken.py", "def fine():\n    pass\n\n\ndef broken(:\n");
    let found = json(&home, &work, &["search", "sum of items with tax"]);
    assert_eq!((&found["hits"][0]["path"], &found["hits"][0]["name"]), (&"shop/price.py".into(), &"total_price".into()), "{found}");
    assert_eq!((&found["generation"], &found["pending_files"]), (&1.into(), &0.into()));
    let symbol = json(&home, &work, &["symbol", "total_price"]);
    assert_eq!((&symbol["defined"]["hits"][0]["path"], &symbol["defined"]["hits"][0]["first_line"]), (&"shop/price.py".into(), &4.into()));
    assert_eq!(symbol["mentioned"]["hits"][0]["path"], "shop/cart.py");
    let outline = json(&home, &work, &["outline", "shop/cart.py"]);
    let names: Vec<_> = outline["hits"].as_array().expect("hits").iter().map(|hit| (hit["name"].clone(), hit["text"].clone())).collect();
    assert_eq!(names, [("Cart".into(), "class".into()), ("checkout".into(), "method".into())]);
    let map = json(&home, &work, &["map", "--near", "shop/cart.py"])["map"].as_str().expect("a map").to_owned();
    assert!(map.contains("class Cart") && map.contains("function total_price"), "{map}");
    let status = json(&home, &work, &["status"]);
    assert_eq!((&status["status"]["files"]["parsed"], &status["status"]["files_with_errors"]), (&3.into(), &1.into()), "{status}");
    assert_eq!(status["parse_errors"][0][0], "broken.py");
    // The next question sees what was written meanwhile, unless it is told not to look.
    write("shop/price.py", "def net_price(items):\n    return sum(items)\n");
    assert_eq!(json(&home, &work, &["symbol", "net_price", "--as-it-is"])["defined"]["hits"], Value::Array(Vec::new()));
    assert_eq!(json(&home, &work, &["symbol", "net_price"])["defined"]["generation"], 2);
    assert_eq!(json(&home, &work, &["grep", "^def "])["hits"].as_array().map(Vec::len), Some(3));
}

#[test]
fn what_the_index_cannot_do_is_said_with_the_next_step() {
    let home = Home::shipped();
    let said = |arguments: &[&str], words: &str| {
        let ended = atelier(&home, NOWHERE, arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {} {}", ended.out, ended.err);
        assert!(ended.err.contains(words), "{arguments:?}: {}", ended.err);
    };
    said(&["index", "build", "--in", "does/not/exist"], "can't be read");
    std::fs::create_dir_all(home.beside("empty")).expect("made");
    let empty = home.beside("empty").display().to_string();
    said(&["index", "build", "--vectors", "--in", &empty], "set ATELIER_EMBEDDER");
    said(&["index", "doctor", "--in", &empty], "at least 30 are needed");
    said(&["index", "grep", "(", "--in", &empty], "is no regular expression");
    let bare = Home::empty();
    let ended = atelier(&bare, NOWHERE, &["index", "build", "--in", &empty]);
    assert!(ended.code == Some(2) && ended.err.contains("make plugins"), "{}", ended.err);
}

#[test]
fn a_doctor_asks_the_code_its_own_comments() {
    let home = Home::shipped();
    let work = home.beside("work");
    std::fs::create_dir_all(&work).expect("made");
    let subjects = ["invoice", "customer", "parcel", "warehouse", "discount", "refund", "carrier", "address", "voucher", "ledger"];
    let verbs = ["print", "archive", "weigh", "validate"];
    for verb in verbs {
        let function = |subject: &&str| {
            format!(
                "def {verb}_{subject}(item):\n    \"\"\"Carefully {verb} every {subject} of a year.\"\"\"\n    return item.{subject}\n\n\n"
            )
        };
        std::fs::write(work.join(format!("{verb}.py")), subjects.iter().map(function).collect::<String>()).expect("written");
    }
    let diagnosis = json(&home, &work, &["doctor"]);
    assert_eq!(diagnosis["questions"], 40);
    // Names are all that is left to find them by, and they are enough.
    assert!(diagnosis["words"].as_f64().is_some_and(|ndcg| ndcg > 0.9), "{diagnosis}");
    assert_eq!(diagnosis["weight"], Value::Null);
}
