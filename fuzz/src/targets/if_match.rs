//! The header `If-Match`, in one or several lines (RFC 9110, section 13.1.1).

use std::collections::BTreeSet;

use actix_web::FromRequest;
use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use glasshouse_api::http::public::extract::IfMatch;
use glasshouse_domain::version::ExpectedVersion;
use regex::bytes::Regex;

use crate::Target;
use crate::check::{grammar, says_what_to_do};

pub(super) const TARGET: Target = Target {
    name: "if_match",
    seeds: &[
        "\"3\"",
        " * ",
        "\"1\", W/\"2\",,\t\"-1\"",
        "\"1\"\n\"2147483647\"",
        "\"a,b\" , \"03\",\"+4\"",
        "w/\"1\"",
        "\"1\" \"2\"",
        "*, \"1\"",
    ],
    dictionary: &["\"", "W/", ",", "*", "\t", " ", "\n", "-0", "2147483648"],
    run,
};

thread_local! {
    static GRAMMAR: Regex = grammar(concat!(
        r#"^(?-u)[ \t]*(\*[ \t]*|((W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*)?"#,
        r#"(,[ \t]*((W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*)?)*)$"#,
    ));
    static TAG: Regex = grammar(r#"(?-u)(W/)?"([\x21\x23-\x7e\x80-\xff]*)""#);
}

fn run(input: &[u8]) {
    let mut request = TestRequest::default();
    for line in input.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        request = request.append_header((IfMatch::NAME, value));
    }
    let list: Vec<u8> = input.iter().map(|byte| if *byte == b'\n' { b',' } else { *byte }).collect();
    let is_list = GRAMMAR.with(|grammar| grammar.is_match(&list));
    match IfMatch::from_request(&request.to_http_request(), &mut Payload::None).into_inner() {
        Ok(IfMatch(ExpectedVersion::Any)) => assert_eq!(list.trim_ascii(), b"*"),
        Ok(IfMatch(ExpectedVersion::OneOf(versions))) => {
            assert!(is_list, "not a list");
            assert_eq!(versions, expected(&list));
            for version in versions {
                assert_eq!(expected(IfMatch::etag(version).1.as_bytes()), BTreeSet::from([version]));
            }
        }
        Err(problem) => {
            assert!(!is_list && problem.status() == 400, "{problem}");
            says_what_to_do(&problem);
        }
    }
}

/// The versions of the strong tags.
fn expected(list: &[u8]) -> BTreeSet<i32> {
    TAG.with(|tag| {
        let strong = tag.captures_iter(list).filter(|tag| tag.get(1).is_none());
        let versions = strong.filter_map(|tag| {
            let text = std::str::from_utf8(&tag[2]).ok()?;
            let is_canonical = text == "0" || !text.trim_start_matches('-').starts_with(['0', '+']);
            text.parse().ok().filter(|_| is_canonical)
        });
        versions.collect()
    })
}
