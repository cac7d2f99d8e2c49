//! Hands what libFuzzer makes up to `swan_fuzz::mesos_protobuf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| swan_fuzz::mesos_protobuf(data));
