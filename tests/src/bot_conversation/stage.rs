//! Where a script is played: the program itself with its bot, a double of Telegram's server, a model, and people.

use super::deed::{Act, Deed};
use super::model::{SceneModel, Trait};
use super::script::Script;
use super::seen::Seen;
use crate::home::{Home, assert_audit};
use crate::program::Worker;
use atelier_host::app::Reader;
use atelier_host::store::Store;
use std::time::{Duration, Instant};
use telegram_double::{Options, Person, Shown, TelegramServer};

/// A turn that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked whether the bot has said everything.
const LOOK_INTERVAL: Duration = Duration::from_millis(40);
/// The first person's number; the others follow.
const FIRST_NUMBER: i64 = 1001;

/// How a script can say that things are.
const SETTINGS: &[&str] = &[
    "People",
    "The group has",
    "Speak German",
    "May use the bot",
    "Run the bot",
    "Credits of a new person",
    "Projects at one time",
    "The model",
    "A Star buys",
];

/// A project that exists already, with what is no part of it.
const PROJECT: &[(&str, &str)] = &[
    ("notes/todo.py", "tasks = []\n\n\ndef add(text):\n    tasks.append(text)\n"),
    ("notes/README.md", "# Notes\n\nKeeps what is to be done.\n"),
    ("notes/.env", "KEY=secret\n"),
    ("notes/node_modules/left/index.js", "module.exports = 1\n"),
];

/// A stage with everybody on it.
pub(super) struct Stage {
    pub(super) telegram: TelegramServer,
    pub(super) store: Store,
    /// In order: name and number, which is that of the private chat as well.
    pub(super) people: Vec<(String, i64)>,
    pub(super) group: Option<i64>,
    home: Home,
    model: SceneModel,
    worker: Option<Worker>,
    /// Whether chats refuse what the bot says, because somebody made them.
    is_shut_out: bool,
}

impl Stage {
    /// As the script's settings say.
    pub(super) async fn set(script: &Script) -> Result<Stage, String> {
        if let Some((name, _)) = script.settings.iter().find(|(name, _)| !SETTINGS.contains(&name.as_str())) {
            return Err(format!("`{name}` can't be set; there are: {}", SETTINGS.join(", ")));
        }
        let traits = script.names("The model").iter().map(|words| Trait::read(words)).collect::<Result<Vec<_>, _>>()?;
        let model = SceneModel::start(traits).await;
        let telegram = TelegramServer::start(Options::default()).await;
        let people = people(script, &telegram);
        let number = |name: &str| people.iter().find(|(known, _)| known == name).map(|(_, number)| *number);
        let members: Vec<i64> = script.names("The group has").iter().filter_map(|name| number(name)).collect();
        let group = (!members.is_empty()).then(|| telegram.group("The group", &members));
        let numbers =
            |names: Vec<String>| names.iter().filter_map(|name| number(name)).map(|it| it.to_string()).collect::<Vec<_>>().join(",");
        let mut home = Home::shipped();
        let mut set = |name, value: Option<String>| home.variables.extend(value.map(|value| (name, value)));
        set("ATELIER_TELEGRAM_TOKEN", Some(telegram.token.clone()));
        set("ATELIER_TELEGRAM_API_URL", Some(telegram.url.clone()));
        set(
            "ATELIER_TELEGRAM_USERS",
            Some(match script.setting("May use the bot") {
                None | Some("everybody") => "*".to_owned(),
                Some(_) => numbers(script.names("May use the bot")),
            }),
        );
        // One task after the other, so that a script is the same each time.
        set("ATELIER_PARALLEL_TASKS", Some("1".to_owned()));
        set("ATELIER_TELEGRAM_OPERATORS", Some(numbers(script.names("Run the bot"))));
        set("ATELIER_DEFAULT_GRANT", script.setting("Credits of a new person").map(str::to_owned));
        set("ATELIER_TELEGRAM_CREDITS_PER_STAR", script.setting("A Star buys").map(str::to_owned));
        set("ATELIER_TELEGRAM_PROJECTS_MAX", script.setting("Projects at one time").map(str::to_owned));
        home.environment(&model.server.url);
        let reader = Reader::open(home.settings(&model.server.url)).await.map_err(|error| format!("{error:#}"))?;
        let worker = Some(Worker::start_with_bot(&home, &model.server.url));
        Ok(Stage { telegram, store: reader.store, people, group, home, model, worker, is_shut_out: false })
    }

