//! Connections that can be cut: a listener that can go away and come back on the same port, and streams that end without an answer
//! when they are told to. Sockets are all it knows; `wire` says when.

use crate::faults::Down;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::task::AtomicWaker;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long to wait before the port is tried again, should somebody else have it for a moment.
const REBIND_DELAY: Duration = Duration::from_millis(20);

/// One connection, as the rest of the double sees it.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<LineState>);

#[derive(Default)]
struct LineState {
    cut: AtomicBool,
    reader: AtomicWaker,
}

impl Line {
    /// Ends the connection. Nothing more is written to it.
    pub(crate) fn cut(&self) {
        self.0.cut.store(true, Ordering::SeqCst);
        self.0.reader.wake();
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Line {
        stream.io().line.clone()
    }
}

/// Every connection there is.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<Weak<LineState>>>>);

impl Lines {
    fn add(&self, line: &Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&line.0));
    }

    /// Ends them all.
    pub(crate) fn cut_all(&self) {
        for line in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade) {
            Line(line).cut();
        }
    }
}

/// A listener on one address, which is there or not.
pub(crate) struct Door {
    address: SocketAddr,
    listener: Option<TcpListener>,
    down: watch::Receiver<Option<Down>>,
    lines: Lines,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, address: SocketAddr, down: watch::Receiver<Option<Down>>, lines: Lines) -> Door {
        Door { address, listener: Some(listener), down, lines }
    }

    /// Waits until something changes, or for ever when nobody can change anything.
    async fn changed(down: &mut watch::Receiver<Option<Down>>) {
        if down.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Listener for Door {
    type Io = Cuttable;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cuttable, SocketAddr) {
        loop {
            let now = *self.down.borrow_and_update();
            if now == Some(Down::Refused) {
                self.listener = None;
                Door::changed(&mut self.down).await;
                continue;
            }
            let Some(listener) = &self.listener else {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => self.listener = Some(listener),
                    Err(_) => tokio::time::sleep(REBIND_DELAY).await,
                }
                continue;
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = Door::changed(&mut self.down) => continue,
            };
            let Ok((stream, from)) = accepted else { continue };
            if self.down.borrow().is_some() {
                // Without lingering, closing it is a reset.
                stream.set_zero_linger().ok();
                continue;
            }
            stream.set_nodelay(true).ok();
            let line = Line::default();
            self.lines.add(&line);
            return (Cuttable { stream, line }, from);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that ends when its line is cut.
pub(crate) struct Cuttable {
    stream: TcpStream,
    line: Line,
}

impl Cuttable {
    fn check(&self) -> io::Result<()> {
        match self.line.0.cut.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.line.0.reader.register(context.waker());
        self.check()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
