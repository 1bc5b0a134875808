//! Which processes live, and the recovery of what dead ones left open.
//!
//! A process that may hold money is a *boot*. As long as it lives it holds a lock that the operating system or the database server
//! frees when it ends, however it ends: a lock file beside an embedded database, an advisory lock of a session in PostgreSQL. A hold is
//! recovered only when its boot's lock is free, so two processes that recover at once, or one that recovers while another works, can't
//! take a living hold away.

use super::sql::{Database, Speak, postgres::Session};
use super::{Result, Store, StoreError, Tx, ledger, now_ms, query, steps, transaction};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use tokio::sync::Mutex;

/// Locked by the one process that works on the projects of a file.
const WORKER_LOCK: &str = "worker.lock";
/// Locked by the one process that speaks with people.
const SPEAKER_LOCK: &str = "speaker.lock";
/// The same in a server's database. No boot is called so.
const SPEAKER: &str = "speaker";
/// One lock file for each process that may hold money.
const BOOTS: &str = "boots";
/// A living process. Dropping it says that it ended.
#[derive(Debug)]
pub struct Boot {
    /// Random.
    pub id: String,
    lock: Mutex<Lock>,
}

/// The right to work on projects.
#[derive(Debug)]
pub struct Worker {
    _lock: Option<File>,
}

/// The right to speak with people.
#[derive(Debug)]
pub struct Speaker(Mutex<Lock>);

#[derive(Debug)]
enum Lock {
    File { _held: File },
    Session { held: Session },
}

impl Store {
    /// The right to work on projects. A file is worked on by one process at a time, so `None` while another one does; a server's
    /// database by any number.
    pub fn become_worker(&self) -> Result<Option<Worker>> {
        match &self.directory {
            Some(directory) => Ok(lock_file(&directory.join(WORKER_LOCK))?.map(|file| Worker { _lock: Some(file) })),
            None => Ok(Some(Worker { _lock: None })),
        }
    }

    /// The right to speak with people, which is to answer what came in and to send what waits: one process of a store has it, however many
    /// there are. `None` while another one does.
    pub async fn become_speaker(&self) -> Result<Option<Speaker>> {
        let lock = match &self.directory {
            Some(directory) => lock_file(&directory.join(SPEAKER_LOCK))?.map(|file| Lock::File { _held: file }),
            None => self.lock_session(SPEAKER).await?,
        };
        Ok(lock.map(|lock| Speaker(Mutex::new(lock))))
    }

    /// Whether this process has that right still. The server takes it away when it ends the session, as when it restarts; a file does not.
    pub async fn still_speaks(&self, speaker: &Speaker) -> bool {
        match &mut *speaker.0.lock().await {
            Lock::File { .. } => true,
            Lock::Session { held } => query("select 1").execute(held).await.is_ok(),
        }
    }

