//! `atelier keys`: the keys of model providers, sealed in the database. A key is read from standard input, never from the command line,
//! where other users of the machine could see it; none is ever shown again.

use super::{Exit, Json, print_json};
use crate::app::Reader;
use crate::llm::dialects;
use crate::llm::keys::{KeyId, KeyState, MasterKeys, StoredKey};
use crate::llm::providers::Providers;
use crate::settings::{Settings, SettingsError};
use crate::store::now_ms;
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

/// No provider's key is longer.
const KEY_BYTES_MAX: u64 = 4096;
/// What the first master key is called.
const FIRST_MASTER_KEY: &str = "m1";

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Seal a key, read from standard input
    Add(AddArguments),
    /// What there is
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Let calls under way finish with a key, and begin no new one
    Drain {
        /// Its id
        id: String,
    },
    /// Never use a key again, and delete what was sealed
    Revoke {
        /// Its id
        id: String,
    },
    /// Seal every key anew with the first of the master keys
    Rewrap,
    /// Ask each provider whether it takes the key; costs nothing
    Check {
        /// One key alone
        id: Option<String>,
    },
    /// Print a new random master key
    Master {
        /// Its name: a-z, 0-9 and `-`
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The provider, as [providers.NAME] in atelier.toml
    provider: String,
    /// What to call it in listings
    #[arg(long, default_value = "")]
    label: String,
    /// The wallet whose own key it is; without it the key is shared by all
    #[arg(long, value_name = "WALLET")]
    owner: Option<String>,
    /// What the provider allows
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u32>,
    /// What the provider allows, input and output together
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u32>,
}

pub(super) async fn keys(settings: Settings, command: KeysCommand) -> Result<Exit> {
    if let KeysCommand::Master { id } = &command {
        println!("{}", MasterKeys::generate_line(id)?.expose_secret());
        return Ok(Exit::Done);
    }
    let reader = Reader::open(settings).await?;
    match command {
        KeysCommand::Add(arguments) => add(&reader, arguments).await,
        KeysCommand::List { json } => list(&reader, json.json).await,
        KeysCommand::Drain { id } => {
            reader.store.set_key_state(&id, KeyState::Draining).await?;
            println!("{id} drains: calls under way finish, no new one begins with it.");
            Ok(Exit::Done)
        }
        KeysCommand::Revoke { id } => {
            reader.store.set_key_state(&id, KeyState::Revoked).await?;
            println!("{id} is revoked and what was sealed is deleted. Revoke it with the provider as well.");
            Ok(Exit::Done)
        }
        KeysCommand::Rewrap => rewrap(&reader).await,
        KeysCommand::Check { id } => check(&reader, id.as_deref()).await,
        KeysCommand::Master { .. } => Ok(Exit::Done),
    }
}

async fn add(reader: &Reader, arguments: AddArguments) -> Result<Exit> {
    let providers = reader.settings.all_providers();
    let Some(provider) = providers.get(&arguments.provider) else {
        let known = providers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        bail!(
            "there is no provider `{}` (known: {}); add [providers.{0}] with `dialect` and `url` to atelier.toml first",
            arguments.provider,
            if known.is_empty() { "none" } else { &known }
        );
    };
    if arguments.owner.is_some() && !provider.own_keys {
        bail!("[providers.{}] takes no keys of users; set own_keys = true to allow them", arguments.provider);
    }
    let secret = read_secret()?;
    let master_keys = match reader.settings.read_master_keys()? {
        Some(master_keys) => master_keys,
        None => first_master_key(reader)?,
    };
    let (id, version) = (KeyId::random(), 1);
    let key = StoredKey {
        sealed: master_keys.seal(&arguments.provider, &id, version, &secret),
        id,
        provider: arguments.provider,
        owner: arguments.owner,
        label: arguments.label,
        state: KeyState::Active,
        kek_id: master_keys.writing_id().to_owned(),
        version,
        requests_per_minute: arguments.requests_per_minute,
        tokens_per_minute: arguments.tokens_per_minute,
        created_ms: now_ms(),
    };
    reader.store.add_key(&key).await?;
    println!("{}", key.id);
    eprintln!("Sealed. `atelier keys check {}` asks the provider whether it takes it.", key.id);
    Ok(Exit::Done)
}

fn read_secret() -> Result<SecretString> {
    if std::io::stdin().is_terminal() {
        let typed = dialoguer::Password::new().with_prompt("The key (it is not shown)").interact()?;
        return checked(typed);
    }
    let mut text = String::new();
    std::io::stdin().take(KEY_BYTES_MAX + 1).read_to_string(&mut text).context("read the key from standard input")?;
    checked(text)
}

fn checked(text: String) -> Result<SecretString> {
    let key = text.trim();
    if key.is_empty() || key.len() as u64 > KEY_BYTES_MAX || key.contains(char::is_whitespace) {
        bail!("standard input holds no key: one word without blanks is expected, such as: atelier keys add PROVIDER < key.txt");
    }
    Ok(SecretString::from(key.to_owned()))
}

