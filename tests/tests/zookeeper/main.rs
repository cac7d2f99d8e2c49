//! Holds the ZooKeeper side of `swan-store` against a real server: the contract of journal executors, elections, and the
//! register of managers.

mod contract;
mod election;
mod register;
mod session;
