//! Plugins in a registry: pushed and pulled by digest over the real protocol, with a real registry on loopback that is now and then broken into.

use tests::home::{Home, component};
use tests::program::{Ended, command};
use tests::registry::{LOGIN, OciRegistry, WRONG_LOGIN};
use tests::root;

const NOWHERE: &str = "http://127.0.0.1:9/v1";

/// The program, with the credentials of this folder, or none.
async fn atelier(home: &Home, credentials: Option<&std::path::Path>, words: &[&str]) -> Ended {
    let mut command = command(home, NOWHERE, words);
    let none = home.beside("no-credentials");
    command.env("DOCKER_CONFIG", credentials.unwrap_or(&none));
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the thread lives").expect("it starts");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Ended { code: output.status.code(), out, err }
}

/// Files of the shipped implementer as an author has them.
fn author(home: &Home) -> [String; 2] {
    let file = home.beside("implementer.wasm");
    std::fs::write(&file, component("implementer")).expect("written");
    [file, root().join("plugins/implementer/plugin.toml")].map(|path| path.display().to_string())
}

/// Pushed; the reference with its digest.
async fn pushed(home: &Home, registry: &OciRegistry) -> String {
    let [file, manifest] = author(home);
    let place = format!("{}/studio/implementer:1", registry.host);
    let ended = atelier(home, None, &["plugin", "push", &file, &place, "--manifest", &manifest]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_pushed_signed_and_added_by_tag_or_digest() {
    let (registry, home) = (OciRegistry::start(false).await, Home::empty());
    let [file, manifest] = author(&home);
    let key = home.beside("author.key").display().to_string();
    let public = atelier(&home, None, &["plugin", "keygen", &key]).await.out.trim().to_owned();
    let signed = atelier(&home, None, &["plugin", "sign", &file, "--manifest", &manifest, "--key", &key]).await;
    assert_eq!(signed.code, Some(0), "{}", signed.err);
    let exact = pushed(&home, &registry).await;
    assert!(exact.starts_with(&format!("{}/studio/implementer@sha256:", registry.host)), "{exact}");
    let trusted = atelier(&home, None, &["plugin", "trust", "studio", &public]).await;
    assert_eq!(trusted.code, Some(0), "{}", trusted.err);
    let by_tag = format!("{}/studio/implementer:1", registry.host);
    for reference in [by_tag.as_str(), exact.as_str()] {
        let added = atelier(&home, None, &["plugin", "add", reference, "--signer", "studio"]).await;
        assert_eq!(added.code, Some(0), "{reference}: {}", added.err);
        assert!(added.out.contains(&exact), "{}", added.out);
    }
    let listed = atelier(&home, None, &["plugin", "list", "--json"]).await;
    assert!(listed.out.contains(&exact) && listed.out.contains("\"signature\""), "{}", listed.out);
    let verified = atelier(&home, None, &["plugin", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_credentials_or_wrong_ones_gets_nothing_and_no_secret_is_told() {
    let (registry, home) = (OciRegistry::start(true).await, Home::empty());
    let [file, manifest] = author(&home);
    let place = format!("{}/studio/implementer:1", registry.host);
    let words = ["plugin", "push", &file, &place, "--manifest", &manifest];
    for credentials in [None, Some(registry.login(WRONG_LOGIN))] {
        let ended = atelier(&home, credentials.as_deref(), &words).await;
        assert!(ended.code == Some(2) && ended.err.contains("docker login"), "{:?} {}", ended.code, ended.err);
        assert!(!ended.err.contains("guess") && !ended.err.contains(WRONG_LOGIN), "{}", ended.err);
    }
    let login = registry.login(LOGIN);
    let ended = atelier(&home, Some(&login), &words).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let refused = atelier(&home, None, &["plugin", "add", &place]).await;
    assert!(refused.code == Some(2) && refused.err.contains("docker login"), "{:?} {}", refused.code, refused.err);
    let added = atelier(&home, Some(&login), &["plugin", "add", &place]).await;
    assert_eq!(added.code, Some(0), "{}", added.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_what_its_digest_says_is_refused_and_what_was_pinned_stays() {
    let (registry, home) = (OciRegistry::start(false).await, Home::empty());
    let exact = pushed(&home, &registry).await;
    assert_eq!(atelier(&home, None, &["plugin", "add", &exact]).await.code, Some(0));
    let before = tests::home::read(&home.data().join("plugins.lock"));
    let sha256 = atelier_host::workspace::sha256(&component("implementer"));
    // A byte of the component is another one.
    registry.tamper(&sha256, |bytes| bytes[1_000] ^= 1);
    let refused = atelier(&home, None, &["plugin", "add", &exact]).await;
    assert!(refused.code == Some(2) && refused.err.contains("something else than its digest says"), "{:?} {}", refused.code, refused.err);
    // More comes than was announced.
    registry.tamper(&sha256, |bytes| bytes.extend([0; 1_000]));
    assert_eq!(atelier(&home, None, &["plugin", "add", &exact]).await.code, Some(2));
    // The manifest names another component.
    let digest = exact.split_once('@').expect("a digest").1.to_owned();
    registry.tamper(&digest, |bytes| {
        let text = String::from_utf8(bytes.clone()).expect("JSON").replace(&sha256, &"0".repeat(64));
        *bytes = text.into_bytes();
    });
    let refused = atelier(&home, None, &["plugin", "add", &exact]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert_eq!(tests::home::read(&home.data().join("plugins.lock")), before);
    assert_eq!(atelier(&home, None, &["plugin", "verify"]).await.code, Some(0), "what is pinned still runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_down_slow_or_has_it_not_is_told() {
    let (registry, home) = (OciRegistry::start(false).await, Home::empty());
    let nothing = format!("{}/studio/nothing:1", registry.host);
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let slow = format!("{}/studio/implementer:1", deaf.local_addr().expect("its address"));
    for (reference, words) in [
        ("127.0.0.1:9/studio/implementer:1", "there is no connection"),
        (nothing.as_str(), "has no such plugin"),
        (slow.as_str(), "does not answer"),
        ("Not A Reference", "it is no reference"),
    ] {
        let ended = atelier(&home, None, &["plugin", "add", reference]).await;
        assert!(ended.code == Some(2) && ended.err.contains(words), "{reference}: {:?} {}", ended.code, ended.err);
    }
    assert!(!home.data().join("plugins.lock").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_change_is_told_before_anything_does() {
    let home = Home::shipped();
    let [file, manifest] = author(&home);
    let mut text = tests::home::read(std::path::Path::new(&manifest));
    text = text.replace("version = \"0.1.0\"", "version = \"0.2.0\"").replace("\"index\"", "\"credits\"");
    let changed = home.beside("plugin.toml").display().to_string();
    std::fs::write(&changed, text).expect("written");
    let before = tests::home::read(&home.data().join("plugins.lock"));
    let ended = atelier(&home, None, &["plugin", "diff", &file, "--manifest", &changed]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    for words in ["version: 0.1.0 -> 0.2.0", "asks for: + credits in implement", "asks for: - index in implement"] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    assert_eq!(tests::home::read(&home.data().join("plugins.lock")), before);
}
