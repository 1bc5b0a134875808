//! The stores of vectors keep one promise, whichever it is; and an outage in the middle costs time, not work. Against a real Qdrant with
//! `QDRANT_URL` (and `QDRANT_KEY`) set, else against the double.

use atelier_host::index::cache::{Cache, Read, Row};
use atelier_host::index::dense::embedded::Embedded;
use atelier_host::index::dense::qdrant::InQdrant;
use atelier_host::index::dense::search::{Dense, search};
use atelier_host::index::dense::{DenseError, Embedder, Point, Vectors, normalised};
use atelier_host::index::{Chunk, FileIndex};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tests::qdrant::{KEY, Qdrant};

fn digest(number: u64) -> String {
    format!("{number:064x}")
}

fn point(number: u64, numbers: &[f32]) -> Point {
    Point { digest: digest(number), vector: normalised(numbers.to_vec()).expect("a vector") }
}

async fn empty_cache() -> (TempDir, Cache) {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(&folder.path().join("index.db"), "story").await.expect("an index");
    (folder, cache)
}

/// Where the stories of Qdrant go: a real server, or the double.
async fn server() -> (Option<Qdrant>, String, Option<SecretString>) {
    match std::env::var("QDRANT_URL") {
        Ok(url) => (None, url, std::env::var("QDRANT_KEY").ok().map(SecretString::from)),
        Err(_) => {
            let double = Qdrant::start().await;
            let url = double.url.clone();
            (Some(double), url, Some(SecretString::from(KEY)))
        }
    }
}

/// Every promise of [`Vectors`].
async fn keeps_its_promises(store: &dyn Vectors) {
    assert!(store.get(&[digest(1)]).await.expect("an answer").is_empty());
    assert!(store.nearest(&[1.0, 0.0, 0.0], 5).await.expect("an answer").is_empty());
    assert!(store.digests().await.expect("an answer").is_empty());
    store.put(vec![point(1, &[1.0, 0.0, 0.0]), point(2, &[1.0, 1.0, 0.0]), point(3, &[0.0, 0.0, 1.0])]).await.expect("kept");
    // The same again changes nothing.
    store.put(vec![point(2, &[1.0, 1.0, 0.0])]).await.expect("kept");
    assert_eq!(store.digests().await.expect("an answer"), [digest(1), digest(2), digest(3)]);
    let found = store.get(&[digest(2), digest(9)]).await.expect("an answer");
    assert_eq!(found.keys().collect::<Vec<_>>(), [&digest(2)]);
    assert!(found[&digest(2)].iter().zip([0.5_f32.sqrt(), 0.5_f32.sqrt(), 0.0]).all(|(is, wanted)| (is - wanted).abs() < 1e-6));
    let nearest = store.nearest(&[1.0, 0.0, 0.0], 2).await.expect("an answer");
    assert_eq!(nearest.iter().map(|(digest, _)| digest.clone()).collect::<Vec<_>>(), [digest(1), digest(2)]);
    assert!((nearest[0].1 - 1.0).abs() < 1e-5 && (nearest[1].1 - 0.5_f32.sqrt()).abs() < 1e-5, "{nearest:?}");
    // Of another embedder, by the look of it.
    assert!(matches!(store.put(vec![point(4, &[1.0, 0.0])]).await, Err(DenseError::Refused(_))));
    assert!(matches!(store.nearest(&[1.0, 0.0], 1).await, Err(DenseError::Refused(_))));
    store.forget(&[digest(1), digest(7)]).await.expect("forgotten");
    assert_eq!(store.digests().await.expect("an answer"), [digest(2), digest(3)]);
    let many: Vec<Point> = (100..900).map(|number| point(number, &[number as f32, 1.0, 2.0])).collect();
    store.put(many).await.expect("kept");
    assert_eq!(store.digests().await.expect("an answer").len(), 802);
    assert_eq!(store.get(&(100..900).map(digest).collect::<Vec<_>>()).await.expect("an answer").len(), 800);
    store.publish().await.expect("published");
}

#[tokio::test]
async fn vectors_in_the_file_of_the_index_keep_every_promise() {
    let (_folder, cache) = empty_cache().await;
    keeps_its_promises(&Embedded::open(cache.clone(), "one").await.expect("a store")).await;
    // Those of another embedder are of no use.
    let other = Embedded::open(cache, "another").await.expect("a store");
    assert!(other.digests().await.expect("an answer").is_empty());
}

