//! Hands what libFuzzer makes up to `swan_fuzz::api_compose`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::api_compose(data));
