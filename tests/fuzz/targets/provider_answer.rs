//! What comes back over the wire in place of a provider's answer, in each dialect, streamed and whole. It is an answer or a failure with a
//! reason, within its bounds; a usage that does not add up is none.

#![no_main]

use atelier_host::llm::dialects::{Dialect, Endpoint, Wire, client};
use atelier_host::llm::{Message, Role};
use libfuzzer_sys::fuzz_target;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What the server says next: type and body.
static NEXT: Mutex<(&str, Vec<u8>)> = Mutex::new(("", Vec::new()));
static SERVER: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
});
static RUNTIME: LazyLock<(Runtime, reqwest::Client)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = client().expect("a client");
    (runtime, client)
});

/// Answers every request of a connection, which is kept.
fn serve(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).ok()?;
        let (kind, body) = NEXT.lock().ok()?.clone();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, body)) = bytes.split_first() else { return };
    let dialect = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini, Dialect::Ollama][usize::from(choice % 4)];
    let kind = if choice & 4 == 0 { "text/event-stream" } else { "application/json" };
    *NEXT.lock().expect("nobody panicked") = (kind, body.to_vec());
    let endpoint = Endpoint {
        url: SERVER.clone(),
        key: None,
        key_header: None,
        first_byte_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
    };
    let messages = [Message { role: Role::User, text: "?".to_owned(), cache_prefix: false }];
    let wire = Wire { model: "m", messages: &messages, max_output_tokens: 9, stop: &[], request_id: "r" };
    let (runtime, client) = &*RUNTIME;
    let sent = runtime.block_on(dialect.send(client, &endpoint, &wire, |_, _| {}));
    if let Ok(answer) = sent {
        assert!(answer.usage.is_none_or(|usage| usage.is_plausible()));
    }
});
