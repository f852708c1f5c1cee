//! The time of now, as it can be stored.

use time::OffsetDateTime;

/// Now in UTC, in whole microseconds: what Postgres keeps. A finer time would read back as another one.
#[must_use]
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.nanosecond() / 1000 * 1000).unwrap_or(now)
}
