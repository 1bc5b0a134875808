//! The program `atelier`, started as a person does.

use crate::home::Home;
use crate::{root, target};
use std::io::Write;
use std::process::{Child, Command, Stdio};

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The command, with the settings of this story and nothing else of Atelier's in its environment.
pub fn command(home: &Home, model_url: &str, arguments: &[impl AsRef<str>]) -> Command {
    // Beside a benchmark is the program in the same profile.
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("atelier")).filter(|program| program.exists());
    let program = beside.unwrap_or_else(|| target().join("debug").join("atelier"));
    assert!(program.exists(), "{} is missing; `make test` builds it", program.display());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ATELIER_")) {
        command.env_remove(name);
    }
    command.envs(home.environment(model_url)).args(arguments.iter().map(AsRef::as_ref)).current_dir(home.beside("")).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn atelier(home: &Home, model_url: &str, arguments: &[&str]) -> Ended {
    let output = command(home, model_url, arguments).output().expect("it starts");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// As [`atelier`], without keeping the test's own tasks (such as the model server) from running.
pub async fn atelier_beside(home: &Home, model_url: &str, arguments: &[&str]) -> Ended {
    let mut command = command(home, model_url, arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the thread lives").expect("it starts");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// As [`atelier_beside`], with something on its standard input.
pub async fn atelier_reading(home: &Home, model_url: &str, arguments: &[&str], input: &str) -> Ended {
    let mut command = command(home, model_url, arguments);
    let input = input.to_owned();
    let run = move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        child.stdin.take().expect("its input").write_all(input.as_bytes())?;
        child.wait_with_output()
    };
    let output = tokio::task::spawn_blocking(run).await.expect("the thread lives").expect("it starts");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Starts it and comes back at once.
pub fn start(home: &Home, model_url: &str, arguments: &[impl AsRef<str>]) -> Child {
    command(home, model_url, arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
}

/// A worker on all projects. Dropping it is `kill -9`.
pub struct Worker(Child);

impl Worker {
    /// Starts one.
    pub fn start(home: &Home, model_url: &str) -> Worker {
        Worker(start(home, model_url, &["serve"]))
    }

    /// Starts one that speaks on Telegram as well.
    pub fn start_with_bot(home: &Home, model_url: &str) -> Worker {
        Worker::start_as(home, model_url, "worker,bot")
    }

    /// Starts a process in these roles.
    pub fn start_as(home: &Home, model_url: &str, roles: &str) -> Worker {
        Worker(start(home, model_url, &["serve", "--role", roles]))
    }

    /// Sends a signal, such as `-TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status().expect("kill runs");
        assert!(sent.success(), "kill {name}");
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        tokio::task::spawn_blocking(move || self.0.wait()).await.expect("the thread lives").expect("it ends").code()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file of the checkout.
pub fn file(path: &str) -> String {
    crate::home::read(&root().join(path))
}
