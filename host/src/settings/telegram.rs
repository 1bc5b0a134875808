//! The Telegram bot: whom it serves, and where its server is.

use super::SettingsError;
use crate::chat::Offer;
use crate::ledger::money::AmountError;
use crate::ledger::{AMOUNT_MAX, NanoUsd};
use secrecy::SecretString;
use serde::Deserialize;
use std::net::SocketAddr;

/// Telegram takes so many Stars at one time.
const STARS_MAX: i64 = 10_000;
/// More is no choice but a list.
const OFFERS_MAX: usize = 8;

/// The Telegram bot.
#[derive(Clone, Debug, Deserialize)]
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
    /// `ATELIER_TELEGRAM_CREDITS_PER_STAR`: how many credits a Telegram Star buys, such as `10`. Default: nothing is sold.
    pub credits_per_star: String,
    /// `ATELIER_TELEGRAM_STAR_PACKS`: what can be bought at one time, in Stars, separated by commas. Default `50, 250, 1000`.
    pub star_packs: String,
    /// `ATELIER_TELEGRAM_WEBHOOK_URL`: where Telegram brings updates, such as `https://bot.example.org/telegram`. Default: they are asked for.
    pub webhook_url: Option<String>,
    /// `ATELIER_TELEGRAM_WEBHOOK_LISTEN`: the address and port that what is brought there comes to, past a proxy that ends HTTPS. Default
    /// `127.0.0.1:8081`.
    pub webhook_listen: SocketAddr,
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
            credits_per_star: String::new(),
            star_packs: "50, 250, 1000".to_owned(),
            webhook_url: None,
            webhook_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
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

    /// What can be bought; nothing where no price is set.
    pub fn offers(&self) -> Result<Vec<Offer>, SettingsError> {
        let rate = self.credits_per_star.trim();
        if rate.is_empty() {
            return Ok(Vec::new());
        }
        let wrong = |why: String| SettingsError(format!("ATELIER_TELEGRAM_CREDITS_PER_STAR: {why}; such as `10`"));
        let rate: NanoUsd = rate.parse().map_err(|error: AmountError| wrong(error.to_string()))?;
        let packs = self.star_packs.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let offers: Result<Vec<Offer>, SettingsError> = packs
            .map(|entry| {
                let stars = entry.parse::<i64>().ok().filter(|stars| (1..=STARS_MAX).contains(stars)).ok_or_else(|| {
                    SettingsError(format!(
                        "ATELIER_TELEGRAM_STAR_PACKS has `{entry}`; it takes numbers of Stars from 1 to {STARS_MAX}, separated by commas"
                    ))
                })?;
                let credits = rate.0.checked_mul(stars).map(NanoUsd).filter(|credits| (NanoUsd(1)..=AMOUNT_MAX).contains(credits));
                Ok(Offer { stars, credits: credits.ok_or_else(|| wrong(format!("{stars} Stars would buy what no account can hold")))? })
            })
            .collect();
        match offers?.as_slice() {
            offers if (1..=OFFERS_MAX).contains(&offers.len()) => Ok(offers.to_vec()),
            _ => Err(SettingsError(format!("ATELIER_TELEGRAM_STAR_PACKS takes 1 to {OFFERS_MAX} numbers of Stars"))),
        }
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
        if let Some(url) = &self.webhook_url {
            // Over plain HTTP Telegram does not come; a double on this machine does.
            let is_ours = ["https://", "http://127.0.0.1:", "http://localhost:"].iter().any(|start| url.starts_with(start));
            if !is_ours || url.contains(['?', '#', '{', '}', ' ']) {
                return Err(SettingsError(format!(
                    "ATELIER_TELEGRAM_WEBHOOK_URL is `{url}`; it must be an address such as https://bot.example.org/telegram"
                )));
            }
        }
        self.offers().map(drop)
    }
}

fn names(list: &str, person: i64) -> bool {
    list.split(',').any(|entry| entry.trim().parse() == Ok(person))
}
