//! Each dialect against answers as bytes. The files in `tests/wire/` are written from the providers' published reference, as their
//! README says; a server on loopback replays them, whole and in small pieces, to the same code that speaks to a provider.

use atelier_host::ledger::Usage;
use atelier_host::llm::dialects::{self, Answer, Dialect, Endpoint, Failed, NotAcceptedCause, Rejection, Wire};
use atelier_host::llm::{Message, Role};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::root;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The key that is sent, and that every error repeats.
const KEY: &str = "canary-key-7Q";
/// What a story about each dialect has to have, at least.
const FIXTURES_MIN: usize = 20;
/// How long a server may be silent here.
const IDLE: Duration = Duration::from_millis(700);

/// One answer as bytes.
struct Fixture {
    bytes: Vec<u8>,
    expected: Value,
    then_silence: bool,
}

impl Fixture {
    fn read(path: &Path) -> Fixture {
        let bytes = std::fs::read(path).expect("a fixture");
        let (mut rest, mut head, mut fixture) = (&bytes[..], Vec::new(), None);
        let mut then_silence = false;
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n').expect("a head that ends");
            let line = std::str::from_utf8(&rest[..end]).expect("a head in letters");
            rest = &rest[end + 1..];
            if let Some(expected) = line.strip_prefix("# expect: ") {
                fixture = Some(serde_json::from_str(expected).expect("JSON is expected"));
            } else if line == "# then: silence" {
                then_silence = true;
            } else if line.starts_with("# source: https://") {
                assert!(line.contains(", for the format; written on "), "{}: say when it was written", path.display());
            } else if !line.starts_with("# note: ") {
                head.extend_from_slice(format!("{line}\r\n").as_bytes());
            }
            if line.is_empty() {
                head.extend_from_slice(rest);
                return Fixture { bytes: head, expected: fixture.expect("what is expected"), then_silence };
            }
        }
    }
}

fn fixtures(dialect: Dialect) -> Vec<PathBuf> {
    let folder = root().join("tests/wire").join(dialect.as_str());
    let files = std::fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "http")).collect();
    files.sort();
    files
}

/// Reads one request, as text.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.expect("a request");
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if read == 0 || body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(read > 0, "a whole request");
    }
}

/// A server for one request. It gives back what it was asked.
async fn serve(bytes: Vec<u8>, piece: usize, then_silence: bool) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let url = format!("http://{}/base", listener.local_addr().expect("its address"));
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        stream.set_nodelay(true).expect("a socket");
        let request = read_request(&mut stream).await;
        for piece in bytes.chunks(piece) {
            // A client that has read enough may be gone.
            if stream.write_all(piece).await.is_err() {
                return request;
            }
            tokio::task::yield_now().await;
        }
        if then_silence {
            tokio::time::sleep(IDLE * 3).await;
        }
        request
    });
    (url, serving)
}

/// Sends one conversation. Returns what came back, and each text that was seen on the way.
async fn send(dialect: Dialect, url: String, key_header: Option<&str>) -> (Result<Answer, Failed>, Vec<String>) {
    let said = [
        (Role::System, "Rule.", true),
        (Role::User, "One.", true),
        (Role::User, "Two.", false),
        (Role::Assistant, "Three.", false),
        (Role::User, "Four.", false),
    ];
    let messages = said.map(|(role, text, cache_prefix)| Message { role, text: text.to_owned(), cache_prefix });
    let stop = ["END".to_owned()];
    let wire = Wire { model: "model-1", messages: &messages, max_output_tokens: 100, stop: &stop, request_id: "request-1" };
    let key_header = key_header.map(str::to_owned);
    let endpoint = Endpoint { url, key: Some(KEY.into()), key_header, first_byte_timeout: IDLE, idle_timeout: IDLE };
    assert!(!format!("{endpoint:?}").contains(KEY), "the key is in what is printed of an endpoint");
    let client = dialects::client().expect("a client");
    let mut seen = Vec::new();
    let result = dialect.send(&client, &endpoint, &wire, |text, _| seen.push(text.to_owned())).await;
    (result, seen)
}

