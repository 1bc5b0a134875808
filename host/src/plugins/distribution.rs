//! Plugins in OCI registries: a component and its `plugin.toml` as one artifact, pushed and pulled by digest. What comes back is what its digest
//! says, or it is refused; whether it may run is decided where it is pinned, as for a file.
//!
//! Credentials are those of `docker login`: the table `auths` of `config.json` in `DOCKER_CONFIG` or `~/.docker`.

use super::PluginError;
use super::limits::COMPONENT_BYTES_MAX;
use super::manifest::PluginManifest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::StreamExt;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// A component, as other tools for WebAssembly name it too.
const COMPONENT_TYPE: &str = "application/wasm";
/// What other tools look for beside it.
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The plugin's description.
const MANIFEST_TYPE: &str = "application/vnd.atelier.plugin.v1+toml";
/// Of the description: who signed the component, in base64.
const SIGNATURE: &str = "dev.atelier.plugin.signature";
/// A `plugin.toml`.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;
/// A file of credentials.
const CREDENTIALS_BYTES_MAX: u64 = 1024 * 1024;
/// A registry that takes longer is down.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const IDLE_LIMIT: Duration = Duration::from_secs(10);
/// The whole transfer.
const TRANSFER_LIMIT: Duration = Duration::from_secs(300);

/// What a registry has.
#[derive(Debug)]
pub struct Pulled {
    /// Where it is, with its digest.
    pub reference: String,
    /// The plugin's description.
    pub manifest: PluginManifest,
    /// The component.
    pub bytes: Vec<u8>,
    /// Who vouches for it, in base64.
    pub signature: Option<String>,
}

/// Puts a component and its description into a registry. Returns its reference, with its digest.
pub async fn push(reference: &str, description: &str, bytes: Vec<u8>, signature: Option<&str>) -> Result<String, PluginError> {
    let (place, client, auth) = open(reference)?;
    let manifest: PluginManifest = toml::from_str(description).map_err(|error| told(reference, &error))?;
    let vouched = signature.map(|signature| BTreeMap::from([(SIGNATURE.to_owned(), signature.to_owned())]));
    let config = serde_json::json!({
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [format!("sha256:{}", crate::workspace::sha256(&bytes))],
        "component": { "exports": [format!("atelier:agent/{}@{}", manifest.world, manifest.api)], "imports": [] },
    });
    let layers = [
        ImageLayer::new(bytes, COMPONENT_TYPE.to_owned(), None),
        ImageLayer::new(description.as_bytes().to_vec(), MANIFEST_TYPE.to_owned(), vouched),
    ];
    let config = Config::new(config.to_string().into_bytes(), CONFIG_TYPE.to_owned(), None);
    let sent = async {
        client.push(&place, &layers, config, &auth, None).await?;
        client.fetch_manifest_digest(&place, &auth).await
    };
    let digest = within(reference, sent).await?;
    Ok(format!("{}/{}@{digest}", place.registry(), place.repository()))
}

/// Gets a component and its description. A reference with a digest gives what has that digest or nothing.
pub async fn pull(reference: &str) -> Result<Pulled, PluginError> {
    let (place, client, auth) = open(reference)?;
    let (found, digest) = within(reference, client.pull_image_manifest(&place, &auth)).await?;
    if place.digest().is_some_and(|wanted| wanted != digest) {
        return Err(told(reference, &format!("the registry gave {digest} in its place; nothing of it is kept")));
    }
    let description = layer(reference, &found, MANIFEST_TYPE)?;
    let text = fetch(reference, &client, &place, description, MANIFEST_BYTES_MAX).await?;
    let text = String::from_utf8(text).map_err(|error| told(reference, &error))?;
    let manifest = toml::from_str(&text).map_err(|error| told(reference, &format!("its plugin.toml can't be read: {error}")))?;
    let bytes = fetch(reference, &client, &place, layer(reference, &found, COMPONENT_TYPE)?, COMPONENT_BYTES_MAX).await?;
    let signature = description.annotations.as_ref().and_then(|annotations| annotations.get(SIGNATURE).cloned());
    Ok(Pulled { reference: format!("{}/{}@{digest}", place.registry(), place.repository()), manifest, bytes, signature })
}

fn open(reference: &str) -> Result<(Reference, Client, RegistryAuth), PluginError> {
    let place: Reference = reference
        .parse()
        .map_err(|error| told(reference, &format!("it is no reference ({error}); write HOST/NAME:TAG or HOST/NAME@sha256:DIGEST")))?;
    // Without TLS on this machine alone.
    let host = place.resolve_registry().rsplit_once(':').map_or(place.resolve_registry(), |(host, _)| host);
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let protocol = if is_here { ClientProtocol::Http } else { ClientProtocol::Https };
    let config = ClientConfig {
        protocol,
        connect_timeout: Some(CONNECT_LIMIT),
        read_timeout: Some(IDLE_LIMIT),
        user_agent: concat!("atelier/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    let client = Client::try_from(config).map_err(|error| told(reference, &error))?;
    let auth = credentials(place.resolve_registry())?;
    Ok((place, client, auth))
}

fn layer<'a>(reference: &str, manifest: &'a OciImageManifest, media_type: &str) -> Result<&'a OciDescriptor, PluginError> {
    let found = manifest.layers.iter().find(|layer| layer.media_type == media_type);
    found.ok_or_else(|| told(reference, &format!("it is no plugin of Atelier: it has no {media_type}; `atelier plugin push` makes one")))
}

