//! The double, held against what Telegram does, at the wire. `bot` is the client; each other file is one side of the double.

mod bot;
mod faults;
mod files;
mod floods;
mod methods;
mod payments;
mod people;
mod polling;
mod strictness;
mod transcript;
mod webhooks;
