//! The system clock.

use time::OffsetDateTime;

/// The current time in UTC, truncated to microseconds. Postgres stores microseconds, so the value is the same when
/// it is read back.
#[must_use]
pub fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.nanosecond() / 1000 * 1000).unwrap_or(now)
}
