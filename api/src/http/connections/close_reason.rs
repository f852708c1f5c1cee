//! Why the server closes a connection.

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The head of a request did not arrive in time.
    HeadTimeout,
    /// There was no request for too long.
    IdleTimeout,
    /// The client did not read a response in time.
    SlowReader,
    /// It made room for another connection.
    MadeRoom,
    /// The server shuts down, and the connection was idle.
    Shutdown,
}

impl CloseReason {
    /// Whether the client was too late, which it is not before everything is read that arrived in time.
    pub(super) const fn is_deadline_of_client(self) -> bool {
        !matches!(self, Self::MadeRoom | Self::Shutdown)
    }

    /// The value of the metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadTimeout => "head_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::SlowReader => "slow_reader",
            Self::MadeRoom => "made_room",
            Self::Shutdown => "shutdown",
        }
    }
}
