//! The documentation: the OpenAPI document at `/openapi.json`, and Swagger UI at `/docs/`.

mod examples;
mod links;
mod openapi;

pub use openapi::{OPENAPI_PATH, openapi, openapi_for, outcomes};

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerFile, serve};

use crate::http::problem::Problem;
use crate::http::static_file::StaticFile;

/// Where Swagger UI is.
const SWAGGER_UI: &str = "/docs/";

/// What a browser may load into Swagger UI: its own files, the OpenAPI document and the API, and its icons, which are in
/// its style sheet.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Whether this is the path of a file of Swagger UI.
pub(crate) fn is_swagger_ui(path: &str) -> bool {
    path.starts_with(SWAGGER_UI)
}

/// Leads from `/docs` to Swagger UI.
async fn redirect() -> impl Responder {
    web::Redirect::to(SWAGGER_UI)
}

/// The files of the documentation. Clones share them.
#[derive(Clone)]
pub struct Documentation(Arc<Files>);

struct Files {
    openapi: StaticFile,
    swagger_ui_config: Arc<Config<'static>>,
    /// The files of Swagger UI that were requested so far, by name.
    swagger_ui: Mutex<HashMap<String, Arc<StaticFile>>>,
}

impl Documentation {
    /// The documentation with this OpenAPI document.
    ///
    /// # Errors
    /// When the document cannot be serialized.
    pub fn new(openapi: &OpenApi) -> anyhow::Result<Self> {
        let json = HeaderValue::from_static("application/json");
        Ok(Self(Arc::new(Files {
            openapi: StaticFile::new(json, serde_json::to_vec(openapi)?.into()),
            swagger_ui_config: Arc::new(Config::from(OPENAPI_PATH)),
            swagger_ui: Mutex::default(),
        })))
    }

    /// Registers the routes of the documentation.
    pub fn register(&self, app: &mut web::ServiceConfig) {
        app.app_data(web::Data::new(self.clone()))
            .route("/docs", web::get().to(redirect))
            .route(OPENAPI_PATH, web::get().to(show_openapi))
            .route("/docs/{_:.*}", web::get().to(show_swagger_ui));
    }

    /// A file of Swagger UI; the empty name is its page.
    fn swagger_ui(&self, name: &str) -> Result<Arc<StaticFile>, Problem> {
        let mut known = self.0.swagger_ui.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known.get(name) {
            return Ok(file.clone());
        }
        let found = serve(name, self.0.swagger_ui_config.clone());
        let found = found.map_err(|error| Problem::internal(error.to_string()))?;
        let file = Arc::new(static_file(found.ok_or_else(no_such_file)?)?);
        known.insert(name.to_owned(), file.clone());
        Ok(file)
    }
}

fn static_file(file: SwaggerFile<'static>) -> Result<StaticFile, Problem> {
    let content_type = HeaderValue::try_from(file.content_type).map_err(Problem::internal)?;
    let content = match file.bytes {
        Cow::Borrowed(embedded) => web::Bytes::from_static(embedded),
        Cow::Owned(bytes) => bytes.into(),
    };
    Ok(StaticFile::new(content_type, content))
}

fn no_such_file() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown_route", "no such file: see /docs/")
}

async fn show_openapi(documentation: web::Data<Documentation>, request: HttpRequest) -> HttpResponse {
    documentation.0.openapi.respond(&request)
}

async fn show_swagger_ui(
    documentation: web::Data<Documentation>,
    name: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Ok(documentation.swagger_ui(&name)?.respond(&request))
}
