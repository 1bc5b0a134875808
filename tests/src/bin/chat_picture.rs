//! `make chat-picture`: a journey from an idea to the files as its chat shows it, photographed. The program, its bot, the agents and the
//! checks are the real ones; the model's answers come from the recording that `make demo` replays.

use anyhow::{Context, Result, bail, ensure};
use atelier_host::recording::server::{self, Source};
use atelier_host::recording::{Recording, SHIPPED};
use axum::extract::Request;
use axum::http::StatusCode;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;
use telegram_double::{Options, Shown, TelegramServer};
use tests::home::Home;
use tests::people::with_button;
use tests::program::Worker;
use tests::{root, target};

/// Where it is kept, below the checkout.
const PICTURE: &str = "documentation/images/bot_journey.png";
/// As wide as a telephone, and twice as sharp.
const WIDTH_PIXELS: u32 = 520;
const SCALE: u32 = 2;
/// Everything is done by then.
const PATIENCE: Duration = Duration::from_secs(180);
/// A model that takes its time.
const MODEL_DELAY: Duration = Duration::from_secs(3);
/// Leaves the page's height where it can be read from outside.
const MEASURE: &str = "<script>document.title = document.documentElement.scrollHeight</script>";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match picture().await {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn picture() -> Result<PathBuf> {
    let recording = Recording::read(SHIPPED)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("open a port on loopback")?;
    let url = format!("http://{}/v1", listener.local_addr()?);
    let (idea, answers, price) = (recording.idea.clone(), recording.answers.clone(), recording.price.clone());
    let served = tokio::spawn(server::serve(Source::Recording(Arc::new(recording)), listener));
    let (slow, url) = slowed(url).await?;
    let telegram = TelegramServer::start(Options::default()).await;
    let mut home = Home::with_runners();
    home.variables.extend([
        ("ATELIER_TELEGRAM_TOKEN", telegram.token.clone()),
        ("ATELIER_TELEGRAM_API_URL", telegram.url.clone()),
        ("ATELIER_TELEGRAM_USERS", "*".to_owned()),
        ("ATELIER_MODEL_NAME", "recording".to_owned()),
        ("ATELIER_MODEL_PRICE", price),
    ]);
    let worker = Worker::start_with_bot(&home, &url);
    let chat = journey(&telegram, &idea, answers).await?;
    ensure!(worker.stop().await == Some(0), "the program ended badly");
    served.abort();
    slow.abort();
    let page = target().join("bot_journey.html");
    std::fs::write(&page, telegram.transcript_html(chat).replace("</body>", &format!("{MEASURE}</body>")))?;
    let path = root().join(PICTURE);
    std::fs::create_dir_all(path.parent().expect("it is in a folder"))?;
    photograph(&page, &path)?;
    Ok(path)
}

/// The same server, whose answers take as long as a fast model's, so that the chat shows what people see while they wait.
async fn slowed(url: String) -> Result<(tokio::task::JoinHandle<()>, String)> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("open a port on loopback")?;
    let address = format!("http://{}/v1", listener.local_addr()?);
    let (client, base) = (reqwest::Client::builder().no_proxy().build()?, url.trim_end_matches("/v1").to_owned());
    let forward = move |request: Request| {
        let (client, base) = (client.clone(), base.clone());
        async move {
            tokio::time::sleep(MODEL_DELAY).await;
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| StatusCode::BAD_REQUEST)?;
            let url = format!("{base}{}", parts.uri);
            let answer = client.request(parts.method, url).header("content-type", "application/json").body(body).send().await;
            let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?;
            let head = (answer.status(), answer.headers().clone());
            Ok::<_, StatusCode>((head.0, head.1, answer.bytes().await.map_err(|_| StatusCode::BAD_GATEWAY)?))
        }
    };
    let router = axum::Router::new().fallback(forward);
    Ok((tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() }), address))
}

/// One person's way to the files.
async fn journey(telegram: &TelegramServer, idea: &str, answers: Vec<String>) -> Result<i64> {
    let ada = telegram.user("Ada");
    let chat = telegram.private_chat(ada);
    telegram.says(chat, ada, "/start");
    wait(telegram, chat, "Tell me your idea").await;
    telegram.says(chat, ada, idea);
    for (at, answer) in answers.iter().enumerate() {
        let asked = |shown: &[Shown]| shown.iter().filter(|one| one.from_bot && one.text.starts_with("A question")).count() > at;
        let shown = telegram.wait_for(chat, asked, PATIENCE).await;
        match (answer.as_str(), with_button(&shown, answer)) {
            ("-", _) => press(telegram, chat, "Skip")?,
            (_, Some((message, label))) => drop(telegram.presses(chat, ada, message.message_id, &label)),
            (answer, None) => drop(telegram.says(chat, ada, answer)),
        }
    }
    telegram.wait_for(chat, |shown| with_button(shown, "Approve").is_some(), PATIENCE).await;
    press(telegram, chat, "Approve")?;
    wait(telegram, chat, "is done").await;
    // The status has its last word a moment later, and used buttons go last.
    let is_tidy =
        |shown: &[Shown]| shown.iter().any(|one| one.text.contains("delivered ·")) && shown.iter().all(|one| one.button_texts().is_empty());
    telegram.wait_for(chat, is_tidy, PATIENCE).await;
    telegram.says(chat, ada, "Thank you!");
    Ok(chat)
}

async fn wait(telegram: &TelegramServer, chat: i64, words: &str) {
    telegram.wait_for(chat, |shown| shown.iter().any(|one| one.from_bot && one.text.contains(words)), PATIENCE).await;
}

fn press(telegram: &TelegramServer, chat: i64, words: &str) -> Result<()> {
    let shown = telegram.chat(chat);
    let (message, label) = with_button(&shown, words).with_context(|| format!("there is no button {words}"))?;
    telegram.presses(chat, chat, message.message_id, &label);
    Ok(())
}

/// The whole page, as high as it is.
fn photograph(page: &Path, to: &Path) -> Result<()> {
    let address = format!("file://{}", page.display());
    let dom = String::from_utf8_lossy(&chromium(&["--dump-dom".to_owned(), size(600), address.clone()])?).into_owned();
    let title = dom.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title);
    let height: u32 = title.and_then(|title| title.parse().ok()).context("the page does not say how high it is")?;
    chromium(&[format!("--screenshot={}", to.display()), format!("--force-device-scale-factor={SCALE}"), size(height), address])?;
    Ok(())
}

fn size(height: u32) -> String {
    format!("--window-size={WIDTH_PIXELS},{height}")
}

fn chromium(arguments: &[String]) -> Result<Vec<u8>> {
    let profile = std::env::temp_dir().join(format!("atelier-chromium-{}", std::process::id()));
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .output()
        .context("start chromium")?;
    let _ = std::fs::remove_dir_all(&profile);
    if !output.status.success() {
        bail!("chromium: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}
