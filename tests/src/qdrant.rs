//! A double of Qdrant behind its real wire protocol, made from the server stubs of its own client crate. Strict: what Qdrant refuses it
//! refuses, and what the adapter does not use it does not do. It can be out for a while.

use qdrant_client::qdrant as wire;
use qdrant_client::qdrant::alias_operations::Action;
use qdrant_client::qdrant::collections_server::{Collections, CollectionsServer};
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::points_server::{Points, PointsServer};
use qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use qdrant_client::qdrant::{condition::ConditionOneOf, r#match::MatchValue, value::Kind};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The key that it wants.
pub const KEY: &str = "qdrant-canary-5512";

/// A collection.
#[derive(Clone, Debug, Default)]
struct Collection {
    dimensions: usize,
    indexed: Vec<String>,
    points: BTreeMap<String, Stored>,
}

#[derive(Clone, Debug)]
struct Stored {
    vector: Vec<f32>,
    payload: HashMap<String, wire::Value>,
}

#[derive(Debug, Default)]
struct State {
    collections: Mutex<BTreeMap<String, Collection>>,
    aliases: Mutex<BTreeMap<String, String>>,
    out: AtomicBool,
    /// Upserts that are let through before it goes out by itself; none at zero.
    until_out: AtomicU64,
    upserted: AtomicU64,
}

/// The double, at work until it is dropped.
pub struct Qdrant {
    state: Arc<State>,
    /// Where it listens.
    pub url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Qdrant {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Qdrant {
    /// Starts it on a free port.
    pub async fn start() -> Qdrant {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let url = format!("http://{}", incoming.local_addr().expect("its address"));
        let state = Arc::new(State::default());
        let door = Door(state.clone());
        let router = Server::builder().add_service(CollectionsServer::new(door.clone())).add_service(PointsServer::new(door));
        let server = tokio::spawn(async move { router.serve_with_incoming(incoming).await.expect("it serves") });
        Qdrant { state, url, server }
    }

    /// It answers nobody, or everybody again.
    pub fn is_out(&self, out: bool) {
        self.state.out.store(out, Ordering::SeqCst);
    }

    /// It goes out by itself after so many upserts.
    pub fn goes_out_after(&self, upserts: u64) {
        self.state.until_out.store(upserts, Ordering::SeqCst);
    }

    /// Points that were sent, the same ones again counted again.
    pub fn upserted(&self) -> u64 {
        self.state.upserted.load(Ordering::SeqCst)
    }

    /// The collections, and how many points each has.
    pub fn collections(&self) -> BTreeMap<String, usize> {
        lock(&self.state.collections).iter().map(|(name, collection)| (name.clone(), collection.points.len())).collect()
    }

    /// Which collection has this alias.
    pub fn alias(&self, name: &str) -> Option<String> {
        lock(&self.state.aliases).get(name).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone)]
struct Door(Arc<State>);

type Answer<T> = Result<Response<T>, Status>;

impl Door {
    /// Lets a request in.
    fn open<T>(&self, request: Request<T>) -> Result<T, Status> {
        if self.0.out.load(Ordering::SeqCst) {
            return Err(Status::unavailable("the double is out"));
        }
        match request.metadata().get("api-key").and_then(|key| key.to_str().ok()) {
            Some(KEY) => Ok(request.into_inner()),
            _ => Err(Status::unauthenticated("Must provide an API key or an Authorization bearer token")),
        }
    }

    /// Does something with a collection that must be there.
    fn with<T>(&self, name: &str, work: impl FnOnce(&mut Collection) -> Result<T, Status>) -> Result<T, Status> {
        let name = lock(&self.0.aliases).get(name).cloned().unwrap_or_else(|| name.to_owned());
        match lock(&self.0.collections).get_mut(&name) {
            Some(collection) => work(collection),
            None => Err(Status::not_found(format!("Not found: Collection `{name}` doesn't exist!"))),
        }
    }
}

fn id_of(id: Option<wire::PointId>) -> Result<String, Status> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(uuid)) if uuid.len() == 36 => Ok(uuid),
        _ => Err(Status::invalid_argument("Unable to parse UUID")),
    }
}

fn dense(vectors: Option<wire::Vectors>) -> Option<Vec<f32>> {
    let wire::vectors::VectorsOptions::Vector(vector) = vectors?.vectors_options? else { return None };
    #[expect(deprecated, reason = "clients of either age are understood")]
    match vector.vector {
        Some(wire::vector::Vector::Dense(dense)) => Some(dense.data),
        Some(_) => None,
        None => Some(vector.data),
    }
}

