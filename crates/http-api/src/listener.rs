//! The listener: accepts connections, within limits, and answers what comes on them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::App as WebApp;
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use tokio::net::TcpStream;

use crate::connection::{Connection, Connections, HEAD_TIMEOUT};
use crate::requests::identify;
use crate::{Api, configure};

/// Time for which a connection without a request is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Time for which a client that was refused may go on sending what it had begun.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections that each thread may have beyond its part of the limit: those that are being closed for others. No
/// more are accepted, so that a burst of connections takes no descriptors from the store and from Stripe.
pub const CLOSING_MAX: u16 = 32;

/// Options of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions {
    /// Threads that serve.
    pub workers: usize,
    /// The most connections at once.
    pub connections_max: usize,
    /// Time that requests under way have once the process stops, in seconds.
    pub finish_seconds: u64,
}

/// Answers on a listener. The server runs once it is polled; it is stopped by its handle.
pub fn serve(api: Api, listener: TcpListener, options: ListenOptions) -> io::Result<Server> {
    let connections = Connections::new(options.connections_max);
    let builder = ServerBuilder::new()
        .workers(options.workers)
        .max_concurrent_connections(
            options.connections_max.div_ceil(options.workers.max(1)).saturating_add(CLOSING_MAX.into()),
        )
        .disable_signals()
        .shutdown_timeout(options.finish_seconds);
    let stopping = builder.graceful_shutdown_signal();
    let closed = api.shutdown.closed();
    let waiting = Arc::clone(&connections);
    tokio::spawn(async move {
        closed.await;
        waiting.close_waiting();
    });
    let server = builder.listen("http", listener, move || {
        let (api, connections, stopping) = (api.clone(), Arc::clone(&connections), stopping.clone());
        let app = WebApp::new().wrap(from_fn(identify)).configure(move |config| configure(config, api));
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .on_connect_ext(|connection: &Connection<TcpStream>, data| {
                data.insert(connection.line());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |socket: TcpStream| {
            let peer = socket.peer_addr().ok();
            let admitted = connections.admit(socket).map(|it| (it, peer)).map_err(DispatchError::Io);
            async move { admitted }
        })
        .and_then(http)
    })?;
    Ok(server.run())
}
