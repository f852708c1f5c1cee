//! The query of a list: `cursor` and `limit`.

use actix_web::web::Query;
use glasshouse_api::config::Limits;
use glasshouse_api::http::public::extract::PageQuery;
use glasshouse_domain::page::Cursor;

use crate::Target;
use crate::check::text;

pub(super) const TARGET: Target = Target {
    name: "page_query",
    seeds: &[
        "cursor=c1018f3c2a5b7e7c3d9f0123456789abcd&limit=20",
        "limit=0",
        "limit=101&cursor=",
        "limit=18446744073709551616",
        "cursor=%63%31&limit=+5&limit=6",
    ],
    dictionary: &["cursor=", "limit=", "&", "c1", "%", "+"],
    run,
};

thread_local! {
    static LIMITS: Limits = Limits::default();
}

fn run(input: &[u8]) {
    let Some(Ok(query)) = text(input).map(Query::<PageQuery>::from_query) else { return };
    let query = query.into_inner();
    let is_cursor = query.cursor.as_deref().is_none_or(|cursor| Cursor::decode(cursor).is_ok());
    let is_limit = query.limit.is_none_or(|limit| (1..=100).contains(&limit));
    match LIMITS.with(|limits| query.parse(limits)) {
        Ok(page) => {
            assert!(is_cursor && is_limit);
            assert_eq!(page.limit, query.limit.unwrap_or(20));
            let cursor = query.cursor.map(|cursor| cursor.to_ascii_lowercase());
            assert_eq!(page.after.map(Cursor::encode), cursor);
        }
        Err(problem) => {
            assert!(problem.status() == 422);
            let problem = problem.to_string();
            assert_eq!([problem.contains("cursor"), problem.contains("limit")], [!is_cursor, !is_limit]);
        }
    }
}