    /// The number of somebody.
    pub(super) fn number(&self, name: &str) -> Result<i64, String> {
        self.people.iter().find(|(known, _)| known == name).map(|(_, number)| *number).ok_or_else(|| format!("there is no {name}"))
    }

    /// Every chat, with what it is called where it is not the one that is spoken in.
    pub(super) fn chats(&self) -> Vec<(i64, String)> {
        let private = self.people.iter().map(|(name, number)| (*number, format!("to {name}")));
        private.chain(self.group.map(|group| (group, "in the group".to_owned()))).collect()
    }

    /// Does it.
    pub(super) async fn play(&mut self, deed: &Deed, seen: &Seen) -> Result<(), String> {
        match deed {
            Deed::By(who, in_group, act) => self.act(who, *in_group, act, seen)?,
            Deed::ModelThinks => self.model.gate.shut(true),
            Deed::ModelAnswers => self.model.gate.shut(false),
            Deed::ModelIsDown => self.model.is_down(true),
            Deed::ModelIsBack => self.model.is_down(false),
            Deed::ModelLearns => self.model.learns(),
            Deed::BotStartsAgain => {
                self.worker = None;
                self.worker = Some(Worker::start_with_bot(&self.home, &self.model.server.url));
            }
            Deed::GroupMoves => {
                let group = self.group.ok_or("there is no group")?;
                self.is_shut_out = true;
                self.group = Some(self.telegram.migrates(group).chat);
            }
        }
        self.settle().await
    }

