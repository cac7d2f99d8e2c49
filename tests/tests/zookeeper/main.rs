//! Holds the ZooKeeper side of `swan-store` against a real server: the contract of journal executors, and elections.

mod contract;
mod election;
mod session;
