//! A strict double of the Telegram Bot API server on loopback. It takes what Telegram takes, refuses what Telegram refuses, in the
//! same words, and has people who write, press, pay and leave. It goes nowhere but to a webhook on loopback and has no token that
//! opens anything.
//!
//! ```ignore
//! let telegram = TelegramServer::start(Options::default()).await;
//! // ... start the bot with `telegram.url` and `telegram.token` ...
//! let chat = telegram.private_chat(telegram.user("Ann"));
//! telegram.says(chat, chat, "/start");
//! let shown = telegram.wait_for(chat, |shown| shown.iter().any(|message| message.from_bot), Duration::from_secs(5)).await;
//! telegram.presses(chat, chat, shown[1].message_id, "Begin");
//! ```
//!
//! In reading order: `options` is what a test sets at the start, `person` what people do, `control` what a test sets while it runs,
//! `view` what a test sees, `transcript` the same as a page. Behind these, `wire` and `door` are HTTP and its connections, `call` what
//! was asked, `methods` and `payments` what is done, `refusal` what is said when it is not; `polling`, `webhook` and `updates` are how
//! the bot learns of things, `flood` and `faults` what stands in its way; `state` and `world` hold it all, `text`, `html` and
//! `keyboard` read what messages are made of.

mod call;
mod control;
mod door;
mod faults;
mod flood;
mod html;
mod keyboard;
mod log;
mod methods;
mod options;
mod payments;
mod person;
mod polling;
mod refusal;
mod state;
mod text;
mod transcript;
mod updates;
mod view;
mod webhook;
mod wire;
mod world;

pub use faults::{Down, Failure};
pub use keyboard::{Action, Button};
pub use log::LoggedCall;
pub use options::{FloodLimits, Options, TOKEN};
pub use payments::{Paid, Payment, Refund};
pub use person::Migration;
pub use refusal::Refusal;
pub use state::AnsweredCallback;
pub use text::{Entity, Formatted};
pub use updates::Order;
pub use view::{Shown, ShownDocument};
pub use world::{Invoice, Person};

use door::{Door, Line};
use state::State;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wire::Server;

/// A running server. It ends, with all its connections, when this is dropped.
pub struct TelegramServer {
    /// Where it is, without a slash at the end: the bot asks `{url}/bot{token}/{method}` and `{url}/file/bot{token}/{path}`.
    pub url: String,
    /// The token that it knows.
    pub token: String,
    server: Arc<Server>,
    tasks: Vec<JoinHandle<()>>,
}

impl TelegramServer {
    /// Starts on a free port of loopback.
    pub async fn start(options: Options) -> TelegramServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let token = options.token.clone();
        let server = Arc::new(Server::new(State::new(options)));
        let door = Door::new(listener, address, server.down.subscribe(), server.lines.clone());
        let service = wire::router(server.clone()).into_make_service_with_connect_info::<Line>();
        let serving = tokio::spawn(async move {
            axum::serve(door, service).await.ok();
        });
        let delivering = tokio::spawn(webhook::deliver(server.clone()));
        TelegramServer { url: format!("http://{address}"), token, server, tasks: vec![serving, delivering] }
    }
}

impl Drop for TelegramServer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.server.lines.cut_all();
    }
}
