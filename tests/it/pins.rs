//! Which version of a plugin runs: what an operator does with the program to change it, and what keeps a bad one out.

use crate::replay::changed_implementer;
use atelier_host::plugins::lock::Pins;
use atelier_host::project::Phase;
use atelier_host::workspace::sha256;
use std::path::PathBuf;
use std::time::Duration;
use tests::home::{Home, assert_sound, begin_approved, begin_working, component};
use tests::program::{Ended, atelier};
use tests::root;
use tests::workshop::{Tasks, Workshop};

const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// The shipped plugins, and beside them a file with the next version of the implementer and its description.
struct Desk {
    home: Home,
    file: PathBuf,
    manifest: PathBuf,
}

impl Desk {
    fn new() -> Desk {
        let home = Home::shipped();
        let (file, manifest) = (home.beside("next.wasm"), home.beside("plugin.toml"));
        std::fs::write(&file, changed_implementer()).expect("the component");
        std::fs::copy(root().join("plugins/implementer/plugin.toml"), &manifest).expect("its description");
        Desk { home, file, manifest }
    }

    fn plugin(&self, arguments: &[&str]) -> Ended {
        atelier(&self.home, NOWHERE, &[&["plugin"], arguments].concat())
    }

    fn pin(&self, more: &[&str]) -> Ended {
        let (file, manifest) = (self.file.display().to_string(), self.manifest.display().to_string());
        self.plugin(&[&["pin", &file, "--manifest", &manifest], more].concat())
    }

    /// It is refused in these words, and what was pinned stays.
    fn refused(&self, ended: &Ended, words: &str) {
        assert!(ended.code == Some(2) || ended.code == Some(4), "{ended:?}");
        assert!(ended.err.contains(words), "{}", ended.err);
        assert_eq!(self.pinned(), sha256(&component("implementer")));
    }

    fn pinned(&self) -> String {
        let pins = Pins::read(&self.home.data()).expect("the pins");
        pins.load("implementer").expect("it is sound").1.sha256.clone()
    }
}

#[test]
fn a_version_is_pinned_and_the_one_before_comes_back_with_one_command() {
    let desk = Desk::new();
    let (old, new) = (sha256(&component("implementer")), sha256(&changed_implementer()));
    assert_eq!(desk.pin(&[]).code, Some(0));
    assert_eq!(desk.pinned(), new);
    assert!(desk.plugin(&["list"]).out.contains(&format!("before     atelier:agent/implementer@0.2.0 {old}")));
    assert_eq!(desk.plugin(&["rollback", "implementer"]).code, Some(0));
    assert_eq!(desk.pinned(), old);
    assert_eq!(desk.plugin(&["activate", "implementer", &new[..10]]).code, Some(0));
    assert_eq!(desk.pinned(), new);
    let unknown = desk.plugin(&["activate", "implementer", "abcdef012345"]);
    assert!(unknown.code != Some(0) && unknown.err.contains(&old[..12]), "{}", unknown.err);
    assert!(desk.plugin(&["rollback", "indexer"]).err.contains("there are: none"));
}

#[test]
fn a_version_that_traps_at_its_first_call_is_not_pinned() {
    let desk = Desk::new();
    desk.home.grant(|manifest| {
        for plugin in &mut manifest.plugins {
            plugin.limits.fuel_millions = 0;
        }
    });
    desk.refused(&desk.pin(&[]), "fuel_millions");
}

#[test]
fn a_version_that_fits_no_world_or_is_no_component_is_not_pinned() {
    let desk = Desk::new();
    std::fs::write(&desk.file, component("indexer")).expect("another plugin");
    desk.refused(&desk.pin(&[]), "it does not export `implement`");
    std::fs::write(&desk.file, b"\0asm, or not").expect("no component");
    desk.refused(&desk.pin(&[]), "can't be loaded");
}

