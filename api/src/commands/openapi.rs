//! `openapi`: prints the OpenAPI document of the public interface.

use std::io::{self, Write};

use crate::http::public::docs;

/// Prints the document as JSON.
pub(crate) fn print() -> anyhow::Result<()> {
    writeln!(io::stdout(), "{}", docs::openapi().to_pretty_json()?)?;
    Ok(())
}
