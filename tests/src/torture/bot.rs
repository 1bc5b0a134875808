//! `kill -9` of the bot at random instants, while people take an idea to a zip in their chats. Whatever the instant: every update has its
//! effect once, every word to a person is in the chat once, except where it was under way when the process died, which is counted.

use super::Dice;
use crate::home::{Home, read};
use crate::people::Person;
use crate::program::Worker;
use crate::workshop::{Tasks, Workshop};
use anyhow::{Result, ensure};
use atelier_host::app::Reader;
use atelier_host::store::chats::{Kind, Posted};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use telegram_double::{Options, Shown, TelegramServer};

/// People of one round, each with a chat and a project of their own.
const PEOPLE: usize = 4;
/// Kills of one round; then it is left alone, so that it comes to its end.
const KILLS_OF_ONE_ROUND_MAX: u32 = 14;
/// A life lasts at most this long.
const LIFE_MS_MAX: u64 = 2_000;
/// A round that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often people look at their chats.
const LOOK_INTERVAL: Duration = Duration::from_millis(25);
/// How long Telegram takes to answer; a kill in this time leaves a message of which nobody knows whether it is there.
const ANSWER_DELAY: Duration = Duration::from_millis(150);
/// After so many kills one of them was in the middle of a send, or nothing was shown.
const KILLS_WITH_A_SEND: u32 = 50;
/// How long the model thinks, at most.
const THINKING_MS_MAX: u64 = 150;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BotFigures {
    /// Processes killed.
    pub kills: u32,
    /// Of these, while a message was under way.
    pub kills_during_a_send: u32,
    /// Rounds that came to their end.
    pub rounds: u32,
    /// Updates that were made by people.
    pub updates: u32,
    /// Messages in the chats.
    pub messages: u32,
    /// Updates without their effect, or with another one.
    pub updates_lost: u32,
    /// Updates that had their effect more than once.
    pub updates_doubled: u32,
    /// Messages that are not in their chat, and were not under way at a kill.
    pub messages_lost: u32,
    /// Messages that are there more often than they were sent to be sure.
    pub messages_doubled: u32,
    /// Messages that were under way at a kill, and sent again to be sure.
    pub repeated: u32,
    /// Acknowledgements that were under way at a kill, and not sent again.
    pub uncertain: u32,
    /// Violations of the ledger's rules, and calls that its provider and it do not agree on.
    pub books: u32,
}

impl BotFigures {
    /// Whether nothing was lost or doubled, though messages were under way.
    pub fn is_good(&self) -> bool {
        (self.kills < KILLS_WITH_A_SEND || self.kills_during_a_send > 0)
            && self.updates_lost + self.updates_doubled + self.messages_lost + self.messages_doubled + self.books == 0
    }
}

/// Kills until there were so many, and the last round is whole.
pub async fn torture_bot(kills: u32, seed: u64, mut progress: impl FnMut(&BotFigures)) -> Result<BotFigures> {
    let mut dice = Dice::new(seed);
    let mut figures = BotFigures::default();
    while figures.kills < kills {
        round(&mut figures, kills, &mut dice).await?;
        progress(&figures);
    }
    Ok(figures)
}

