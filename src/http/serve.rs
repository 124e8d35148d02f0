//! Connections in, until told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::metrics::Metrics;

use super::connections::activity::Activity;
use super::connections::stream::{Taken, Watched};
use super::connections::{ConnectionLimits, Connections, Refusal};

/// How large the head of a request may be.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// What HTTP/2 lets one connection have in hand: requests, bytes of bodies that nobody reads yet, bytes of answers
/// that wait for their reader.
const STREAMS_MAX: u32 = 100;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
const STREAM_BUFFER: usize = 64 * 1024;
/// After an error of the listener itself, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the server.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    pub connections: ConnectionLimits,
    /// How long requests in hand may take when the server stops.
    pub shutdown_grace: Duration,
}

/// What each connection needs.
#[derive(Clone)]
struct Serving {
    router: Router,
    tls: Option<TlsAcceptor>,
    metrics: Arc<Metrics>,
    stop: watch::Receiver<bool>,
}

/// Serves until `stop` is true, then lets requests in hand finish.
///
/// # Errors
/// None that ends it: a connection's faults are its own.
pub async fn serve(
    listener: TcpListener,
    (router, metrics): (Router, Arc<Metrics>),
    tls: Option<TlsAcceptor>,
    limits: ServerLimits,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(limits.connections);
    let serving = Serving { router, tls, metrics, stop: stop.clone() };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let seat = match connections.take(address, Instant::now()) {
            Ok(seat) => seat,
            Err(refusal) => {
                serving.count(refusal);
                continue;
            }
        };
        // Small answers go out at once.
        drop(stream.set_nodelay(true));
        let (serving, watcher, activity) = (serving.clone(), graceful.watcher(), Arc::clone(&seat.activity));
        tokio::spawn(async move {
            let ended = activity.end(serving.stop.clone());
            tokio::select! {
                () = serving.connection(stream, address, Arc::clone(&activity), watcher) => {}
                // What was in hand is dropped with the connection.
                refusal = ended => refusal.into_iter().for_each(|refusal| serving.count(refusal)),
            }
            drop(seat);
        });
    }
    drop(listener);
    // What takes longer is cut off: its operations are durable or were never acknowledged.
    drop(tokio::time::timeout(limits.shutdown_grace, graceful.shutdown()).await);
    Ok(())
}

impl Serving {
    /// Counts a connection that was closed or not taken.
    fn count(&self, refusal: Refusal) {
        if let Some(reason) = refusal.name() {
            self.metrics.observe_refused(reason);
        }
    }

    async fn connection(&self, stream: TcpStream, address: SocketAddr, activity: Arc<Activity>, watcher: Watcher) {
        let stream = Watched::new(stream, Arc::clone(&activity));
        match &self.tls {
            None => self.requests(stream, address, activity, watcher).await,
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    self.requests(stream, address, activity, watcher).await;
                }
            }
        }
    }

    async fn requests<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        address: SocketAddr,
        activity: Arc<Activity>,
        watcher: Watcher,
    ) {
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            let in_hand = activity.begin(request.version() == hyper::Version::HTTP_2);
            request.extensions_mut().insert(ConnectInfo(address));
            request.extensions_mut().insert(Arc::clone(in_hand.activity()));
            let answer = router.clone().call(request);
            async move { answer.await.map(|response| response.map(|body| Body::new(Taken::new(body, in_hand)))) }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        // The deadlines of a connection are those of its activity.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_BYTES_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(64 * 1024)
            .max_concurrent_streams(STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_BUFFER);
        let serving = builder.serve_connection(TokioIo::new(stream), service);
        // A broken connection is its client's business.
        drop(watcher.watch(serving.into_owned()).await);
    }
}
