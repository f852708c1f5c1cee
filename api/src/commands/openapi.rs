//! `openapi`: prints the OpenAPI document of the public interface.

use crate::http::public::docs;
use crate::stdout;

/// Prints the document as JSON.
pub(crate) fn print() -> anyhow::Result<()> {
    Ok(stdout::print(&(docs::openapi().to_pretty_json()? + "\n"))?)
}
