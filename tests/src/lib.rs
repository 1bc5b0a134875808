//! What the stories in `it/` share: a model server that says what it is told and checks what it is asked ([`model_server`]), a
//! data directory with pinned plugins ([`home`]), the database under it ([`database`]), the program itself ([`program`]) and conversations as files
//! ([`conversation`]). [`ideas`] is the suite that judges whole runs, [`torture`] kills them, [`workshop`] is a model for
//! projects of many tasks, [`people`] are those who speak with the bot; [`bot_conversation`] plays what they
//! say as a script, and [`bot_document`] puts the scripts into the document of the bot. [`registry`] is a real
//! registry of plugins, [`qdrant`] a double of a store of vectors. [`measure`], [`sandboxed`] and [`bare`] are for benchmarks.

pub mod bare;
pub mod bot_conversation;
pub mod bot_document;
pub mod conversation;
pub mod database;
pub mod home;
pub mod ideas;
pub mod measure;
pub mod model_server;
pub mod people;
pub mod program;
pub mod qdrant;
pub mod registry;
pub mod sandboxed;
pub mod torture;
pub mod workshop;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

/// Cargo's folder, found from the running program, so that another target folder works as well.
pub fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    let debug_or_release = program.ancestors().find(|path| path.ends_with("debug") || path.ends_with("release"));
    debug_or_release.and_then(Path::parent).expect("cargo builds into debug or release").to_owned()
}

/// These files as a zip: name and text.
pub fn zipped(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("a zip").into_inner()
}

/// Waits until it is so; what never is, is a failure.
pub async fn until(so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing moves");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
