//! Hands what libFuzzer makes up to `swan_fuzz::zookeeper_masters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::zookeeper_masters(data));
