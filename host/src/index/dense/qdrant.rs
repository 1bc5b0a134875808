//! Vectors in a Qdrant server, for many machines: one collection for each embedder, in which every point says which index it belongs to. An
//! alias names the collection whose vectors are complete; another embedder's is built beside and then takes the alias over.

use super::{DenseError, Point, Result, Vectors};
use crate::workspace::sha256;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::vector_output::Vector;
use qdrant_client::qdrant::vectors_output::VectorsOptions;
use qdrant_client::qdrant::{
    Condition, CreateAliasBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, DeletePointsBuilder, Distance, FieldType,
    Filter, GetPointsBuilder, PointId, PointStruct, PointsIdsList, QueryPointsBuilder, ScrollPointsBuilder, UpsertPointsBuilder,
    VectorParamsBuilder,
};
use qdrant_client::{Payload, Qdrant, QdrantError};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Points of one request.
const BATCH_POINTS: usize = 256;
/// Tries of one request while the server is away, and how long the first pause is; each is twice as long as the one before.
const TRIES_MAX: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// One request.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What every point says: which index it belongs to, and of which chunk it is.
const INDEX: &str = "index";
const DIGEST: &str = "digest";
/// The collections, and the alias of the one that is complete.
const PREFIX: &str = "atelier";
/// Digits of a fingerprint's digest in the name of its collection.
const NAME_DIGITS: usize = 16;

/// The vectors of one index.
pub struct InQdrant {
    client: Qdrant,
    collection: String,
    index: String,
    /// Whether the collection is there.
    made: OnceCell<()>,
}

impl InQdrant {
    /// Those of this index and embedder. Nothing is sent yet.
    pub fn new(url: &str, key: Option<&SecretString>, index: &str, fingerprint: &str) -> Result<InQdrant> {
        let mut config = Qdrant::from_url(url).timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).skip_compatibility_check();
        if let Some(key) = key {
            config = config.api_key(key.expose_secret());
        }
        let client = config.build().map_err(|error| DenseError::Refused(format!("ATELIER_QDRANT_URL: {error}")))?;
        let collection = format!("{PREFIX}-{}", &sha256(fingerprint.as_bytes())[..NAME_DIGITS]);
        Ok(InQdrant { client, collection, index: index.to_owned(), made: OnceCell::new() })
    }

    /// The name of the collection.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// Makes the collection for vectors of so many numbers, where there is none.
    async fn make(&self, dimensions: usize) -> Result<()> {
        let make = async || {
            if !patiently(|| self.client.collection_exists(&self.collection)).await? {
                let vectors = VectorParamsBuilder::new(dimensions as u64, Distance::Cosine);
                let create = CreateCollectionBuilder::new(&self.collection).vectors_config(vectors);
                let created = patiently(|| self.client.create_collection(create.clone())).await;
                // Another worker may have been first.
                if created.is_err() && !patiently(|| self.client.collection_exists(&self.collection)).await? {
                    created?;
                }
                let field = CreateFieldIndexCollectionBuilder::new(&self.collection, INDEX, FieldType::Keyword).wait(true);
                patiently(|| self.client.create_field_index(field.clone())).await?;
            }
            Ok(())
        };
        self.made.get_or_try_init(make).await.map(drop)
    }

    /// The same chunk in another index is another point.
    fn id(&self, digest: &str) -> PointId {
        let name = sha256(format!("{} {digest}", self.index).as_bytes());
        let bits = u128::from_str_radix(&name[..32], 16).unwrap_or_default();
        uuid::Uuid::from_u128(bits).to_string().into()
    }

    fn own(&self) -> Filter {
        Filter::must([Condition::matches(INDEX, self.index.clone())])
    }

    async fn is_there(&self) -> Result<bool> {
        Ok(self.made.initialized() || patiently(|| self.client.collection_exists(&self.collection)).await?)
    }
}

impl Vectors for InQdrant {
    fn get<'a>(&'a self, digests: &'a [String]) -> BoxFuture<'a, Result<HashMap<String, Vec<f32>>>> {
        async move {
            let mut found = HashMap::new();
            if !self.is_there().await? {
                return Ok(found);
            }
            for some in digests.chunks(BATCH_POINTS) {
                let ids: Vec<PointId> = some.iter().map(|digest| self.id(digest)).collect();
                let wanted = GetPointsBuilder::new(&self.collection, ids).with_payload(true).with_vectors(true);
                for point in patiently(|| self.client.get_points(wanted.clone())).await?.result {
                    let digest = point.payload.get(DIGEST).and_then(|value| value.as_str()).cloned();
                    let options = point.vectors.and_then(|vectors| vectors.vectors_options);
                    if let (Some(digest), Some(VectorsOptions::Vector(vector))) = (digest, options)
                        && let Vector::Dense(dense) = vector.into_vector()
                    {
                        found.insert(digest, dense.data);
                    }
                }
            }
            Ok(found)
        }
        .boxed()
    }

