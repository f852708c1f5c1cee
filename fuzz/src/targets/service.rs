//! Calls a service of actix without a connection.

use actix_http::Request;
use actix_web::body::{MessageBody, to_bytes_limited};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::rt::Runtime;
use actix_web::test::{init_service, try_call_service};
use actix_web::{App, Error};

/// A response, with its body.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A service. All run on one runtime.
pub(super) struct Service {
    call: Box<dyn Fn(Request) -> Response>,
}

/// The longest body that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

thread_local! {
    // Never dropped: at the end of a thread, what it refers to may be gone.
    static RUNTIME: &'static Runtime = Box::leak(Box::new(Runtime::new().expect("a runtime")));
}

impl Service {
    pub(super) fn new<T, B>(app: App<T>) -> Self
    where
        T: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        let runtime = RUNTIME.with(|runtime| *runtime);
        let service = runtime.block_on(init_service(app));
        let call = move |request| {
            runtime.block_on(async {
                let response = try_call_service(&service, request).await;
                let response = response.unwrap_or_else(|error| panic!("no response: {error}"));
                let (status, headers) = (response.status(), response.headers().clone());
                let body = to_bytes_limited(response.into_body(), MAX_BODY).await;
                let Ok(Ok(body)) = body else { panic!("the body breaks off") };
                Response { status, headers, body: body.into() }
            })
        };
        Self { call: Box::new(call) }
    }

    /// A service for the lifetime of the process.
    pub(super) fn leaked(self) -> &'static Self {
        Box::leak(Box::new(self))
    }

    pub(super) fn call(&self, request: Request) -> Response {
        (self.call)(request)
    }
}
