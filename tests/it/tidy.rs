//! The architecture as absences: who must not know what. Each failure says what to do about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tests::home::read;
use tests::root;

/// Every Rust file below a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Lines of code with this word, outside of the places that may have it.
fn only_in(word: &str, places: &[&str], advice: &str) {
    for path in sources("host/src") {
        let name = relative(&path);
        if places.iter().any(|place| name.starts_with(place)) {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            assert!(!code.contains(word), "{name}:{}: `{word}` belongs in {}: {advice}", number + 1, places.join(", "));
        }
    }
}

#[test]
fn only_the_store_and_the_file_of_an_index_speak_sql() {
    only_in("sqlx", &["host/src/store/", "host/src/index/cache/"], "ask the store, or the index, in the application's words");
}

#[test]
fn only_llm_and_a_front_ends_edge_open_connections() {
    let ways_out = ["host/src/llm/", "host/src/telegram/api.rs"];
    only_in("reqwest", &ways_out, "an agent's only way out is a model call, a front end's is the server it speaks for");
}

#[test]
fn only_distribution_speaks_with_registries() {
    only_in("oci_client", &["host/src/plugins/distribution.rs"], "a plugin that is pinned comes from the store, whatever a registry says");
}

#[test]
fn only_the_edge_of_the_index_knows_qdrant_and_models() {
    only_in("qdrant_client", &["host/src/index/dense/qdrant.rs"], "the trait `Vectors` is what the rest knows");
    only_in("candle", &["host/src/index/dense/bert.rs"], "the trait `Embedder` is what the rest knows");
}

#[test]
fn only_the_bots_edge_knows_telegrams_types() {
    only_in("teloxide", &["host/src/telegram/"], "the conversation is the same wherever it is held");
}

#[test]
fn only_plugins_know_wasmtime() {
    only_in("wasmtime", &["host/src/plugins/"], "convert at the edge and pass our own nouns on");
}

#[test]
fn only_front_ends_and_the_recording_serve_http() {
    only_in("axum", &["host/src/recording/", "host/src/telegram/webhook.rs"], "a front end has a folder of its own");
}

#[test]
fn only_the_terminal_prints() {
    for word in ["println!", "print!("] {
        only_in(word, &["host/src/cli/", "host/src/main.rs"], "return a value, or log");
    }
}

#[test]
fn the_centre_is_pure() {
    for path in ["host/src/project", "host/src/chat"].into_iter().flat_map(sources) {
        for word in ["std::fs", "SystemTime", "Instant::now", "tokio", "rand", "uuid"] {
            assert!(!read(&path).contains(word), "{}: `{word}`: the state machine takes values and returns values", relative(&path));
        }
    }
}

#[test]
fn nothing_unsafe_is_written_here() {
    for path in ["host/src", "tests/src", "tests/it"].into_iter().flat_map(sources) {
        let text = read(&path);
        // Split, so that this file does not find itself.
        for word in [concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("unsafe", " impl")] {
            assert!(!text.contains(word), "{}: `{word}`", relative(&path));
        }
    }
}

#[test]
fn each_file_opens_with_its_reason() {
    for path in ["host/src", "plugins", "tests/src", "tests/it", "tests/guests/src"].into_iter().flat_map(sources) {
        assert!(read(&path).starts_with("//!"), "{}: say in a `//!` paragraph what this file is for", relative(&path));
    }
}

#[test]
fn every_variable_is_in_the_reference() {
    let reference = read(&root().join("documentation/high_level_documentation.md"));
    for (variable, _) in atelier_host::settings::VARIABLES {
        assert!(reference.contains(&format!("`{variable}`")), "documentation/high_level_documentation.md: `{variable}` is missing");
    }
    for word in reference.split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_' || letter.is_ascii_digit())) {
        let known = word == "ATELIER_WASM_TOOLCHAIN" || atelier_host::settings::VARIABLES.iter().any(|(variable, _)| *variable == word);
        assert!(!word.starts_with("ATELIER_") || known, "documentation/high_level_documentation.md names `{word}`, which nothing reads");
    }
}

#[test]
fn every_table_and_column_is_in_the_data_dictionary() {
    let dictionary = read(&root().join("documentation/ddd.md"));
    for column in columns("postgres") {
        let (table, name) = column.split_once('.').expect("TABLE.COLUMN");
        for name in [table, name] {
            assert!(dictionary.contains(&format!("`{name}`")), "documentation/ddd.md: `{column}` is missing");
        }
    }
}

#[test]
fn the_policy_of_unknown_outcomes_is_in_the_documents() {
    let document = read(&root().join("documentation/ddd.md"));
    for rule in atelier_host::llm::unknown::POLICY {
        let row = format!("| `{}` | {:?} | {:?} | {} |", rule.dialect.as_str(), rule.outcome, rule.resolution, rule.why);
        assert!(document.contains(&row), "documentation/ddd.md, section 5.5: this row is missing or another: {row}");
    }
}

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    // A table that was made anew had another name for a moment.
    let sqlite: BTreeSet<String> = columns("sqlite").iter().map(|column| column.replace("_next.", ".")).collect();
    let mut postgres = columns("postgres");
    // Full-text search is each database's own: a virtual table there, a vector of words here.
    postgres.retain(|column| !column.starts_with("chunk."));
    assert_eq!(sqlite, postgres);
}

/// `TABLE.COLUMN` of all migrations of a database.
fn columns(database: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut table = String::new();
    let folder = std::fs::read_dir(root().join("migrations").join(database)).expect("a folder");
    let mut files: Vec<_> = folder.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let all: String = files.iter().map(|path| read(path)).collect();
    for line in all.lines() {
        let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_end_matches([',', ';'])).collect();
        match words.as_slice() {
            ["create", "table", name, "("] => (*name).clone_into(&mut table),
            ["drop", "table", name] => found.retain(|column: &String| !column.starts_with(&format!("{name}."))),
            ["alter", "table", name, "add", "column", column, ..] => drop(found.insert(format!("{name}.{column}"))),
            [column, "text" | "integer" | "bigint" | "blob" | "bytea", ..] if !table.is_empty() => {
                found.insert(format!("{table}.{column}"));
            }
            [closing, ..] if closing.starts_with(')') => table.clear(),
            _ => {}
        }
    }
    found
}
