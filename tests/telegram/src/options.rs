//! What a test may set when it starts the double. The defaults are Telegram's own numbers.

use std::time::Duration;

/// The token that the double knows when a test names no other. It has the shape of a real one and opens nothing.
pub const TOKEN: &str = "4242424242:AAdouble-not-a-real-token-000000000";

/// How the double is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The only token that is let in. What is before its colon is the bot's user id.
    pub token: String,
    /// The bot's first name.
    pub bot_name: String,
    /// The bot's user name, without `@`.
    pub bot_username: String,
    /// Flood control, or none. `TelegramServer::set_flood` changes it later.
    pub flood: Option<FloodLimits>,
    /// How long a callback query can be answered.
    pub callback_timeout: Duration,
    /// How long a pre-checkout query can be answered.
    pub pre_checkout_timeout: Duration,
    /// The largest file that `getFile` gives.
    pub download_limit_bytes: usize,
    /// The largest file that can be sent.
    pub upload_limit_bytes: usize,
    /// How long the double waits before it offers a webhook the same update again.
    pub webhook_retry_delay: Duration,
    /// How long a webhook may take to answer.
    pub webhook_timeout: Duration,
    /// Refuses a bare `&` or `>` and named entities besides the four that are documented. Telegram shows these as they are; a bot
    /// that sends them did not escape its text.
    pub refuse_unescaped: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            token: TOKEN.to_owned(),
            bot_name: "Atelier".to_owned(),
            bot_username: "atelier_double_bot".to_owned(),
            flood: Some(FloodLimits::default()),
            callback_timeout: Duration::from_secs(15),
            pre_checkout_timeout: Duration::from_secs(10),
            download_limit_bytes: 20 * 1024 * 1024,
            upload_limit_bytes: 50 * 1024 * 1024,
            webhook_retry_delay: Duration::from_millis(200),
            webhook_timeout: Duration::from_secs(10),
            refuse_unescaped: true,
        }
    }
}

/// How much a bot may send. Sends and edits count together.
#[derive(Clone, Debug)]
pub struct FloodLimits {
    /// Into one private chat, each second.
    pub private_per_second: f64,
    /// Into one private chat at once, after a while of silence.
    pub private_burst: u32,
    /// Into one group, each minute.
    pub group_per_minute: usize,
    /// Into all chats together, each second.
    pub overall_per_second: usize,
}

impl Default for FloodLimits {
    fn default() -> FloodLimits {
        FloodLimits { private_per_second: 1.0, private_burst: 3, group_per_minute: 20, overall_per_second: 30 }
    }
}