/// What came back, in the form of the fixtures.
fn outcome(result: &Result<Answer, Failed>) -> Value {
    let usage = |usage: &Option<Usage>| serde_json::to_value(usage).expect("usage");
    match result {
        Ok(answer) => json!({ "answer": { "text": answer.text, "finish": answer.finish, "usage": usage(&answer.usage) } }),
        Err(Failed::NotAccepted { cause, retry_after, .. }) => {
            let cause = match cause {
                NotAcceptedCause::Connect => "connect",
                NotAcceptedCause::RateLimited => "rate_limited",
                NotAcceptedCause::Overloaded => "overloaded",
            };
            json!({ "not_accepted": { "cause": cause, "retry_after_s": retry_after.map(|wait| wait.as_secs()) } })
        }
        Err(Failed::Rejected(rejection)) => match rejection {
            Rejection::ContextTooLong => json!({ "rejected": "context_too_long" }),
            Rejection::Key => json!({ "rejected": "key" }),
            Rejection::Quota => json!({ "rejected": "quota" }),
            Rejection::NotFound => json!({ "rejected": "not_found" }),
            Rejection::Filtered => json!({ "rejected": "filtered" }),
            Rejection::Status(status) => json!({ "rejected": status }),
        },
        Err(Failed::Faulty(status)) => json!({ "faulty": status }),
        Err(Failed::Unknown { .. }) => json!({ "unknown": true }),
        Err(Failed::Broken { text, idle, usage: counted, .. }) => {
            json!({ "broken": { "text": text, "idle": idle, "usage": usage(counted) } })
        }
    }
}

async fn check(dialect: Dialect) {
    let files = fixtures(dialect);
    assert!(files.len() >= FIXTURES_MIN, "{dialect:?} has {} fixtures", files.len());
    for path in &files {
        let fixture = Fixture::read(path);
        for piece in [usize::MAX, 7] {
            let name = format!("{}, pieces of {piece}", path.display());
            let (url, serving) = serve(fixture.bytes.clone(), piece, fixture.then_silence).await;
            let (result, seen) = send(dialect, url, None).await;
            serving.abort();
            assert_eq!(outcome(&result), fixture.expected, "{name}: {result:?}");
            let printed = format!("{result:?}");
            assert!(!printed.contains(KEY) && !printed.contains("http://"), "{name}: a provider's words or a URL got out: {printed}");
            assert!(seen.is_sorted(), "{name}: what was seen does not only grow: {seen:?}");
        }
    }
    println!("{dialect:?}: {} fixtures", files.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_is_read_as_its_reference_says() {
    check(Dialect::OpenAi).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_is_read_as_its_reference_says() {
    check(Dialect::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gemini_is_read_as_its_reference_says() {
    check(Dialect::Gemini).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ollama_is_read_as_its_reference_says() {
    check(Dialect::Ollama).await;
}

/// A request as it is kept in `request.json`.
fn parsed(request: &str) -> Value {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.lines();
    let line = lines.next().expect("a request line").trim_end_matches(" HTTP/1.1");
    let headers: serde_json::Map<String, Value> = lines
        .filter_map(|line| line.split_once(": "))
        // The HTTP library's own.
        .filter(|(name, _)| !["host", "accept", "content-length"].contains(&name.to_lowercase().as_str()))
        .map(|(name, value)| (name.to_lowercase(), json!(value)))
        .collect();
    json!({ "request": line, "headers": headers, "body": serde_json::from_str::<Value>(body).expect("JSON") })
}

#[tokio::test]
async fn each_dialect_asks_as_its_reference_says() {
    for dialect in Dialect::ALL {
        let path = root().join("tests/wire").join(dialect.as_str()).join("request.json");
        let expected: Value = serde_json::from_slice(&std::fs::read(path).expect("a request")).expect("JSON");
        let (url, serving) = serve(Vec::new(), 1, false).await;
        let (result, _) = send(dialect, url, None).await;
        assert_eq!(outcome(&result), json!({ "unknown": true }), "a connection that closes without an answer");
        let request = parsed(&serving.await.expect("a request"));
        assert_eq!(request, expected, "{dialect:?}");
        assert!(!request["request"].as_str().expect("a line").contains(KEY), "a key in a URL ends in logs");
    }
}

#[tokio::test]
async fn a_header_that_is_set_carries_the_key_instead_of_the_dialects_own() {
    for dialect in Dialect::ALL {
        for (header, value) in [("Authorization", format!("Bearer {KEY}")), ("x-other", KEY.to_owned())] {
            let (url, serving) = serve(Vec::new(), 1, false).await;
            let _ = send(dialect, url, Some(header)).await;
            let request = serving.await.expect("a request");
            assert_eq!(parsed(&request)["headers"][header.to_lowercase()], json!(value), "{dialect:?}");
            assert_eq!(request.matches(KEY).count(), 1, "{dialect:?}: the key is sent once");
        }
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    for dialect in Dialect::ALL {
        let (result, _) = send(dialect, url.clone(), None).await;
        assert_eq!(outcome(&result), json!({ "not_accepted": { "cause": "connect", "retry_after_s": null } }));
    }
}
