//! Hands what libFuzzer makes up to `swan_fuzz::journal_recovery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::journal_recovery(data));