fn shown(vector: &[f32]) -> wire::VectorsOutput {
    let dense = wire::vector_output::Vector::Dense(wire::DenseVector { data: vector.to_vec() });
    let vector = wire::VectorOutput { vector: Some(dense), ..wire::VectorOutput::default() };
    wire::VectorsOutput { vectors_options: Some(wire::vectors_output::VectorsOptions::Vector(vector)) }
}

/// Whether a point passes: all conditions are keywords of payload fields that have an index, and anything else is not understood.
fn passes(filter: Option<&wire::Filter>, collection: &Collection, stored: &Stored) -> Result<bool, Status> {
    let Some(filter) = filter else { return Ok(true) };
    for condition in &filter.must {
        let Some(ConditionOneOf::Field(field)) = &condition.condition_one_of else { return Err(Status::unimplemented("this condition")) };
        let Some(MatchValue::Keyword(wanted)) = field.r#match.as_ref().and_then(|matching| matching.match_value.as_ref()) else {
            return Err(Status::unimplemented("this match"));
        };
        if !collection.indexed.contains(&field.key) {
            return Err(Status::invalid_argument(format!("Index required but not found for \"{}\"", field.key)));
        }
        let value = stored.payload.get(&field.key).and_then(|value| value.kind.as_ref());
        if value != Some(&Kind::StringValue(wanted.clone())) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn payload(wanted: Option<&wire::WithPayloadSelector>, stored: &Stored) -> HashMap<String, wire::Value> {
    match wanted.and_then(|wanted| wanted.selector_options.as_ref()) {
        Some(SelectorOptions::Enable(true)) => stored.payload.clone(),
        _ => HashMap::new(),
    }
}

fn done() -> wire::PointsOperationResponse {
    wire::PointsOperationResponse { result: Some(wire::UpdateResult { operation_id: Some(1), status: 2 }), ..Default::default() }
}

macro_rules! not_here {
    ($($name:ident: $request:ty => $response:ty;)*) => {
        $(fn $name<'life0, 'async_trait>(
            &'life0 self,
            _: Request<$request>,
        ) -> std::pin::Pin<Box<dyn Future<Output = Answer<$response>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented(concat!("the double has no ", stringify!($name)))) })
        })*
    };
}

#[tonic::async_trait]
impl Collections for Door {
    async fn create(&self, request: Request<wire::CreateCollection>) -> Answer<wire::CollectionOperationResponse> {
        let request = self.open(request)?;
        let Some(wire::vectors_config::Config::Params(params)) = request.vectors_config.and_then(|config| config.config) else {
            return Err(Status::invalid_argument("vectors_config is missing"));
        };
        if params.size == 0 || params.size > 65_536 || params.distance != wire::Distance::Cosine as i32 {
            return Err(Status::invalid_argument("Validation error: vectors.size or distance"));
        }
        let mut collections = lock(&self.0.collections);
        if collections.contains_key(&request.collection_name) {
            return Err(Status::already_exists(format!("Collection `{}` already exists!", request.collection_name)));
        }
        collections.insert(request.collection_name, Collection { dimensions: params.size as usize, ..Collection::default() });
        Ok(Response::new(wire::CollectionOperationResponse { result: true, time: 0.0 }))
    }

    async fn collection_exists(&self, request: Request<wire::CollectionExistsRequest>) -> Answer<wire::CollectionExistsResponse> {
        let exists = lock(&self.0.collections).contains_key(&self.open(request)?.collection_name);
        Ok(Response::new(wire::CollectionExistsResponse { result: Some(wire::CollectionExists { exists }), time: 0.0 }))
    }

    async fn update_aliases(&self, request: Request<wire::ChangeAliases>) -> Answer<wire::CollectionOperationResponse> {
        for action in self.open(request)?.actions {
            match action.action {
                // An alias that is there already is moved.
                Some(Action::CreateAlias(create)) => {
                    if !lock(&self.0.collections).contains_key(&create.collection_name) {
                        return Err(Status::not_found(format!("Not found: Collection `{}` doesn't exist!", create.collection_name)));
                    }
                    lock(&self.0.aliases).insert(create.alias_name, create.collection_name);
                }
                _ => return Err(Status::unimplemented("this change of aliases")),
            }
        }
        Ok(Response::new(wire::CollectionOperationResponse { result: true, time: 0.0 }))
    }

