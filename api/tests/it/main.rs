//! Integration tests: each boots the real application on ports that the kernel picks, and talks to it over
//! HTTP. Most run twice: on embedded parts, and on Postgres and Redis.

mod support;

mod smoke;
mod statements;
