//! The header `If-Match`, and the `ETag` that it refers to.

use std::collections::BTreeSet;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};
use glasshouse_domain::version::ExpectedVersion;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::http::problem::Problem;

/// The header `If-Match` (RFC 9110, section 13.1.1): the versions that the client has read and wants to change.
/// It prevents lost updates when two clients edit the same object.
#[derive(Clone, Debug)]
pub struct IfMatch(pub ExpectedVersion);

impl IfMatch {
    /// The name of the header.
    pub const NAME: &'static str = "If-Match";
    /// The regular expression of `"*" / #entity-tag`.
    const PATTERN: &'static str = concat!(
        r#"^[ \t]*(\*[ \t]*|((W/)?"[!#-~\u0080-\u00ff]*"[ \t]*)?"#,
        r#"(,[ \t]*((W/)?"[!#-~\u0080-\u00ff]*"[ \t]*)?)*)$"#,
    );

    /// The header `ETag` of a version.
    pub fn etag(version: i32) -> (header::HeaderName, String) {
        (header::ETAG, format!("\"{version}\""))
    }

    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let mut lines = request.headers().get_all(header::IF_MATCH).peekable();
        if lines.peek().is_none() {
            let detail = "send the header If-Match with the ETag of the version to change";
            return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail));
        }
        // Several lines of a header are one list (RFC 9110, section 5.3).
        let list = lines.map(header::HeaderValue::as_bytes).collect::<Vec<_>>().join(&b',');
        let detail = "the header If-Match must be *, or ETags of responses, such as \"3\" with its quotes";
        parse(&list).map(Self).ok_or_else(|| Problem::bad_request("if_match_invalid", detail))
    }
}

/// Parses `"*" / #entity-tag`; `None` if it is neither. Tags that are no version of ours match none, and neither do weak
/// ones: `If-Match` compares strongly (RFC 9110, section 8.8.3.2).
fn parse(list: &[u8]) -> Option<ExpectedVersion> {
    if list.trim_ascii() == b"*" {
        return Some(ExpectedVersion::Any);
    }
    let (mut versions, mut rest) = (BTreeSet::new(), list.trim_ascii());
    while !rest.is_empty() {
        if let Some(next) = rest.strip_prefix(b",") {
            rest = next.trim_ascii_start();
            continue;
        }
        let (is_weak, tag) = rest.strip_prefix(b"W/").map_or((false, rest), |tag| (true, tag));
        let tag = tag.strip_prefix(b"\"")?;
        let (opaque, next) = tag.split_at_checked(tag.iter().position(|byte| *byte == b'"')?)?;
        if !opaque.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7E | 0x80..)) {
            return None;
        }
        versions.extend(version(opaque).filter(|_| !is_weak));
        rest = next.strip_prefix(b"\"")?.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    Some(ExpectedVersion::OneOf(versions))
}

/// The version of an `ETag` of ours. Tags are compared byte by byte, so `03` and `+3` are not version 3.
fn version(opaque: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(opaque).ok()?;
    text.parse().ok().filter(|version: &i32| version.to_string() == text)
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(Self::PATTERN));
        let description = "The `ETag` of the version to change, or `*` for any";
        let header = ParameterBuilder::new().name(Self::NAME).parameter_in(ParameterIn::Header);
        vec![header.required(Required::True).description(Some(description)).schema(Some(schema)).build()]
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    proptest! {
        #[test]
        fn the_rule_is_that_of_the_pattern(list in r#"[*, \t]{0,3}|[W/",a* \t]{0,10}|(W/)?"[!#-~]{0,3}"( , ?(W/)?"[a ]?"){0,2}"#) {
            let matches = Regex::new(IfMatch::PATTERN).unwrap().is_match(&list);
            prop_assert_eq!(parse(list.as_bytes()).is_some(), matches);
        }
    }

    fn versions(list: &[u8]) -> Vec<i32> {
        match parse(list) {
            Some(ExpectedVersion::OneOf(versions)) => versions.into_iter().collect(),
            other => panic!("{other:?}: {}", list.escape_ascii()),
        }
    }

    #[test]
    fn a_list_is_the_versions_of_its_strong_tags() {
        for (list, expected) in [
            (&br#""3""#[..], &[3][..]),
            (br#""1","2""#, &[1, 2]),
            (b" \t\"1\" \t, \t\"2\" ", &[1, 2]),
            (br#",, "1",,"2" , "#, &[1, 2]),
            (br#""1", W/"2", "3""#, &[1, 3]),
            (br#"W/"1""#, &[]),
            (br#""a,b", "4""#, &[4]),
            (br#""a, "4""#, &[]),
            (br#""W/", "4""#, &[4]),
            (br#""*", "4""#, &[4]),
            (br#""\", "4""#, &[4]),
            (b"\"\x80\xff\", \"4\"", &[4]),
            ("\"größe\", \"4\"".as_bytes(), &[4]),
            (br#""", "4""#, &[4]),
            (br#""03", "+4", "-0", "1.0", "99999999999""#, &[]),
            (br#""-1", "2147483647""#, &[-1, 2_147_483_647]),
            (b"", &[]),
            (b" , ", &[]),
        ] {
            if list == br#""a, "4""# {
                assert_eq!(parse(list), None);
                continue;
            }
            assert_eq!(versions(list), expected, "{}", list.escape_ascii());
        }
        for any in [&b"*"[..], b" * ", b"\t*"] {
            assert_eq!(parse(any), Some(ExpectedVersion::Any));
        }
    }

    #[test]
    fn only_bad_grammar_is_rejected() {
        for list in [
            &b"1"[..],
            b"\"1",
            b"1\"",
            b"\"1\" \"2\"",
            b"\"1\"\"2\"",
            b"\"1\";\"2\"",
            b"w/\"1\"",
            b"W/1",
            b"W/ \"1\"",
            b"W\"1\"",
            b"'1'",
            b"\"a b\"",
            b"\"a\tb\"",
            b"\"a\x7fb\"",
            b"**",
            b"*, \"1\"",
            b"\"1\", *",
            b"*,",
            b"\"1\", x",
            br#""a, "4""#,
        ] {
            assert_eq!(parse(list), None, "{}", list.escape_ascii());
        }
    }
}
