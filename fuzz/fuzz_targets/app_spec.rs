//! Hands what libFuzzer makes up to `swan_fuzz::app_spec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::app_spec(data));
