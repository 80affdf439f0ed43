//! Listener: accepts connections within limits and serves HTTP/1.1 on them.

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

/// Time for which an idle connection is kept open.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Time for which a refused client may go on sending its request.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum of connections that each thread may have beyond its share of the limit: those being closed for others. No
/// more are accepted, so that a burst of connections leaves file descriptors for the store and for Stripe.
pub const CLOSING_MAX: u16 = 32;

/// Options of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions {
    /// Number of threads that serve requests.
    pub workers: usize,
    /// Maximum of open connections.
    pub connections_max: usize,
    /// Time within which running requests must finish when the server stops, in seconds.
    pub finish_seconds: u64,
}

/// Serves the API on a listener. The server runs once it is polled, and is stopped by its handle.
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
    let idle = Arc::clone(&connections);
    tokio::spawn(async move {
        closed.await;
        idle.close_idle();
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
                data.insert(connection.state());
            })
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |socket: TcpStream| {
            let peer = socket.peer_addr().ok();
            let admitted = connections.admit(socket).map(|it| (it, peer)).map_err(DispatchError::Io);
            async move { admitted }
        })
        .and_then(http)
        .map_err(|error| {
            // Most often malformed HTTP, which was answered with 400: a fault of the client.
            tracing::debug!(%error, "a connection ended with an error");
            error
        })
    })?;
    Ok(server.run())
}
