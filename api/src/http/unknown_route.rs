//! Requests that no route serves: an unknown path, a method that the path does not have, or an unknown method.

use actix_web::dev::ResourceDef;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, web};

use super::problem::Problem;

/// The methods of RFC 9110, section 9.3, PATCH (RFC 5789), and QUERY, which OpenAPI 3.2 has. Any other is answered with
/// 501.
const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];

/// The routes of a server, for the header `Allow` of a 405.
#[derive(Clone, Debug)]
pub struct Routes {
    /// Each path pattern with the value of `Allow`.
    allowed: Vec<(ResourceDef, String)>,
    /// The detail of a 404.
    hint: &'static str,
}

impl Routes {
    /// Routes from path patterns with their methods. A path with GET also has HEAD. `hint` says in a 404 what to do.
    pub fn new<'a>(
        paths: impl IntoIterator<Item = (String, impl IntoIterator<Item = &'a str>)>,
        hint: &'static str,
    ) -> Self {
        let mut paths: Vec<_> = paths.into_iter().map(|(path, methods)| (allow(methods), path)).collect();
        // A path without parameters is found before a pattern that matches it too.
        paths.sort_by_key(|(_, path)| path.contains('{'));
        let allowed = paths.into_iter().map(|(allow, path)| (ResourceDef::new(path), allow)).collect();
        Self { allowed, hint }
    }

    /// Why no route serves this request.
    fn problem(&self, method: &Method, path: &str) -> Problem {
        if !METHODS.contains(&method.as_str()) {
            let known = METHODS.join(", ");
            let detail = format!("unknown method: methods are case-sensitive, and one of {known}");
            return Problem::new(StatusCode::NOT_IMPLEMENTED, "unknown_method", detail);
        }
        match self.allowed.iter().find(|(pattern, _)| pattern.is_match(path)) {
            Some((_, allow)) => {
                let detail = format!("allowed methods: {allow}");
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
                    // Required in a 405 (RFC 9110, section 15.5.6).
                    .header(header::ALLOW, allow)
            }
            None => Problem::new(StatusCode::NOT_FOUND, "unknown_route", self.hint),
        }
    }
}

/// The value of `Allow`.
fn allow<'a>(methods: impl IntoIterator<Item = &'a str>) -> String {
    let mut methods: Vec<_> = methods.into_iter().collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.join(", ")
}

/// Responds with 501 to an unknown method, with 405 if the path has other methods, and with 404 otherwise.
pub(crate) async fn unknown_route(routes: web::Data<Routes>, request: HttpRequest) -> Result<(), Problem> {
    Err(routes.problem(request.method(), request.path()))
}