/// The bytes of a blob. The client compares their digest with the one that the manifest names.
async fn fetch(reference: &str, client: &Client, place: &Reference, blob: &OciDescriptor, most: u64) -> Result<Vec<u8>, PluginError> {
    let size = u64::try_from(blob.size).unwrap_or(u64::MAX);
    if size > most {
        return Err(told(reference, &format!("a part of it has {size} bytes, at most {most} are read")));
    }
    let read = async {
        let mut stream = client.pull_blob_stream(place, blob).await?.stream;
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() as u64 > size {
                break;
            }
        }
        Ok(bytes)
    };
    let bytes = within(reference, read).await?;
    match bytes.len() as u64 == size {
        true => Ok(bytes),
        false => Err(told(reference, &"a part of it is not as large as its manifest says; nothing of it is kept")),
    }
}

async fn within<T>(reference: &str, work: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, PluginError> {
    match timeout(TRANSFER_LIMIT, work).await {
        Err(_) => Err(told(reference, &format!("the registry took more than {} s", TRANSFER_LIMIT.as_secs()))),
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(told(reference, &reason(&error))),
    }
}

/// In words, with what to do next. The registry's own words are left out where they are not needed.
fn reason(error: &OciDistributionError) -> String {
    match error {
        OciDistributionError::RequestError(error) if error.is_connect() => {
            "there is no connection to the registry; is its address right, and does it run?".to_owned()
        }
        OciDistributionError::RequestError(error) if error.is_timeout() => "the registry does not answer".to_owned(),
        OciDistributionError::RequestError(error) => {
            format!("the connection to the registry failed: {}", error.to_string().lines().next().unwrap_or_default())
        }
        OciDistributionError::IoError(error) if error.get_ref().is_some_and(|inner| inner.is::<DigestError>()) => OTHER_DIGEST.to_owned(),
        OciDistributionError::IoError(error) => format!("the registry's answer broke off: {error}"),
        OciDistributionError::DigestError(_) => OTHER_DIGEST.to_owned(),
        OciDistributionError::ServerError { code: 401 | 403, .. } => UNAUTHORIZED.to_owned(),
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => UNAUTHORIZED.to_owned(),
        OciDistributionError::RegistryError { envelope, .. } => match envelope.errors.first().map(|error| &error.code) {
            Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => UNAUTHORIZED.to_owned(),
            Some(OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::BlobUnknown) => UNKNOWN.to_owned(),
            _ => "the registry refuses it".to_owned(),
        },
        OciDistributionError::ImageManifestNotFoundError(_) => UNKNOWN.to_owned(),
        OciDistributionError::ServerError { code, .. } => format!("the registry answers with status {code}"),
        other => format!("the registry's answer can't be used: {}", other.to_string().lines().next().unwrap_or_default()),
    }
}

const OTHER_DIGEST: &str = "the registry gave something else than its digest says; nothing of it is kept";
const UNAUTHORIZED: &str = "the registry wants other credentials; `docker login` keeps them where they are looked for";
const UNKNOWN: &str = "the registry has no such plugin";

fn told(reference: &str, why: &impl ToString) -> PluginError {
    PluginError::Registry { reference: reference.to_owned(), why: why.to_string() }
}

/// What `docker login` keeps.
#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    auths: BTreeMap<String, Login>,
}

#[derive(Deserialize)]
struct Login {
    auth: Option<String>,
}

/// The credentials for this registry and no other; none where there are none.
fn credentials(registry: &str) -> Result<RegistryAuth, PluginError> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")));
    let Some(path) = folder.map(|folder| folder.join("config.json")).filter(|path| path.exists()) else {
        return Ok(RegistryAuth::Anonymous);
    };
    let size = std::fs::metadata(&path).map_err(|error| PluginError::io(&path, error))?.len();
    let unreadable = || PluginError::Registry {
        reference: registry.to_owned(),
        why: format!("{} can't be read; `docker login` writes it", path.display()),
    };
    if size > CREDENTIALS_BYTES_MAX {
        return Err(unreadable());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| PluginError::io(&path, error))?;
    // What is wrong with it is not told: it could be a secret.
    let known: Credentials = serde_json::from_str(&text).map_err(|_| unreadable())?;
    let Some(auth) = known.auths.get(registry).and_then(|login| login.auth.as_ref()) else { return Ok(RegistryAuth::Anonymous) };
    let auth = BASE64_STANDARD.decode(auth).ok().and_then(|auth| String::from_utf8(auth).ok()).ok_or_else(unreadable)?;
    let (user, password) = auth.split_once(':').ok_or_else(unreadable)?;
    Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
}
