//! The plugin author guide, followed to the letter: its commands are run in order, its code is that of the template, its manifest parses.

use atelier_host::plugins::manifest::{Grant, PluginManifest};
use std::time::Duration;
use tests::home::Home;
use tests::program::{command, file};
use tests::workshop::{Tasks, Workshop};

const GUIDE: &str = "documentation/plugin_author_guide.md";

/// The blocks of one language, in order.
fn blocks(language: &str) -> Vec<String> {
    let guide = file(GUIDE);
    let opening = format!("```{language}\n");
    let found: Vec<String> = guide.split(&opening).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect();
    assert!(!found.is_empty(), "{GUIDE} has no block of {language}");
    found
}

#[test]
fn no_block_of_the_guide_is_left_unlooked_at() {
    let guide = file(GUIDE);
    let opened: Vec<&str> = guide.lines().filter(|line| line.starts_with("```") && line.len() > 3).collect();
    let known = ["sh", "rust", "js", "toml"].map(|language| blocks(language).len()).iter().sum::<usize>();
    assert_eq!(opened.len(), known, "{opened:?}");
}

#[test]
fn the_guides_code_is_the_templates() {
    let javascript =
        ["src/plugin.js", "tests/strategy.test.js"].map(|name| file(&format!("plugins/templates/javascript/implementer/{name}")));
    for (language, template) in [("rust", file("plugins/templates/rust/implementer.rs")), ("js", javascript.concat())] {
        for block in blocks(language) {
            assert!(template.contains(&block), "this is not in the template any more:\n{block}");
        }
    }
}

#[test]
fn the_guides_manifest_is_the_templates_and_its_table_has_every_grant() {
    let template = file("plugins/templates/rust/plugin.implementer.toml.template");
    let [block] = blocks("toml").try_into().expect("one manifest");
    let filled = template.replace("{{name}}", "my-implementer").replace("{{api}}", "0.2.0");
    assert_eq!(block.trim(), filled.trim());
    toml::from_str::<PluginManifest>(&block).expect("it parses");
    for grant in [Grant::Llm, Grant::Credits, Grant::WorkspaceRead, Grant::WorkspaceWrite, Grant::Index, Grant::Checks, Grant::Dialogue] {
        assert!(file(GUIDE).contains(&format!("| `{grant}` |")), "{GUIDE}: `{grant}` is missing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_the_guide_has_a_project_built_by_a_new_plugin_in_either_language() {
    let workshop = Workshop::new(2, Tasks::Apart, || Duration::ZERO).await;
    let home = Home::shipped();
    // The program's folder goes in front of the path, as if it were installed; what is compiled is kept for the next time.
    let program = command(&home, &workshop.server.url, &["--version"]);
    let folder = std::path::Path::new(program.get_program()).parent().expect("a folder").display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let script = format!("set -e\n{}", blocks("sh").join("\n"));
    let mut bash = std::process::Command::new("bash");
    bash.arg("-c").arg(script).current_dir(home.beside("")).env("PATH", path).envs(home.environment(&workshop.server.url));
    bash.env("CARGO_TARGET_DIR", tests::target().join("new-plugins"));
    let ended = tokio::task::spawn_blocking(move || bash.output()).await.expect("the thread lives").expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{out}\n{err}");
    assert!(out.contains("my-implementer") && out.contains("good"), "{out}");
    for project in ["project", "second"] {
        assert!(home.beside(project).join("project.zip").exists(), "{project}\n{out}\n{err}");
    }
    let by_the_new_one =
        workshop.server.asked().iter().filter(|asked| asked.text().contains("You are a programmer. Answer with the files")).count();
    assert_eq!(by_the_new_one, 4, "one call for each task of both, without the shipped implementer");
}
