//! The Telegram bot: whom it serves, and where its server is.

use super::SettingsError;
use secrecy::SecretString;
use serde::Deserialize;

/// The Telegram bot.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelegramSettings {
    /// `ATELIER_TELEGRAM_TOKEN`: what @BotFather gave; without it there is no bot.
    pub token: Option<SecretString>,
    /// `ATELIER_TELEGRAM_USERS`: the numbers of those who may use the bot, separated by commas, or `*` for everybody: each gets the
    /// default grant. Whoever is not among them needs an invitation. Default: nobody.
    pub users: String,
    /// `ATELIER_TELEGRAM_OPERATORS`: the numbers of those who may also invite, grant, block, announce. Default: nobody.
    pub operators: String,
    /// `ATELIER_TELEGRAM_PROJECTS_MAX`: how many projects of one person may be under way. Default 5.
    pub projects_max: usize,
    /// `ATELIER_TELEGRAM_API_URL`: where the Bot API is. Default `https://api.telegram.org`.
    pub api_url: String,
}

impl Default for TelegramSettings {
    fn default() -> TelegramSettings {
        TelegramSettings {
            token: None,
            users: String::new(),
            operators: String::new(),
            projects_max: 5,
            api_url: "https://api.telegram.org".to_owned(),
        }
    }
}

impl TelegramSettings {
    /// Whether the person with this number may use the bot without being invited.
    pub fn admits(&self, person: i64) -> bool {
        self.users.split(',').any(|entry| entry.trim() == "*") || names(&self.users, person) || self.is_operator(person)
    }

    /// Whether the person with this number runs it.
    pub fn is_operator(&self, person: i64) -> bool {
        names(&self.operators, person)
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (variable, list) in [("ATELIER_TELEGRAM_USERS", &self.users), ("ATELIER_TELEGRAM_OPERATORS", &self.operators)] {
            let is_wrong = |entry: &&str| !entry.is_empty() && *entry != "*" && entry.parse::<i64>().is_err();
            if let Some(entry) = list.split(',').map(str::trim).find(is_wrong) {
                return Err(SettingsError(format!(
                    "{variable} has `{entry}`; it takes people's numbers, separated by commas (the bot tells a stranger the own number)"
                )));
            }
        }
        if names(&self.operators, 0) || self.operators.contains('*') {
            return Err(SettingsError("ATELIER_TELEGRAM_OPERATORS takes numbers only; not everybody can run the bot".to_owned()));
        }
        Ok(())
    }
}

fn names(list: &str, person: i64) -> bool {
    list.split(',').any(|entry| entry.trim().parse() == Ok(person))
}