#[test]
fn a_plugin_that_asks_for_more_is_pinned_without_it_and_the_operator_is_told_the_line() {
    let desk = Desk::new();
    let greedy = tests::home::read(&desk.manifest).replace("\"checks\"]", "\"checks\", \"dialogue\"]");
    std::fs::write(&desk.manifest, greedy).expect("the description");
    let ended = desk.pin(&[]);
    assert!(ended.code == Some(0) && ended.err.contains(r#"implement = ["dialogue"]"#), "{ended:?}");
    let pins = Pins::read(&desk.home.data()).expect("the pins");
    let granted = &pins.load("implementer").expect("it is sound").0.grants["implement"];
    assert!(!granted.contains(&atelier_host::plugins::manifest::Grant::Dialogue));
}

#[test]
fn a_signed_plugin_stays_signed_until_the_operator_says_otherwise() {
    let desk = Desk::new();
    let (key, manifest) = (desk.home.beside("key").display().to_string(), desk.manifest.display().to_string());
    let file = desk.file.display().to_string();
    let public = desk.plugin(&["keygen", &key]).out.trim().to_owned();
    desk.refused(&desk.pin(&["--signer", "studio"]), "does not know them");
    assert_eq!(desk.plugin(&["trust", "studio", &public]).code, Some(0));
    desk.refused(&desk.pin(&["--signer", "studio"]), "there is no signature");
    assert_eq!(desk.plugin(&["sign", &file, "--manifest", &manifest, "--key", &key]).code, Some(0));
    assert_eq!(desk.pin(&["--signer", "studio"]).code, Some(0));
    assert_eq!(desk.pinned(), sha256(&changed_implementer()));

    // The signature is of those bytes alone.
    std::fs::write(&desk.file, component("implementer")).expect("other bytes");
    let other = desk.pin(&[]);
    assert!(other.code != Some(0) && other.err.contains("not theirs"), "{other:?}");
    assert_eq!(desk.pinned(), sha256(&changed_implementer()));

    assert_eq!(desk.plugin(&["revoke", "studio"]).code, Some(0));
    let verified = desk.plugin(&["verify"]);
    assert!(verified.code != Some(0) && verified.out.contains("their key was revoked"), "{verified:?}");
    assert!(desk.plugin(&["trust", "studio", &public]).err.contains("was revoked"));
    assert_eq!(desk.pin(&["--insecure-unsigned"]).code, Some(0), "the word says what it is");
    assert_eq!(desk.pinned(), sha256(&component("implementer")));
}

#[test]
fn a_new_plugin_of_every_world_passes_its_own_tests_is_built_and_pinned() {
    let home = Home::empty();
    let parent = home.beside("new").display().to_string();
    for world in ["architect", "implementer", "indexer"] {
        let name = format!("my-{world}");
        let made = atelier(&home, NOWHERE, &["plugin", "new", &name, "--world", world, "--in", &parent]);
        assert_eq!(made.code, Some(0), "{}", made.err);
        let folder = made.out.trim().to_owned();
        // One folder for what all of them need.
        let native = tests::target().join("new-plugins");
        let own = std::process::Command::new("cargo")
            .args(["test", "-q", "--lib"])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", &native)
            .output();
        let own = own.expect("cargo runs");
        assert!(own.status.success(), "{}", String::from_utf8_lossy(&own.stderr));
        let wasm = native.join("wasm").display().to_string();
        let built = atelier(&home, NOWHERE, &["plugin", "build", &folder, "--target-dir", &wasm, "--pin"]);
        assert_eq!(built.code, Some(0), "{}", built.err);
    }
    let verified = atelier(&home, NOWHERE, &["plugin", "verify"]);
    assert!(verified.code == Some(0) && verified.out.matches("good").count() == 3, "{}", verified.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_with_the_plugin_that_it_began_with_though_another_one_plays_the_role_by_now() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::from_millis(400)).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let (id, work) = begin_working(&app, "parts").await;
    tests::until(async || workshop.server.asked().len() >= 3).await;
    // The process leaves in the middle of the implementer's call.
    work.abort();
    let _ = work.await;
    app.orchestrator.drain(Duration::from_secs(5)).await;
    drop(app);
    let manifest = atelier_host::plugins::manifest::PluginManifest::read(&root().join("plugins/implementer/plugin.toml"));
    let other = atelier_host::plugins::manifest::PluginManifest { name: "another".to_owned(), ..manifest.expect("a manifest") };
    home.pin(&other, &changed_implementer());
    assert_eq!(atelier(&home, NOWHERE, &["plugin", "use", "another"]).code, Some(0));

    let app = home.app(&workshop.server.url).await;
    let project = app.reader.store.project(&id).await.expect("the project");
    let project = app.control.resume(project, None).await.expect("resumed");
    assert_eq!(app.orchestrator.advance(project).await.expect("it goes on").state.phase, Phase::Delivered);
    let by = async |id: &str| {
        let runs = app.reader.store.runs(id).await.expect("runs");
        let written = runs.into_iter().filter(|run| run.step.starts_with("implement"));
        written.map(|run| (run.plugin, run.incarnations)).collect::<Vec<_>>()
    };
    assert_eq!(by(&id).await, [("implementer".to_owned(), 2)]);
    let next = begin_approved(&app, "parts").await;
    assert_eq!(by(&next.id).await, [("another".to_owned(), 1)]);
    assert_sound(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_runs_takes_the_next_version_for_what_begins_and_none_for_what_it_can_not_read() {
    let workshop = Workshop::new(1, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    let app = home.app(&workshop.server.url).await;
    let (old, new) = (sha256(&component("implementer")), sha256(&changed_implementer()));
    let written = async |id: &str| {
        let runs = app.reader.store.runs(id).await.expect("runs");
        runs.into_iter().find(|run| run.step.starts_with("implement")).expect("it was written").plugin_sha256
    };
    let first = begin_approved(&app, "parts").await;
    assert_eq!((first.state.phase, written(&first.id).await), (Phase::Delivered, old.clone()));

    let manifest = atelier_host::plugins::manifest::PluginManifest::read(&root().join("plugins/implementer/plugin.toml"));
    home.pin(&manifest.expect("a manifest"), &changed_implementer());
    let second = begin_approved(&app, "parts").await;
    assert_eq!((second.state.phase, written(&second.id).await), (Phase::Delivered, new.clone()));

    std::fs::write(home.data().join("plugins.lock"), "half a fi").expect("somebody's slip");
    let third = begin_approved(&app, "parts").await;
    assert_eq!((third.state.phase, written(&third.id).await), (Phase::Delivered, new));
    assert_sound(&app).await;
}
