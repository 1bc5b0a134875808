//! A BERT model in a folder of this machine, such as all-MiniLM-L6-v2: `config.json`, `tokenizer.json` and `model.safetensors`. Nothing is
//! downloaded, and nothing leaves the machine.

use super::{DenseError, Embedder, Result, normalised};
use crate::workspace::sha256;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use std::path::Path;
use std::sync::Arc;
use tokenizers::{PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};

/// Tokens of a text; the models of this sort were trained on no more.
const TOKENS_MAX: usize = 256;
/// Digits of the weights' digest that name the model.
const NAME_DIGITS: usize = 16;

/// The model, loaded.
#[derive(Clone)]
pub struct Bert {
    loaded: Arc<Loaded>,
}

struct Loaded {
    fingerprint: String,
    model: BertModel,
    tokenizer: Tokenizer,
}

impl Bert {
    /// Loads it.
    pub fn open(folder: &Path) -> Result<Bert> {
        let read =
            |name: &str| std::fs::read(folder.join(name)).map_err(|error| failed(format!("{}: {error}", folder.join(name).display())));
        let config: Config = serde_json::from_slice(&read("config.json")?).map_err(|error| failed(format!("config.json: {error}")))?;
        let mut tokenizer = Tokenizer::from_bytes(read("tokenizer.json")?).map_err(|error| failed(format!("tokenizer.json: {error}")))?;
        tokenizer.with_padding(Some(PaddingParams { strategy: PaddingStrategy::BatchLongest, ..PaddingParams::default() }));
        let truncation = TruncationParams { max_length: TOKENS_MAX.min(config.max_position_embeddings), ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| failed(error.to_string()))?;
        let weights = read("model.safetensors")?;
        let fingerprint = format!("bert {} {TOKENS_MAX}", &sha256(&weights)[..NAME_DIGITS]);
        let builder =
            VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu).map_err(|error| failed(error.to_string()))?;
        let model = BertModel::load(builder, &config).map_err(|error| failed(error.to_string()))?;
        Ok(Bert { loaded: Arc::new(Loaded { fingerprint, model, tokenizer }) })
    }
}

impl Loaded {
    fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        // Texts of about one length go together, for the short ones are filled up to the longest.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|at| texts[*at].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        for some in order.chunks(TOGETHER) {
            let made = self.forward(some.iter().map(|at| texts[*at].as_str()).collect()).map_err(|error| failed(error.to_string()))?;
            for (at, vector) in some.iter().zip(made) {
                vectors[*at] = normalised(vector).ok_or_else(|| failed("the model made a vector of nothing".to_owned()))?;
            }
        }
        Ok(vectors)
    }

    /// The mean of what the model makes of the tokens.
    fn forward(&self, texts: Vec<&str>) -> anyhow::Result<Vec<Vec<f32>>> {
        let encoded = self.tokenizer.encode_batch(texts, true).map_err(|error| anyhow::anyhow!("{error}"))?;
        let tensor = |of: fn(&tokenizers::Encoding) -> &[u32]| -> candle_core::Result<Tensor> {
            let rows: candle_core::Result<Vec<Tensor>> = encoded.iter().map(|encoding| Tensor::new(of(encoding), &Device::Cpu)).collect();
            Tensor::stack(&rows?, 0)
        };
        let (ids, mask) = (tensor(|encoding| encoding.get_ids())?, tensor(|encoding| encoding.get_attention_mask())?);
        let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
        Ok(mean.to_vec2()?)
    }
}

/// Texts that go through the model at one time.
const TOGETHER: usize = 8;

fn failed(why: String) -> DenseError {
    DenseError::Embedder(why)
}

impl Embedder for Bert {
    fn fingerprint(&self) -> &str {
        &self.loaded.fingerprint
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>>> {
        let (loaded, texts) = (self.loaded.clone(), texts.to_vec());
        // It computes for seconds; others must not wait for it.
        let computed = tokio::task::spawn_blocking(move || loaded.embed(texts));
        async move { computed.await.unwrap_or_else(|_| Err(failed("it was stopped".to_owned()))) }.boxed()
    }
}
