//! The console's files, from inside the binary.

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::problem::Problem;

#[derive(RustEmbed)]
#[folder = "src/console/"]
struct Console;

/// Nothing from elsewhere, nothing inline: what a wallet's id holds stays a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Answers with a file of the console, or says that nothing is there.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path() {
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let Some(file) = Console::get(path) else {
        return Problem::new(404, "nothing is at this path; /openapi.json lists what there is").into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(405, "the method is not one this path accepts").into_response();
    }
    let tag = file.metadata.sha256_hash().iter().take(12).fold(String::from("\""), |mut tag, byte| {
        tag.push_str(&format!("{byte:02x}"));
        tag
    }) + "\"";
    let common = [
        ("content-type", content_type(path)),
        ("etag", &*tag),
        ("cache-control", "no-cache"),
        ("content-security-policy", POLICY),
    ];
    if headers.get("if-none-match").is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    (common, file.data.into_owned()).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
