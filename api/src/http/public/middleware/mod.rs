//! What happens around every request, from the outside in: the span
//! [`RequestSpan`], `observe`, `shed_load`, `time_out`, `inject_faults` (where faults are enabled), and below
//! `/v1` also `authenticate` and `limit_rate`.

mod authenticate;
mod inject_faults;
mod limit_rate;
mod observe;
mod request_span;
mod shed_load;
mod time_out;

pub use authenticate::authenticate;
pub use inject_faults::inject_faults;
pub use limit_rate::limit_rate;
pub use observe::{Draining, observe};
pub use request_span::RequestSpan;
pub use shed_load::{InFlight, shed_load};
pub use time_out::time_out;
