//! `/docs`: Swagger UI over the description. All of its files are in the program, so that it needs no network.

use std::io::Read;
use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding, Encoding, LOCATION,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Header, Path};
use flate2::read::GzDecoder;
use utoipa_swagger_ui::Config;

use crate::problem::Problem;

/// Content security policy: the page loads and calls this service only. Swagger UI sets styles of its elements, and has
/// images in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Files of the page, of those that Swagger UI has.
const FILES: [&str; 8] = [
    "favicon-16x16.png",
    "favicon-32x32.png",
    "index.html",
    "index.css",
    "swagger-initializer.js",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    // A path, and no validator: nothing is sent to another service.
    Arc::new(Config::from("/openapi.json").validator_url("none").try_it_out_enabled(false).use_base_layout())
});

/// `GET /docs`: leads to the page, whose files have relative paths.
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
}

/// `GET /docs/{file}`: the page for an empty name, or one of its files. Most are stored compressed, and are sent so to
/// clients that accept it.
pub(crate) async fn file(
    accepted: Option<Header<AcceptEncoding>>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let name = if name.is_empty() { "index.html" } else { name.as_str() };
    let found = FILES.contains(&name).then(|| utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)));
    let Some(Ok(Some(file))) = found else { return Err(Problem::no_such_path()) };
    let mut answer = HttpResponse::Ok();
    let mut bytes = file.bytes.into_owned();
    if file.gzpipped {
        answer.insert_header((VARY, "accept-encoding"));
        if accepts_gzip(accepted) {
            answer.insert_header((CONTENT_ENCODING, ContentEncoding::Gzip));
        } else {
            bytes = unpacked(&bytes).ok_or_else(Problem::no_such_path)?;
        }
    }
    Ok(answer
        .content_type(file.content_type)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(bytes))
}

/// Whether a client accepts compressed files.
pub(crate) fn accepts_gzip(accepted: Option<Header<AcceptEncoding>>) -> bool {
    let chosen = accepted.and_then(|it| it.negotiate([Encoding::gzip(), Encoding::identity()].iter()));
    chosen == Some(Encoding::gzip())
}

fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut all).ok()?;
    Some(all)
}