    fn put(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>> {
        async move {
            let Some(first) = points.first() else { return Ok(()) };
            self.make(first.vector.len()).await?;
            for some in points.chunks(BATCH_POINTS) {
                let structs: Vec<PointStruct> = some
                    .iter()
                    .map(|point| {
                        let payload: HashMap<&str, qdrant_client::qdrant::Value> =
                            [(INDEX, self.index.clone().into()), (DIGEST, point.digest.clone().into())].into();
                        PointStruct::new(self.id(&point.digest), point.vector.clone(), Payload::from(payload))
                    })
                    .collect();
                let upsert = UpsertPointsBuilder::new(&self.collection, structs).wait(true);
                patiently(|| self.client.upsert_points(upsert.clone())).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn nearest<'a>(&'a self, vector: &'a [f32], limit: u32) -> BoxFuture<'a, Result<Vec<(String, f32)>>> {
        async move {
            if !self.is_there().await? {
                return Ok(Vec::new());
            }
            let query = QueryPointsBuilder::new(&self.collection)
                .query(vector.to_vec())
                .filter(self.own())
                .limit(u64::from(limit))
                .with_payload(true);
            let found = patiently(|| self.client.query(query.clone())).await?.result;
            let mut ranked: Vec<(String, f32)> =
                found.into_iter().filter_map(|point| Some((point.payload.get(DIGEST)?.as_str()?.clone(), point.score))).collect();
            ranked.sort_by(|(one, first), (other, second)| second.total_cmp(first).then_with(|| one.cmp(other)));
            Ok(ranked)
        }
        .boxed()
    }

    fn forget<'a>(&'a self, digests: &'a [String]) -> BoxFuture<'a, Result<()>> {
        async move {
            if !self.is_there().await? {
                return Ok(());
            }
            for some in digests.chunks(BATCH_POINTS) {
                let ids = PointsIdsList { ids: some.iter().map(|digest| self.id(digest)).collect() };
                let delete = DeletePointsBuilder::new(&self.collection).points(ids).wait(true);
                patiently(|| self.client.delete_points(delete.clone())).await?;
            }
            Ok(())
        }
        .boxed()
    }

    fn digests(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        async move {
            let mut found = Vec::new();
            if !self.is_there().await? {
                return Ok(found);
            }
            let mut next: Option<PointId> = None;
            loop {
                let mut scroll =
                    ScrollPointsBuilder::new(&self.collection).filter(self.own()).limit(BATCH_POINTS as u32).with_payload(true);
                if let Some(next) = next.take() {
                    scroll = scroll.offset(next);
                }
                let page = patiently(|| self.client.scroll(scroll.clone())).await?;
                found.extend(page.result.iter().filter_map(|point| point.payload.get(DIGEST)?.as_str().cloned()));
                next = page
                    .next_page_offset
                    .filter(|id| matches!(id.point_id_options, Some(PointIdOptions::Uuid(_) | PointIdOptions::Num(_))));
                if next.is_none() {
                    found.sort();
                    return Ok(found);
                }
            }
        }
        .boxed()
    }

    fn publish(&self) -> BoxFuture<'_, Result<()>> {
        async move {
            let aliases = patiently(|| self.client.list_aliases()).await?.aliases;
            let current = aliases.iter().find(|alias| alias.alias_name == PREFIX);
            if current.is_some_and(|alias| alias.collection_name == self.collection) || !self.is_there().await? {
                return Ok(());
            }
            // The server moves an alias that exists; nobody sees it missing.
            let create = CreateAliasBuilder::new(&self.collection, PREFIX);
            patiently(|| self.client.create_alias(create.clone())).await.map(drop)
        }
        .boxed()
    }
}

/// Tries again while the server is away, for a bounded time. What it refuses it would refuse again.
async fn patiently<T, F: Future<Output = std::result::Result<T, QdrantError>>>(mut call: impl FnMut() -> F) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let said = said(&error);
        if !is_passing(&error) {
            return Err(DenseError::Refused(said));
        }
        if attempt >= TRIES_MAX {
            return Err(DenseError::Store(said));
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(DenseError::Store("no try was made".to_owned()))
}

/// Whether the same request may do better later.
fn is_passing(error: &QdrantError) -> bool {
    use tonic::Code;
    match error {
        QdrantError::ResponseError { status } => {
            matches!(
                status.code(),
                Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled | Code::Unknown | Code::Internal
            )
        }
        QdrantError::ResourceExhaustedError { .. } | QdrantError::Io(_) => true,
        _ => false,
    }
}

/// What the server said, without what it was sent.
fn said(error: &QdrantError) -> String {
    match error {
        QdrantError::ResponseError { status } | QdrantError::ResourceExhaustedError { status, .. } => {
            let message: String = status.message().chars().take(200).collect();
            format!("{:?}: {message}", status.code())
        }
        other => other.to_string(),
    }
}
