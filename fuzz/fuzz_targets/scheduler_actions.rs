//! Hands what libFuzzer makes up to `swan_fuzz::scheduler_actions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::scheduler_actions(data));