#[tokio::test]
async fn vectors_in_qdrant_keep_every_promise_and_indexes_do_not_see_each_other() {
    let (double, url, key) = server().await;
    let name = format!("story-{}", std::process::id());
    let store = InQdrant::new(&url, key.as_ref(), &name, "one").expect("a store");
    keeps_its_promises(&store).await;
    let beside = InQdrant::new(&url, key.as_ref(), &format!("{name}-beside"), "one").expect("a store");
    assert!(beside.digests().await.expect("an answer").is_empty());
    beside.put(vec![point(2, &[0.0, 1.0, 0.0])]).await.expect("kept");
    assert_eq!(beside.nearest(&[0.0, 1.0, 0.0], 9).await.expect("an answer").len(), 1);
    assert_eq!(store.digests().await.expect("an answer").len(), 802);
    if let Some(double) = double {
        assert_eq!(double.alias("atelier").as_deref(), Some(store.collection()));
        // Another embedder's collection is built beside, and has the alias once it is complete.
        let next = InQdrant::new(&url, key.as_ref(), &name, "two").expect("a store");
        next.put(vec![point(1, &[1.0, 0.0])]).await.expect("kept");
        assert_eq!(double.alias("atelier").as_deref(), Some(store.collection()));
        next.publish().await.expect("published");
        assert_eq!(double.alias("atelier").as_deref(), Some(next.collection()));
        assert_eq!(double.collections().len(), 2);
    }
}