    /// Registers this process as one that may hold money.
    pub async fn begin_boot(&self) -> Result<Boot> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let lock = match &self.directory {
            Some(directory) => {
                let boots = directory.join(BOOTS);
                std::fs::create_dir_all(&boots).map_err(|error| StoreError::LockFile { path: boots.clone(), error })?;
                let file = lock_file(&boots.join(&id))?.map(|file| Lock::File { _held: file });
                remove_dead_locks(&boots, &id)?;
                file
            }
            None => self.lock_session(&id).await?,
        };
        let lock = lock.ok_or_else(|| StoreError::Undone("a new lock is held already".to_owned()))?;
        self.register_boot(&id).await?;
        Ok(Boot { id, lock: Mutex::new(lock) })
    }

    /// Makes sure that the others see this process as living: a session that the server ended, in a restart or for being idle, is begun
    /// anew. What others took over meanwhile is theirs.
    pub async fn confirm(&self, boot: &Boot) -> Result<()> {
        let mut lock = boot.lock.lock().await;
        if let Lock::Session { held } = &mut *lock
            && query("select 1").execute(held).await.is_err()
        {
            let again = self.lock_session(&boot.id).await?;
            *lock = again.ok_or_else(|| StoreError::Undone("another process holds this one for dead, for a moment".to_owned()))?;
        }
        Ok(())
    }

    /// Writes a boot's row, which its holds refer to.
    pub async fn register_boot(&self, boot: &str) -> Result<()> {
        transaction!(self, |tx| async {
            query("insert into boot (id, started_ms) values ($1, $2) on conflict do nothing")
                .bind(boot)
                .bind(now_ms())
                .execute(&mut tx)
                .await
        })?;
        Ok(())
    }

    /// Ends what dead processes left open, and says how many holds those were. Whoever asks lives.
    pub async fn recover_dead(&self, own: Option<&Boot>) -> Result<u32> {
        let mut recovered = 0;
        for boot in self.boots_at_work().await? {
            if own.is_none_or(|own| own.id != boot) {
                recovered += self.recover(&boot).await?;
            }
        }
        Ok(recovered)
    }

    /// Ends what this boot left open, unless it lives.
    pub async fn recover(&self, boot: &str) -> Result<u32> {
        transaction!(self, |tx| async {
            if self.lives(&mut tx, boot).await? {
                return Ok(0);
            }
            steps::free_steps(&mut tx, boot);
            ledger::recover(&mut tx, boot).await
        })
    }

    /// Boots with open holds or steps whose process lives.
    pub async fn living_boots(&self) -> Result<Vec<String>> {
        let mut living = Vec::new();
        for boot in self.boots_at_work().await? {
            let mut tx = self.begin().await?;
            if self.lives(&mut tx, &boot).await? {
                living.push(boot);
            }
            tx.rollback().await;
        }
        Ok(living)
    }

    async fn boots_at_work(&self) -> Result<Vec<String>> {
        query(
            "select boot from hold where state in ('reserved', 'dispatched') union select owner from step where owner is not null
             union select boot from worker order by 1",
        )
        .scalars(&mut self.read().await?)
        .await
    }

    /// Whether the boot's lock is held. In PostgreSQL a free one is taken until the transaction ends, so that nobody else recovers the
    /// same boot meanwhile.
    async fn lives(&self, tx: &mut Tx, boot: &str) -> Result<bool> {
        match &self.directory {
            Some(directory) => {
                let path = directory.join(BOOTS).join(boot);
                Ok(path.exists() && lock_file(&path)?.is_none())
            }
            None => Ok(!take_advisory(tx, "pg_try_advisory_xact_lock", boot).await?),
        }
    }

    async fn lock_session(&self, name: &str) -> Result<Option<Lock>> {
        let Database::Postgres(pool) = &self.database else { return Ok(None) };
        let mut session = Session::open(pool).await?;
        let locked = take_advisory(&mut session, "pg_try_advisory_lock", name).await?;
        Ok(locked.then_some(Lock::Session { held: session }))
    }
}

async fn take_advisory(on: &mut impl Speak, function: &'static str, name: &str) -> Result<bool> {
    let sql = format!("select cast({function}(hashtextextended($1, 0)) as integer)::bigint");
    Ok(super::query_made(sql).bind(name).scalar::<i64>(on).await? == 1)
}

/// The file, locked; `None` if another process has it.
fn lock_file(path: &Path) -> Result<Option<File>> {
    let failed = |error| StoreError::LockFile { path: path.to_owned(), error };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A lock file that nobody holds says nothing any more: a boot without one is as dead as one whose file is free.
fn remove_dead_locks(boots: &PathBuf, own: &str) -> Result<()> {
    let failed = |error| StoreError::LockFile { path: boots.clone(), error };
    for entry in std::fs::read_dir(boots).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        // Somebody else may tidy up at the same time.
        if !path.ends_with(own) && path.exists() && lock_file(&path)?.is_some() {
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}