    async fn list_aliases(&self, request: Request<wire::ListAliasesRequest>) -> Answer<wire::ListAliasesResponse> {
        self.open(request)?;
        let described = |(alias_name, collection_name): (&String, &String)| wire::AliasDescription {
            alias_name: alias_name.clone(),
            collection_name: collection_name.clone(),
        };
        let aliases = lock(&self.0.aliases).iter().map(described).collect();
        Ok(Response::new(wire::ListAliasesResponse { aliases, time: 0.0 }))
    }

    not_here! {
        get: wire::GetCollectionInfoRequest => wire::GetCollectionInfoResponse;
        list: wire::ListCollectionsRequest => wire::ListCollectionsResponse;
        update: wire::UpdateCollection => wire::CollectionOperationResponse;
        delete: wire::DeleteCollection => wire::CollectionOperationResponse;
        list_collection_aliases: wire::ListCollectionAliasesRequest => wire::ListAliasesResponse;
        collection_cluster_info: wire::CollectionClusterInfoRequest => wire::CollectionClusterInfoResponse;
        update_collection_cluster_setup: wire::UpdateCollectionClusterSetupRequest => wire::UpdateCollectionClusterSetupResponse;
        create_shard_key: wire::CreateShardKeyRequest => wire::CreateShardKeyResponse;
        delete_shard_key: wire::DeleteShardKeyRequest => wire::DeleteShardKeyResponse;
        list_shard_keys: wire::ListShardKeysRequest => wire::ListShardKeysResponse;
    }
}

