//! Owns the tests of the API over real connections, with a manager that answers as it is told.

mod bad_input;
mod changes;
mod client;
mod events;
mod fake;
mod limits;
mod managers;
mod past;
mod reads;
mod rollouts;
mod routes;
mod time;
