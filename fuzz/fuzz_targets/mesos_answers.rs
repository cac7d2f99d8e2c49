//! Hands what libFuzzer makes up to `swan_fuzz::mesos_answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::mesos_answers(data));
