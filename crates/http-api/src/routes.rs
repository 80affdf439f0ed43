//! Routes. The handler of every method that may change something runs to its end, even if its client disconnects.

use actix_web::http::StatusCode;
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder, Route, guard, web};
use futures_util::future::LocalBoxFuture;
use paywright_app::Work;
use tracing::Instrument;

use crate::problem::Problem;

/// Resource at a path for routes of these methods. To any other it answers 405, with the methods in `Allow` (RFC 9110,
/// section 15.5.6).
pub(crate) fn resource(path: &str, methods: &[&str]) -> Resource {
    let allowed: Vec<_> = methods
        .iter()
        .flat_map(
            |it| if *it == "get" { vec!["GET".to_owned(), "HEAD".to_owned()] } else { vec![it.to_ascii_uppercase()] },
        )
        .collect();
    let allowed = allowed.join(", ");
    let wrong_method = web::route().to(move || {
        let problem = Problem::method_not_allowed(&allowed);
        async { Err::<HttpResponse, _>(problem) }
    });
    web::resource(path.to_owned()).default_service(wrong_method)
}

/// Route of `GET` and of `HEAD` without a handler. The server sends the answer to `HEAD` without its body.
pub(crate) fn read() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// Route of `GET` and of `HEAD`, whose handler changes nothing.
pub(crate) fn get<H, Args>(handler: H) -> Route
where
    H: Handler<Args>,
    H::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    read().to(handler)
}

/// Defines the route of a method whose handler is wrapped in [`Completed`].
macro_rules! completed_route {
    ($($(#[$meta:meta])* $name:ident)*) => {$(
        $(#[$meta])*
        pub(crate) fn $name<H, Args, E>(handler: H) -> Route
        where
            H: Handler<Args, Output = Result<HttpResponse, E>>,
            H::Future: 'static,
            Args: FromRequest + 'static,
            E: From<Problem> + Into<actix_web::Error> + 'static,
        {
            web::$name().to(completed(handler))
        }
    )*};
}

completed_route! {
    /// Route of `POST`.
    post
    /// Route of `PATCH`.
    patch
    /// Route of `PUT`.
    put
    /// Route of `DELETE`.
    delete
}

/// Handler that runs to its end, for a route of another method whose handler may change something.
pub(crate) const fn completed<H>(handler: H) -> Completed<H> {
    Completed(handler)
}

/// Handler that runs to its end even if its client disconnects: actix-web drops the future of a handler when the
/// connection is reset. It runs as a task of its own, which inherits the span, the id and the actor of the request.
#[derive(Clone)]
pub(crate) struct Completed<H>(H);

impl<H, Args, E> Handler<Args> for Completed<H>
where
    H: Handler<Args, Output = Result<HttpResponse, E>>,
    H::Future: 'static,
    E: From<Problem> + 'static,
{
    type Output = Result<HttpResponse, E>;
    type Future = LocalBoxFuture<'static, Self::Output>;

    fn call(&self, args: Args) -> Self::Future {
        let work = Box::pin(self.0.call(args)).in_current_span();
        let spawned = match Work::current() {
            Some(request) => actix_web::rt::spawn(request.scope(work)),
            None => actix_web::rt::spawn(work),
        };
        Box::pin(async {
            spawned.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a handler was aborted");
                let detail = "an internal error ended the request early, so the outcome is unknown: read the order, or \
                              repeat the request with the same Idempotency-Key";
                Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into())
            })
        })
    }
}
