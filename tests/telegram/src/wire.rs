//! HTTP: a request becomes a call, the call is done or meets a fault, and its end becomes an answer. What a method does is in
//! `methods`; waiting for updates is in `polling`.

use crate::call::{Call, decoded};
use crate::door::{Line, Lines};
use crate::faults::{Down, Failure};
use crate::methods;
use crate::polling;
use crate::refusal::Refusal;
use crate::state::State;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequest, Multipart, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Json, Router, extract::DefaultBodyLimit};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The largest body that is no multipart one; a message of 32 kB with a full keyboard stays far below.
const BODY_MAX_BYTES: usize = 1024 * 1024;

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad \
     Gateway</h1></center>\r\n<hr><center>nginx/1.18.0</center>\r\n</body>\r\n</html>\r\n";

/// What all parts of a running server share.
pub(crate) struct Server {
    state: Mutex<State>,
    /// Grows with every change, for whoever waits for one.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) down: watch::Sender<Option<Down>>,
    pub(crate) lines: Lines,
}

impl Server {
    pub(crate) fn new(state: State) -> Server {
        Server { state: Mutex::new(state), changes: watch::Sender::new(0), down: watch::Sender::new(None), lines: Lines::default() }
    }

    /// Only looks. A panic of a test that held the lock leaves the state as good as it was.
    pub(crate) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and lets everybody know who waits.
    pub(crate) fn change<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let result = with(&mut self.look());
        self.changes.send_modify(|number| *number += 1);
        result
    }
}

/// Everything that is served.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(server)
}

async fn serve(Shared(server): Shared<Arc<Server>>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let path = decoded(request.uri().path(), false);
    if let Some(rest) = path.strip_prefix("/file/bot") {
        let delay = server.look().faults.delay;
        tokio::time::sleep(delay).await;
        return download(&server, rest);
    }
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|rest| rest.split_once('/')) else {
        return answer(Err(Refusal::not_found()));
    };
    let known = methods::NAMES.iter().find(|name| name.eq_ignore_ascii_case(method));
    let mut call = Call::of(known.map_or_else(|| method.to_ascii_lowercase(), |name| (*name).to_owned()));
    let right_token = token == server.look().options.token;
    let failure = if right_token { server.look().faults.meet(&call.method) } else { None };
    let upload_limit_bytes = server.look().options.upload_limit_bytes;
    let read = read(&mut call, request, upload_limit_bytes).await;
    let closed = matches!(failure, Some(Failure::DoneThenClosed | Failure::ClosedBeforeDone));
    let decided = match (&failure, read) {
        (Some(Failure::ServerError), _) => Err(Refusal::new(500, "Internal Server Error")),
        (Some(Failure::BadGateway), _) => Err(Refusal::new(502, "Bad Gateway")),
        (Some(Failure::RetryAfter(seconds)), _) => Err(Refusal::retry_after(*seconds)),
        (Some(Failure::Refused(code, words)), _) => Err(Refusal::new(*code, words.clone())),
        (Some(Failure::ClosedBeforeDone), _) => Err(Refusal::new(0, "the connection was closed before the call was done")),
        (_, Err(refusal)) => Err(refusal),
        (_, Ok(())) if !right_token => Err(Refusal::unauthorized()),
        (_, Ok(())) if known.is_none() => Err(Refusal::not_found()),
        (_, Ok(())) if call.method == "getUpdates" => polling::get_updates(&server, &call).await.map(Some),
        (_, Ok(())) => Ok(None),
    };
    // Doing it and writing it down is one step, so that the log has the order in which things were done.
    let outcome = server.change(|state| {
        let outcome = match decided {
            Ok(None) => methods::perform(state, &call),
            Ok(Some(result)) => Ok(result),
            Err(refusal) => Err(refusal),
        };
        state.note(&call, &outcome, !closed);
        outcome
    });
    let delay = server.look().faults.delay;
    tokio::time::sleep(delay).await;
    if closed {
        // Nothing of the answer below can be written any more.
        line.cut();
    }
    match failure {
        Some(Failure::BadGateway) => (StatusCode::BAD_GATEWAY, Html(BAD_GATEWAY)).into_response(),
        _ => answer(outcome),
    }
}

/// Reads the parameters, in whatever form they came.
async fn read(call: &mut Call, request: Request, upload_limit_bytes: usize) -> Result<(), Refusal> {
    if let Some(query) = request.uri().query() {
        call.add_form(query);
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("multipart/form-data") {
        let body = Multipart::from_request(request, &()).await;
        let body = body.map_err(|error| Refusal::bad_request(format_args!("can't parse multipart body: {error}")))?;
        return call.add_multipart(body, upload_limit_bytes).await;
    }
    let body = to_bytes(request.into_body(), BODY_MAX_BYTES).await.map_err(|_| Refusal::too_large())?;
    if kind.starts_with("application/json") {
        call.add_json(&body)
    } else if kind.starts_with("application/x-www-form-urlencoded") {
        call.add_form(&String::from_utf8_lossy(&body));
        Ok(())
    } else {
        // Telegram does not look into a body of a kind it doesn't know.
        Ok(())
    }
}

/// The document that ends a call, with the status that it names.
fn answer(outcome: Result<Value, Refusal>) -> Response {
    match outcome {
        Ok(result) => Json(json!({ "ok": true, "result": result })).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(refusal.body())).into_response()
        }
    }
}

/// The bytes of a file that `getFile` told of.
fn download(server: &Server, rest: &str) -> Response {
    let state = server.look();
    let Some((token, path)) = rest.split_once('/') else { return answer(Err(Refusal::not_found())) };
    if token != state.options.token {
        return answer(Err(Refusal::unauthorized()));
    }
    let small = |bytes: usize| bytes <= state.options.download_limit_bytes;
    match state.files.values().find(|file| file.path == path && small(file.bytes.len())) {
        Some(file) => ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from(file.bytes.clone())).into_response(),
        None => answer(Err(Refusal::not_found())),
    }
}