#[tokio::test]
async fn a_wrong_key_is_said_at_once_and_is_in_no_message() {
    let double = Qdrant::start().await;
    let store = InQdrant::new(&double.url, Some(&SecretString::from("wrong-canary")), "story", "one").expect("a store");
    let error = store.put(vec![point(1, &[1.0])]).await.expect_err("refused");
    assert!(matches!(error, DenseError::Refused(_)), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
    assert!(matches!(InQdrant::new("no url at all", None, "story", "one"), Err(DenseError::Refused(_))));
}

/// Letters of a text, as far as three numbers can tell; it counts what it is asked.
#[derive(Default)]
struct Letters {
    texts: AtomicU64,
}

impl Embedder for Letters {
    fn fingerprint(&self) -> &str {
        "letters"
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>, DenseError>> {
        self.texts.fetch_add(texts.len() as u64, Ordering::SeqCst);
        let count = |text: &String, letter: char| 1.0 + text.matches(letter).count() as f32;
        let vectors = texts.iter().map(|text| vec![count(text, 'a'), count(text, 'b'), count(text, 'c')]).collect();
        async move { Ok(vectors) }.boxed()
    }
}

/// An index with so many files of one chunk.
async fn filled(cache: &Cache, files: u32) {
    let row = |number: u32| {
        let text = format!("def shared{number}():\n    return '{}'", "abc".repeat(number as usize % 7 + 1));
        let chunk = Chunk { name: format!("shared{number}"), kind: "function".into(), first_line: 1, last_line: 2, text };
        let index = FileIndex { chunks: vec![chunk], ..FileIndex::default() };
        Row { path: format!("f{number:04}.py"), size: 1, modified_ns: None, digest: format!("{number}"), read: Read::Parsed(index) }
    };
    cache.apply((0..files).map(row).collect(), Vec::new()).await.expect("written");
    cache.end_update("tree", None).await.expect("written");
}

#[tokio::test]
async fn an_outage_in_the_middle_of_a_build_is_survived_without_a_rebuild() {
    const FILES: u32 = 320;
    let double = Qdrant::start().await;
    let (_folder, cache) = empty_cache().await;
    filled(&cache, FILES).await;
    let embedder = Arc::new(Letters::default());
    let store = || Arc::new(InQdrant::new(&double.url, Some(&SecretString::from(KEY)), "story", "letters").expect("a store"));
    let dense = Dense::new(&cache, embedder.clone(), store()).await.expect("vectors");
    double.goes_out_after(4);
    let error = dense.build(&cache).await.expect_err("it is out for longer than anybody waits");
    assert!(matches!(error, DenseError::Store(_)), "{error}");
    // Words still answer, and say what is missing.
    let (answer, without) = search(&cache, Some(&dense), "shared7", 5).await.expect("an answer");
    assert_eq!(answer.hits.first().map(|hit| hit.path.as_str()), Some("f0007.py"));
    assert!(without.is_some());
    double.is_out(false);
    let before = double.upserted();
    let built = dense.build(&cache).await.expect("built");
    assert_eq!((built.made + built.kept, built.kept), (u64::from(FILES), before));
    assert_eq!(double.upserted(), u64::from(FILES), "no point was sent twice");
    assert!(cache.is_complete("letters").await.expect("an answer"));
    // A short outage is waited for.
    double.is_out(true);
    let (asking, coming_back) = (search(&cache, Some(&dense), "shared7", 5), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        double.is_out(false);
    });
    let (asked, ()) = tokio::join!(asking, coming_back);
    assert!(asked.expect("an answer").1.is_none());
}

#[tokio::test]
async fn vectors_of_chunks_that_are_gone_are_forgotten_and_the_others_are_not_made_again() {
    let (_folder, cache) = empty_cache().await;
    filled(&cache, 40).await;
    let embedder = Arc::new(Letters::default());
    let vectors = Arc::new(Embedded::open(cache.clone(), "letters").await.expect("a store"));
    let dense = Dense::new(&cache, embedder.clone(), vectors.clone()).await.expect("vectors");
    assert_eq!(dense.build(&cache).await.expect("built").made, 40);
    cache.apply(Vec::new(), vec!["f0003.py".into(), "f0004.py".into()]).await.expect("written");
    cache.end_update("another tree", None).await.expect("written");
    assert!(!cache.is_complete("letters").await.expect("an answer"));
    let built = dense.build(&cache).await.expect("built");
    assert_eq!((built.made, built.kept, built.forgotten), (0, 38, 2));
    assert_eq!(embedder.texts.load(Ordering::SeqCst), 40);
    assert_eq!(vectors.digests().await.expect("an answer").len(), 38);
}

#[tokio::test]
async fn only_what_words_found_is_embedded_for_a_query() {
    let (_folder, cache) = empty_cache().await;
    filled(&cache, 300).await;
    let embedder = Arc::new(Letters::default());
    let vectors = Arc::new(Embedded::open(cache.clone(), "letters").await.expect("a store"));
    let dense = Dense::new(&cache, embedder.clone(), vectors).await.expect("vectors");
    let (first, without) = search(&cache, Some(&dense), "def shared abc", 10).await.expect("an answer");
    assert!(without.is_none());
    let asked = embedder.texts.load(Ordering::SeqCst);
    assert!(asked <= 51, "{asked}");
    // Asked again, only the query is new, and the answer is the same.
    let (again, _) = search(&cache, Some(&dense), "def shared abc", 10).await.expect("an answer");
    assert_eq!((embedder.texts.load(Ordering::SeqCst), &again), (asked + 1, &first));
    // Without weight nothing is embedded at all.
    let (_, _) = search(&cache, Some(&dense.weighing(0.0)), "def shared abc", 10).await.expect("an answer");
    assert_eq!(embedder.texts.load(Ordering::SeqCst), asked + 1);
}

/// An embedder that answers with vectors of another size from its third call on.
#[derive(Default)]
struct Changing {
    calls: AtomicU64,
}

impl Embedder for Changing {
    fn fingerprint(&self) -> &str {
        "changing"
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>, DenseError>> {
        let dimensions = if self.calls.fetch_add(1, Ordering::SeqCst) < 2 { 3 } else { 4 };
        let vectors = texts.iter().map(|_| vec![1.0; dimensions]).collect();
        async move { Ok(vectors) }.boxed()
    }
}

#[tokio::test]
async fn an_embedder_that_changes_its_vectors_is_found_out_and_words_answer() {
    let double = Qdrant::start().await;
    let (_folder, cache) = empty_cache().await;
    filled(&cache, 100).await;
    let stores: [Arc<dyn Vectors>; 2] = [
        Arc::new(Embedded::open(cache.clone(), "changing").await.expect("a store")),
        Arc::new(InQdrant::new(&double.url, Some(&SecretString::from(KEY)), "story", "changing").expect("a store")),
    ];
    for store in stores {
        let dense = Dense::new(&cache, Arc::new(Changing::default()), store).await.expect("vectors");
        assert!(matches!(dense.build(&cache).await, Err(DenseError::Refused(_))));
        let (answer, without) = search(&cache, Some(&dense), "shared42", 5).await.expect("an answer");
        assert_eq!(answer.hits.first().map(|hit| hit.path.as_str()), Some("f0042.py"));
        assert!(without.is_some());
    }
}
