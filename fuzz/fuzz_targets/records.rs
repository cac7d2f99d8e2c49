//! Hands what libFuzzer makes up to `swan_fuzz::records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::records(data));
