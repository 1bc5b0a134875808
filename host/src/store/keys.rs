//! Keys of providers, as they are stored: sealed. What is in them is known to [`crate::llm::keys`] alone.

use super::{Result, Store, StoreError, now_ms, query, transaction};
use crate::llm::keys::{KeyId, KeyState, StoredKey};

impl Store {
    /// Puts a new key down.
    pub async fn add_key(&self, key: &StoredKey) -> Result<()> {
        transaction!(self, |tx| async {
            if let Some(owner) = &key.owner {
                query("insert into wallet (id) values ($1) on conflict do nothing").bind(owner).execute(&mut tx).await?;
            }
            query(
                "insert into provider_key (id, provider, owner, label, state, sealed, kek_id, version, requests_per_minute,
                     tokens_per_minute, created_ms, changed_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
            )
            .bind(&key.id.0)
            .bind(&key.provider)
            .bind(&key.owner)
            .bind(&key.label)
            .bind(key.state.as_str())
            .bind(key.sealed.clone())
            .bind(&key.kek_id)
            .bind(key.version)
            .bind(key.requests_per_minute)
            .bind(key.tokens_per_minute)
            .bind(key.created_ms)
            .execute(&mut tx)
            .await
        })?;
        Ok(())
    }

    /// Every key, the oldest first.
    pub async fn keys(&self) -> Result<Vec<StoredKey>> {
        let rows = query("select * from provider_key order by created_ms, id").all(&mut self.read().await?).await?;
        rows.iter()
            .map(|row| {
                let state: String = row.get("state");
                Ok(StoredKey {
                    id: KeyId(row.get("id")),
                    provider: row.get("provider"),
                    owner: row.get("owner"),
                    label: row.get("label"),
                    state: KeyState::parse(&state)
                        .ok_or_else(|| StoreError::Unreadable { what: "key", why: format!("its state is `{state}`") })?,
                    sealed: row.get("sealed"),
                    kek_id: row.get("kek_id"),
                    version: row.get("version"),
                    requests_per_minute: row.get("requests_per_minute"),
                    tokens_per_minute: row.get("tokens_per_minute"),
                    created_ms: row.get("created_ms"),
                })
            })
            .collect()
    }

    /// When a key was added or changed last, in milliseconds since 1970; a running process reads the keys anew when this grows.
    pub async fn keys_changed_ms(&self) -> Result<i64> {
        query("select coalesce(max(changed_ms), 0) from provider_key").scalar(&mut self.read().await?).await
    }

    /// Moves a key on: active → draining → revoked, never back. A revoked key's sealed bytes are deleted.
    pub async fn set_key_state(&self, id: &str, state: KeyState) -> Result<()> {
        let changed = transaction!(self, |tx| async {
            query(
                "update provider_key set state = $1, changed_ms = $2, sealed = case when $1 = 'revoked' then $3 else sealed end
                 where id = $4 and state <> 'revoked'",
            )
            .bind(state.as_str())
            .bind(later(now_ms()))
            .bind(Vec::new())
            .bind(id)
            .execute(&mut tx)
            .await
        })?;
        if changed == 0 { Err(StoreError::UnknownKey(id.chars().take(40).collect())) } else { Ok(()) }
    }

    /// Replaces a key's seal by one made with another key-encryption key, unless somebody changed the row meanwhile.
    pub async fn rewrap_key(&self, key: &StoredKey, sealed: Vec<u8>, kek_id: &str, version: i64) -> Result<bool> {
        let changed = transaction!(self, |tx| async {
            query(
                "update provider_key set sealed = $1, kek_id = $2, version = $3, changed_ms = $4
                 where id = $5 and version = $6 and state <> 'revoked'",
            )
            .bind(sealed.clone())
            .bind(kek_id)
            .bind(version)
            .bind(later(now_ms()))
            .bind(&key.id.0)
            .bind(key.version)
            .execute(&mut tx)
            .await
        })?;
        Ok(changed == 1)
    }
}

/// A change within the same millisecond as the last look would be missed.
fn later(now_ms: i64) -> i64 {
    now_ms + 1
}
