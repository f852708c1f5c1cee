//! The files of the page: they are part of the program, and a browser needs nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;

use crate::http::static_file::StaticFile;

/// The files of `api/console`: name, media type and content.
macro_rules! files {
    ($($name:literal: $media_type:literal),* $(,)?) => {
        [$(($name, $media_type, include_str!(concat!("../../../../console/", $name)))),*]
    };
}

const FILES: [(&str, &str, &str); 13] = files![
    "index.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "main.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "format.js": "text/javascript; charset=utf-8",
    "traffic.js": "text/javascript; charset=utf-8",
    "heatmap.js": "text/javascript; charset=utf-8",
    "requests.js": "text/javascript; charset=utf-8",
    "trace.js": "text/javascript; charset=utf-8",
    "whatif.js": "text/javascript; charset=utf-8",
    "alerts.js": "text/javascript; charset=utf-8",
    "tryit.js": "text/javascript; charset=utf-8",
];

/// The files of the page. Clones share them, each compressed once.
#[derive(Clone, Debug)]
pub struct Files(Arc<BTreeMap<&'static str, StaticFile>>);

impl Default for Files {
    fn default() -> Self {
        let file = |(name, media_type, content): (_, _, &'static str)| {
            let content = Bytes::from_static(content.as_bytes());
            (name, StaticFile::new(HeaderValue::from_static(media_type), content))
        };
        Self(Arc::new(FILES.map(file).into()))
    }
}

impl Files {
    /// The file of this name.
    pub(super) fn file(&self, name: &str) -> Option<&StaticFile> {
        self.0.get(name)
    }
}
