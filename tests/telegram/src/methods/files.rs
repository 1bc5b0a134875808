//! Documents: sent as bytes or by the id of one that is known, and told where they can be fetched. Addresses on the web are refused;
//! the double goes nowhere.

use super::messages::{caption, show};
use crate::call::Call;
use crate::refusal::Refusal;
use crate::state::State;
use crate::world::Content;
use serde_json::{Value, json};

/// `sendDocument`.
pub(super) fn send_document(state: &mut State, call: &Call) -> Result<Value, Refusal> {
    let caption = caption(state, call)?;
    if let Some(upload) = call.file("document").cloned() {
        if upload.bytes.is_empty() {
            return Err(Refusal::bad_request("file must be non-empty"));
        }
        return show(state, call, |state| {
            let file = state.store(&upload.name, upload.bytes, "documents");
            Ok(Content::Document { file, caption })
        });
    }
    let id = call.text("document")?.ok_or_else(|| Refusal::bad_request("there is no document in the request"))?;
    let file = state.files.get(id).cloned();
    let file = file.ok_or_else(|| Refusal::bad_request("wrong file identifier/HTTP URL specified"))?;
    show(state, call, |_| Ok(Content::Document { file, caption }))
}

/// `getFile`.
pub(super) fn get_file(state: &State, call: &Call) -> Result<Value, Refusal> {
    let id = call.text("file_id")?.ok_or_else(|| Refusal::bad_request("file_id is not specified"))?;
    let file = state.files.get(id).ok_or_else(|| Refusal::bad_request("invalid file_id"))?;
    if file.bytes.len() > state.options.download_limit_bytes {
        return Err(Refusal::bad_request("file is too big"));
    }
    Ok(json!({ "file_id": file.id, "file_unique_id": file.unique_id, "file_size": file.bytes.len(), "file_path": file.path }))
}