    fn act(&mut self, who: &str, in_group: bool, act: &Act, seen: &Seen) -> Result<(), String> {
        let user = self.number(who)?;
        let chat = if in_group { self.group.ok_or("there is no group")? } else { user };
        let telegram = &self.telegram;
        let last_of = |from: i64| {
            let shown = telegram.chat(chat);
            let last = shown.iter().rev().find(|one| !one.deleted && (one.from == from || (from == 0 && one.from_bot)));
            last.map(|one| one.message_id).ok_or_else(|| "there is nothing yet to refer to".to_owned())
        };
        match act {
            Act::Says(text) => telegram.says(chat, user, &seen.with_code(text)),
            Act::SaysLong(count) => telegram.says(chat, user, &"a".repeat(*count)),
            Act::Replies(text) => telegram.replies(chat, user, last_of(0)?, text),
            Act::Edits(text) => telegram.edits(chat, user, last_of(user)?, text),
            Act::Presses(label) => {
                let shown = telegram.chat(chat);
                let (message, label) = button(&shown, label).ok_or_else(|| format!("there is no button [{label}]"))?;
                telegram.presses(chat, user, message, &label)
            }
            Act::PressesOld(label) => {
                let (message, data) = seen.old_button(chat, label).ok_or_else(|| format!("there never was a button [{label}]"))?;
                telegram.presses_data(chat, user, message, &data)
            }
            Act::Copies(whose, label) => {
                let theirs = self.number(whose)?;
                let (_, data) = seen.old_button(theirs, label).ok_or_else(|| format!("{whose} has no button [{label}]"))?;
                telegram.presses_data(chat, user, last_of(0)?, &data)
            }
            Act::SendsFile(name, text) => telegram.sends_file(chat, user, name, text.as_bytes(), ""),
            Act::SendsLongFile(kib) => telegram.sends_file(chat, user, "long.txt", "long ".repeat(kib * 1_024 / 5).as_bytes(), ""),
            Act::SendsBinary => telegram.sends_file(chat, user, "picture.png", &[0x89, b'P', b'N', b'G', 0, 0, 0], ""),
            Act::SendsProject(name, words) => telegram.sends_file(chat, user, name, &crate::zipped(PROJECT), words),
            Act::SendsEmptyZip => telegram.sends_file(chat, user, "photos.zip", &crate::zipped(&[("a/.DS_Store", "x")]), ""),
            Act::SendsLargeZip(count) => {
                let names: Vec<String> = (0..*count).map(|number| format!("src/file{number}.py")).collect();
                let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "pass\n")).collect();
                telegram.sends_file(chat, user, "large.zip", &crate::zipped(&files), "")
            }
            Act::Pays => {
                let shown = telegram.chat(chat);
                let bill = shown.iter().rev().find(|one| one.invoice.is_some() && !one.deleted);
                telegram.pays(chat, user, bill.ok_or("there is no bill")?.message_id)
            }
            Act::SendsSticker => telegram.sends_sticker(chat, user, "🙂"),
            Act::SendsVoice => telegram.sends_voice(chat, user, 4),
            Act::SendsPhoto => telegram.sends_photo(chat, user, ""),
            Act::Adds => telegram.adds_bot(chat, user),
            Act::Blocks => {
                self.is_shut_out = true;
                telegram.blocks(user)
            }
            Act::Unblocks => telegram.unblocks(user),
            // What was sent is looked at; nobody is told.
            Act::Opens(_) => 0,
        };
        Ok(())
    }

    /// Waits until the bot has nothing more to say: every update had its effect, no step can be taken but those whose answer the model
    /// keeps back, every chat was told of its projects, every letter is there. In this order each is the cause of the next, so what is
    /// found to be over stays so.
    async fn settle(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            if self.is_settled().await.map_err(|error| error.to_string())? {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err("the bot does not come to an end".to_owned());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn is_settled(&self) -> atelier_host::store::Result<bool> {
        // Whoever wants to pay waits for the bot's word.
        let is_waiting = |payment: &telegram_double::Payment| payment.state == telegram_double::Paid::Waiting;
        if self.telegram.payments().iter().any(is_waiting) {
            return Ok(false);
        }
        if self.telegram.pending_updates() > 0 || !self.store.received(1).await?.is_empty() {
            return Ok(false);
        }
        let queue = self.store.queue().await?;
        if queue.waiting > 0 || usize::try_from(queue.under_way).unwrap_or(usize::MAX) > self.model.gate.waiting() {
            return Ok(false);
        }
        if !self.store.moved(1).await?.is_empty() {
            return Ok(false);
        }
        for (chat, _) in self.chats() {
            let is_gone = self.store.is_gone(chat).await?;
            if !is_gone && self.store.posted(chat).await?.iter().any(|one| matches!(one.state.as_str(), "waiting" | "sending")) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends the play, and looks whether everything is in order behind the stage.
    pub(super) async fn strike(mut self) -> Result<(), String> {
        let code = match self.worker.take() {
            Some(worker) => worker.stop().await,
            None => None,
        };
        if code != Some(0) {
            return Err(format!("the program ended with {code:?}"));
        }
        self.model.server.asked();
        assert_audit(&self.store, &[]).await;
        let refused = self.telegram.refused_calls();
        if !self.is_shut_out && !refused.is_empty() {
            return Err(format!("Telegram refused: {refused:?}"));
        }
        match self.telegram.unanswered_callbacks() {
            0 => Ok(()),
            count => Err(format!("{count} buttons still turn")),
        }
    }
}

fn people(script: &Script, telegram: &TelegramServer) -> Vec<(String, i64)> {
    let (mut names, germans) = (script.names("People"), script.names("Speak German"));
    if names.is_empty() {
        names = vec!["Ada".to_owned()];
    }
    let numbers = FIRST_NUMBER..;
    let people = names.into_iter().zip(numbers).map(|(name, id)| {
        let language = if germans.contains(&name) { "de" } else { "en" };
        let person = Person { id, first_name: name.clone(), language_code: Some(language.to_owned()), ..Person::default() };
        telegram.private_chat(telegram.user_like(person));
        (name, id)
    });
    people.collect()
}

/// The last button with this label, which may be cut short.
fn button(shown: &[Shown], label: &str) -> Option<(i64, String)> {
    shown.iter().rev().filter(|one| one.from_bot && !one.deleted).find_map(|one| {
        let found = one.button_texts().into_iter().find(|text| is_label(text, label))?;
        Some((one.message_id, found.to_owned()))
    })
}

/// Whether a label is meant by this one.
pub(super) fn is_label(text: &str, label: &str) -> bool {
    label.strip_suffix('…').map_or(text == label, |start| text.starts_with(start.trim_end()))
}