/// On one machine the first master key is made here and kept beside the database; where many machines share one, it has to be given to
/// each of them.
fn first_master_key(reader: &Reader) -> Result<MasterKeys> {
    if reader.settings.database_url.is_some() {
        bail!(
            "no master key is set. Make one with `atelier keys master {FIRST_MASTER_KEY}`, keep it outside of the database, and give it to every process as ATELIER_MASTER_KEYS (or in a file, ATELIER_MASTER_KEYS_FILE)"
        );
    }
    let path = reader.settings.master_keys_path();
    let line = MasterKeys::generate_line(FIRST_MASTER_KEY)?;
    let mut file: File = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("make the master key's file {}", path.display()))?;
    writeln!(file, "{}", line.expose_secret())?;
    file.sync_all()?;
    eprintln!(
        "A master key was made in {}. Whoever has it and the database has the keys: back it up apart from the database.",
        path.display()
    );
    Ok(MasterKeys::parse(&line)?)
}

async fn list(reader: &Reader, json: bool) -> Result<Exit> {
    let (keys, master_keys) = (reader.store.keys().await?, reader.settings.read_master_keys()?);
    let mut closed = 0;
    let mut lines = Vec::new();
    for key in &keys {
        let opens = match &master_keys {
            _ if key.state == KeyState::Revoked => Ok(()),
            None => Err("there are no master keys".to_owned()),
            Some(master_keys) => {
                master_keys.open(&key.provider, &key.id, key.version, &key.sealed).map(|_| ()).map_err(|error| error.to_string())
            }
        };
        closed += u32::from(opens.is_err());
        lines.push(serde_json::json!({
            "id": key.id.as_str(), "provider": key.provider, "owner": key.owner, "label": key.label, "state": key.state.as_str(),
            "master_key": key.kek_id, "version": key.version, "requests_per_minute": key.requests_per_minute,
            "tokens_per_minute": key.tokens_per_minute, "problem": opens.err(),
        }));
    }
    if json {
        print_json(&lines)?;
        return Ok(if closed == 0 { Exit::Done } else { Exit::Failed });
    }
    if lines.is_empty() {
        eprintln!("No keys yet; `atelier keys add PROVIDER` seals one.");
    }
    for line in &lines {
        let word = |name: &str| line[name].as_str().unwrap_or_default();
        println!(
            "{} {:<12} {:<9} {:<6} {} {}",
            word("id"),
            word("provider"),
            word("state"),
            word("master_key"),
            word("label"),
            word("problem")
        );
    }
    Ok(if closed == 0 { Exit::Done } else { Exit::Failed })
}

async fn rewrap(reader: &Reader) -> Result<Exit> {
    let master_keys = required_master_keys(reader)?;
    let (mut done, mut problems) = (0, 0);
    for key in reader.store.keys().await? {
        if key.state == KeyState::Revoked || key.kek_id == master_keys.writing_id() {
            continue;
        }
        match reseal(reader, &master_keys, &key).await {
            Ok(()) => done += 1,
            Err(error) => {
                problems += 1;
                eprintln!("{}: {error:#}", key.id);
            }
        }
    }
    println!("{done} keys sealed anew with `{}`, {problems} could not be.", master_keys.writing_id());
    Ok(if problems == 0 { Exit::Done } else { Exit::Failed })
}

/// Seals a key under the next version. Running processes read it anew and forget what they held against it.
async fn reseal(reader: &Reader, master_keys: &MasterKeys, key: &StoredKey) -> Result<()> {
    let secret = master_keys.open(&key.provider, &key.id, key.version, &key.sealed)?;
    let version = key.version + 1;
    let sealed = master_keys.seal(&key.provider, &key.id, version, &secret);
    if !reader.store.rewrap_key(key, sealed, master_keys.writing_id(), version).await? {
        bail!("somebody else changed it meanwhile; run the command again");
    }
    Ok(())
}

async fn check(reader: &Reader, only: Option<&str>) -> Result<Exit> {
    let master_keys = required_master_keys(reader)?;
    let providers = Providers::open(&reader.settings, &reader.store, reader.settings.read_master_keys()?).await?;
    let client = dialects::client()?;
    let (mut checked, mut problems) = (0, 0);
    for key in reader.store.keys().await? {
        if key.state == KeyState::Revoked || only.is_some_and(|id| id != key.id.as_str()) {
            continue;
        }
        checked += 1;
        let result = match (providers.get(&key.provider), master_keys.open(&key.provider, &key.id, key.version, &key.sealed)) {
            (None, _) => Err(format!("[providers.{}] is missing in atelier.toml", key.provider)),
            (_, Err(error)) => Err(error.to_string()),
            (Some(provider), Ok(secret)) => provider
                .dialect
                .check(&client, &provider.endpoint_with(secret))
                .await
                .map_err(|failed| format!("the provider says no: {failed:?}")),
        };
        match result {
            Ok(()) => {
                reseal(reader, &master_keys, &key).await?;
                println!("{} ok", key.id);
            }
            Err(why) => {
                problems += 1;
                println!("{} FAILED {why}", key.id);
            }
        }
    }
    match (checked, only) {
        (0, Some(id)) => bail!("there is no key `{id}` to check; `atelier keys list` lists them"),
        _ => Ok(if problems == 0 { Exit::Done } else { Exit::Failed }),
    }
}

fn required_master_keys(reader: &Reader) -> Result<MasterKeys> {
    let missing = || SettingsError("there are no master keys; set ATELIER_MASTER_KEYS, or ATELIER_MASTER_KEYS_FILE".to_owned());
    Ok(reader.settings.read_master_keys()?.ok_or_else(missing)?)
}
