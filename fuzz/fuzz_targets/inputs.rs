//! Hands what libFuzzer makes up to `swan_fuzz::inputs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::inputs(data));