#[tonic::async_trait]
impl Points for Door {
    async fn upsert(&self, request: Request<wire::UpsertPoints>) -> Answer<wire::PointsOperationResponse> {
        let request = self.open(request)?;
        if !request.wait.unwrap_or(false) {
            return Err(Status::unimplemented("an upsert that does not wait"));
        }
        let count = request.points.len() as u64;
        self.with(&request.collection_name, |collection| {
            let mut points = Vec::new();
            for point in request.points {
                let id = id_of(point.id)?;
                let vector = dense(point.vectors).ok_or_else(|| Status::invalid_argument("Expected some vectors"))?;
                if vector.len() != collection.dimensions {
                    let (expected, got) = (collection.dimensions, vector.len());
                    return Err(Status::invalid_argument(format!(
                        "Wrong input: Vector dimension error: expected dim: {expected}, got {got}"
                    )));
                }
                points.push((id, Stored { vector, payload: point.payload }));
            }
            collection.points.extend(points);
            Ok(())
        })?;
        self.0.upserted.fetch_add(count, Ordering::SeqCst);
        if self.0.until_out.load(Ordering::SeqCst) > 0 && self.0.until_out.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.out.store(true, Ordering::SeqCst);
        }
        Ok(Response::new(done()))
    }

    async fn delete(&self, request: Request<wire::DeletePoints>) -> Answer<wire::PointsOperationResponse> {
        let request = self.open(request)?;
        let Some(PointsSelectorOneOf::Points(list)) = request.points.and_then(|points| points.points_selector_one_of) else {
            return Err(Status::unimplemented("deleting by anything but ids"));
        };
        self.with(&request.collection_name, |collection| {
            for id in list.ids {
                collection.points.remove(&id_of(Some(id))?);
            }
            Ok(())
        })?;
        Ok(Response::new(done()))
    }

    async fn get(&self, request: Request<wire::GetPoints>) -> Answer<wire::GetResponse> {
        let request = self.open(request)?;
        let result = self.with(&request.collection_name, |collection| {
            let mut found = Vec::new();
            for id in request.ids {
                let name = id_of(Some(id.clone()))?;
                if let Some(stored) = collection.points.get(&name) {
                    let payload = payload(request.with_payload.as_ref(), stored);
                    found.push(wire::RetrievedPoint { id: Some(id), payload, vectors: Some(shown(&stored.vector)), ..Default::default() });
                }
            }
            Ok(found)
        })?;
        Ok(Response::new(wire::GetResponse { result, ..Default::default() }))
    }

    async fn create_field_index(&self, request: Request<wire::CreateFieldIndexCollection>) -> Answer<wire::PointsOperationResponse> {
        let request = self.open(request)?;
        self.with(&request.collection_name, |collection| {
            collection.indexed.push(request.field_name);
            Ok(())
        })?;
        Ok(Response::new(done()))
    }

    async fn scroll(&self, request: Request<wire::ScrollPoints>) -> Answer<wire::ScrollResponse> {
        let request = self.open(request)?;
        let from = request.offset.map(|id| id_of(Some(id))).transpose()?.unwrap_or_default();
        let limit = request.limit.unwrap_or(10) as usize;
        let mut result = self.with(&request.collection_name, |collection| {
            let mut found = Vec::new();
            for (id, stored) in collection.points.range(from..) {
                if passes(request.filter.as_ref(), collection, stored)? {
                    let payload = payload(request.with_payload.as_ref(), stored);
                    found.push(wire::RetrievedPoint { id: Some(id.clone().into()), payload, ..Default::default() });
                }
            }
            Ok(found)
        })?;
        let next_page_offset = result.get(limit).and_then(|point| point.id.clone());
        result.truncate(limit);
        Ok(Response::new(wire::ScrollResponse { next_page_offset, result, ..Default::default() }))
    }

    async fn query(&self, request: Request<wire::QueryPoints>) -> Answer<wire::QueryResponse> {
        let request = self.open(request)?;
        let vector = match request.query.and_then(|query| query.variant) {
            Some(wire::query::Variant::Nearest(input)) => match input.variant {
                Some(wire::vector_input::Variant::Dense(dense)) => dense.data,
                _ => return Err(Status::unimplemented("this input")),
            },
            _ => return Err(Status::unimplemented("this query")),
        };
        let result = self.with(&request.collection_name, |collection| {
            if vector.len() != collection.dimensions {
                let (expected, got) = (collection.dimensions, vector.len());
                return Err(Status::invalid_argument(format!("Wrong input: Vector dimension error: expected dim: {expected}, got {got}")));
            }
            let mut found = Vec::new();
            for (id, stored) in &collection.points {
                if passes(request.filter.as_ref(), collection, stored)? {
                    let score = stored.vector.iter().zip(&vector).map(|(one, other)| one * other).sum();
                    let payload = payload(request.with_payload.as_ref(), stored);
                    found.push(wire::ScoredPoint { id: Some(id.clone().into()), payload, score, ..Default::default() });
                }
            }
            found.sort_by(|one, other| other.score.total_cmp(&one.score));
            found.truncate(request.limit.unwrap_or(10) as usize);
            Ok(found)
        })?;
        Ok(Response::new(wire::QueryResponse { result, ..Default::default() }))
    }

    not_here! {
        update_vectors: wire::UpdatePointVectors => wire::PointsOperationResponse;
        delete_vectors: wire::DeletePointVectors => wire::PointsOperationResponse;
        set_payload: wire::SetPayloadPoints => wire::PointsOperationResponse;
        overwrite_payload: wire::SetPayloadPoints => wire::PointsOperationResponse;
        delete_payload: wire::DeletePayloadPoints => wire::PointsOperationResponse;
        clear_payload: wire::ClearPayloadPoints => wire::PointsOperationResponse;
        delete_field_index: wire::DeleteFieldIndexCollection => wire::PointsOperationResponse;
        create_vector_name: wire::CreateVectorNameRequest => wire::PointsOperationResponse;
        delete_vector_name: wire::DeleteVectorNameRequest => wire::PointsOperationResponse;
        search: wire::SearchPoints => wire::SearchResponse;
        search_batch: wire::SearchBatchPoints => wire::SearchBatchResponse;
        search_groups: wire::SearchPointGroups => wire::SearchGroupsResponse;
        recommend: wire::RecommendPoints => wire::RecommendResponse;
        recommend_batch: wire::RecommendBatchPoints => wire::RecommendBatchResponse;
        recommend_groups: wire::RecommendPointGroups => wire::RecommendGroupsResponse;
        discover: wire::DiscoverPoints => wire::DiscoverResponse;
        discover_batch: wire::DiscoverBatchPoints => wire::DiscoverBatchResponse;
        count: wire::CountPoints => wire::CountResponse;
        update_batch: wire::UpdateBatchPoints => wire::UpdateBatchResponse;
        query_batch: wire::QueryBatchPoints => wire::QueryBatchResponse;
        query_groups: wire::QueryPointGroups => wire::QueryGroupsResponse;
        facet: wire::FacetCounts => wire::FacetResponse;
        search_matrix_pairs: wire::SearchMatrixPoints => wire::SearchMatrixPairsResponse;
        search_matrix_offsets: wire::SearchMatrixPoints => wire::SearchMatrixOffsetsResponse;
    }
}
