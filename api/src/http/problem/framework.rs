//! Errors of actix itself (bodies, queries, paths) as problem documents.

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::web::{JsonConfig, PathConfig, QueryConfig};

use super::Problem;

/// Configures how bodies, queries and paths are read: with a size limit, and with problem documents for errors.
pub(crate) fn extractor_configs(body_bytes: usize) -> (JsonConfig, QueryConfig, PathConfig) {
    (
        JsonConfig::default()
            .limit(body_bytes)
            .content_type_required(true)
            .error_handler(move |error, _| body_problem(&error, body_bytes).into()),
        query_config(),
        PathConfig::default().error_handler(|error, _| path_problem(&error).into()),
    )
}

/// Configures how queries are read.
pub(crate) fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|error, _| query_problem(&error).into())
}

fn body_problem(error: &JsonPayloadError, limit: usize) -> Problem {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            Problem::body_too_large(limit)
        }
        JsonPayloadError::ContentType => {
            let detail = "send the body as JSON, with the header Content-Type: application/json";
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        }
        JsonPayloadError::Deserialize(error) if error.is_data() => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", without_values(&error.to_string()))
        }
        JsonPayloadError::Deserialize(error) => {
            Problem::bad_request("malformed_json", format!("the body is not valid JSON: {error}"))
        }
        other => Problem::bad_request("unreadable_body", format!("cannot read the body: {other}")),
    }
}

/// Removes the value from an error message of serde, because it may be a password in the wrong field:
/// ``invalid type: integer `5`, expected a string`` becomes `invalid type: integer, expected a string`.
fn without_values(message: &str) -> String {
    let repeats = ["invalid type: ", "invalid value: ", "unknown variant "];
    let repeats = repeats.iter().any(|start| message.starts_with(start));
    match (message.find(['"', '`']), message.rfind(", expected ")) {
        (Some(value), Some(expected)) if repeats && value < expected => {
            format!("{}{}", message[..value].trim_end(), &message[expected..])
        }
        _ => message.to_owned(),
    }
}

fn query_problem(error: &QueryPayloadError) -> Problem {
    let detail = match error {
        QueryPayloadError::Deserialize(error) => without_values(&error.to_string()),
        other => other.to_string(),
    };
    Problem::bad_request("invalid_query", format!("invalid query string: {detail}"))
}

fn path_problem(error: &PathError) -> Problem {
    Problem::bad_request("invalid_path", format!("the id in the path must be a UUID: {error}"))
}

#[cfg(test)]
mod tests {
    use super::without_values;

    #[test]
    fn values_of_the_wrong_type_are_not_repeated() {
        for (message, shown) in [
            (
                r#"invalid type: string "a "secret", expected b", expected i64"#,
                "invalid type: string, expected i64",
            ),
            ("invalid type: integer `5`, expected a string", "invalid type: integer, expected a string"),
            ("invalid type: map, expected a string", "invalid type: map, expected a string"),
            ("unknown variant `secret`, expected `a` or `b`", "unknown variant, expected `a` or `b`"),
            ("missing field `sku`", "missing field `sku`"),
            ("unknown field `a`, expected `b`", "unknown field `a`, expected `b`"),
        ] {
            assert_eq!(without_values(message), shown);
        }
    }
}