async fn round(figures: &mut BotFigures, kills: u32, dice: &mut Dice) -> Result<()> {
    let mut thinking = Dice::new(dice.below(u64::MAX));
    let workshop = Workshop::new(3, Tasks::Apart, move || Duration::from_millis(thinking.below(THINKING_MS_MAX))).await;
    let telegram = TelegramServer::start(Options::default()).await;
    telegram.delay_answers(ANSWER_DELAY);
    let mut home = Home::shipped();
    home.variables.push(("ATELIER_TELEGRAM_TOKEN", telegram.token.clone()));
    home.variables.push(("ATELIER_TELEGRAM_API_URL", telegram.url.clone()));
    home.variables.push(("ATELIER_TELEGRAM_USERS", "*".to_owned()));
    workshop.server.log_to(&home.beside("provider.jsonl"));
    let mut people: Vec<Person> = (0..PEOPLE).map(|number| Person::new(&telegram, &format!("P{number}"), number % 2 == 0)).collect();
    let (began, mut killed) = (Instant::now(), 0);
    loop {
        let worker = Worker::start_with_bot(&home, &workshop.server.url);
        let disturbed = figures.kills < kills && killed < KILLS_OF_ONE_ROUND_MAX;
        let life = if disturbed { Duration::from_millis(dice.below(LIFE_MS_MAX)) } else { PATIENCE };
        let born = Instant::now();
        while born.elapsed() < life && !all_done(&mut people, &telegram) {
            ensure!(began.elapsed() < PATIENCE, "a round does not end: {}", telegram.transcript_text(people[0].chat));
            tokio::time::sleep(LOOK_INTERVAL.min(life)).await;
        }
        if all_done(&mut people, &telegram) {
            let reader = Reader::open(home.settings(&workshop.server.url)).await?;
            while reader.store.outbox_count().await?.waiting > 0 || telegram.pending_updates() > 0 {
                ensure!(began.elapsed() < PATIENCE, "the outbox does not empty");
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            ensure!(worker.stop().await == Some(0), "the bot does not stop");
            return judge(figures, &home, &workshop, &telegram, &people).await;
        }
        // Dropping it is `kill -9`.
        drop(worker);
        (figures.kills, killed) = (figures.kills + 1, killed + 1);
        if let Ok(reader) = Reader::open(home.settings(&workshop.server.url)).await {
            let mut under_way = false;
            for person in &people {
                under_way |= reader.store.posted(person.chat).await?.iter().any(|posted| posted.state == "sending");
            }
            figures.kills_during_a_send += u32::from(under_way);
        }
    }
}

fn all_done(people: &mut [Person], telegram: &TelegramServer) -> bool {
    people.iter_mut().for_each(|person| person.act(telegram));
    people.iter().all(Person::is_done)
}

async fn judge(figures: &mut BotFigures, home: &Home, workshop: &Workshop, telegram: &TelegramServer, people: &[Person]) -> Result<()> {
    figures.rounds += 1;
    let reader = Reader::open(home.settings(&workshop.server.url)).await?;
    let updates: u32 = people.iter().map(|person| u32::try_from(person.updates.len()).unwrap_or(u32::MAX)).sum();
    figures.updates += updates;
    let (all, open) = reader.store.inbox_count().await?;
    figures.updates_lost += u32::try_from(open + (i64::from(updates) - all).abs())?;
    for person in people {
        effects(figures, &reader, person).await?;
        compare(figures, &reader.store.posted(person.chat).await?, &telegram.chat(person.chat));
    }
    let projects = u32::try_from(reader.store.history(1_000).await?.len())?;
    figures.updates_doubled += projects.saturating_sub(u32::try_from(PEOPLE)?);
    for invariant in reader.store.audit(&reader.store.living_boots().await?).await? {
        for violation in invariant.violations {
            eprintln!("{}: {violation}", invariant.id);
            figures.books += 1;
        }
    }
    workshop.server.asked();
    let record = read(&home.beside("provider.jsonl"));
    let lines: Vec<_> = record.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for violation in reader.store.compare_with_provider(&lines).await?.violations {
        eprintln!("{violation}");
        figures.books += 1;
    }
    Ok(())
}

/// Each of a person's deeds counts once: one project, approved once, delivered once.
async fn effects(figures: &mut BotFigures, reader: &Reader, person: &Person) -> Result<()> {
    let Some(known) = reader.store.known_person(person.chat).await? else {
        figures.updates_lost += 1;
        return Ok(());
    };
    let projects = reader.store.history_of(&known.wallet, 10).await?;
    figures.updates_lost += u32::from(projects.is_empty());
    for project in projects {
        let approved = reader.store.events(&project.id, 0).await?.iter().filter(|event| event.kind == "approved").count();
        figures.updates_lost += u32::from(approved == 0 || project.phase != "delivered");
        figures.updates_doubled += u32::from(approved > 1);
    }
    Ok(())
}

/// Holds what was to be said against what a chat shows.
fn compare(figures: &mut BotFigures, posted: &[Posted], shown: &[Shown]) {
    #[derive(Default)]
    struct Told {
        sent: u64,
        repeats: u64,
        uncertain: u64,
        shown: u64,
    }
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for one in posted {
        let told = all.entry(words(one)).or_default();
        told.repeats += one.repeats;
        match one.state.as_str() {
            "uncertain" => told.uncertain += 1,
            _ => told.sent += 1,
        }
        if one.state != "sent" && one.state != "uncertain" {
            eprintln!("a letter is {}: {}", one.state, one.letter.name);
            figures.messages_lost += 1;
        }
    }
    for message in shown.iter().filter(|message| message.from_bot && !message.deleted) {
        figures.messages += 1;
        let key = match &message.document {
            Some(document) => format!("file {}", document.name.rsplit('.').next().unwrap_or_default()),
            None if message.html.contains(STATUS) => STATUS.to_owned(),
            None => message.html.clone(),
        };
        all.entry(key).or_default().shown += 1;
    }
    for (text, told) in all {
        let missing = told.sent.saturating_sub(told.shown);
        let surplus = told.shown.saturating_sub(told.sent + told.repeats + told.uncertain);
        if missing + surplus > 0 {
            eprintln!("`{text}`: sent {}, to be sure {}, uncertain {}, shown {}", told.sent, told.repeats, told.uncertain, told.shown);
        }
        figures.messages_lost += u32::try_from(missing).unwrap_or(u32::MAX);
        figures.messages_doubled += u32::try_from(surplus).unwrap_or(u32::MAX);
        figures.repeated += u32::try_from(told.repeats).unwrap_or(u32::MAX);
        figures.uncertain += u32::try_from(told.uncertain).unwrap_or(u32::MAX);
    }
}

/// What every status has in it, and nothing else.
const STATUS: &str = " tasks done · ";

fn words(posted: &Posted) -> String {
    use atelier_host::chat::Document;
    match posted.letter.message.documents.first() {
        Some(Document::Zip) => "file zip".to_owned(),
        Some(_) => "file md".to_owned(),
        None if posted.letter.kind == Kind::Status => STATUS.to_owned(),
        None => posted.letter.message.html.clone(),
    }
}
