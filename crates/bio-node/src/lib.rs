//! Node-API wrappers around `bio-kernels`: they convert arguments and errors, and hold no arithmetic.
//!
//! JavaScript has checked every argument before it comes here: arrays are of this thread, not detached, and outputs overlap nothing. Where
//! an operation works in place, its input is `None`.
// Node-API hands strings over by value, and the macros of napi register no function in a test build.
#![allow(clippy::needless_pass_by_value)]
#![cfg_attr(test, allow(dead_code))]

mod attention;
mod elementwise;
mod energy;
mod gguf;
mod guard;
mod held;
mod matrix;
mod packed;
mod quantize;
mod rows;
mod sparse;

use guard::{Result, guard, unknown};
use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

/// Raised with every change of what is exported; `packages/kernels/src/native/load.ts` holds the same number.
const VERSION: u32 = 6;

#[napi]
pub fn version() -> u32 {
    VERSION
}

#[napi]
pub fn isa() -> &'static str {
    bio_kernels::isa::current().name()
}

#[napi]
pub fn threads() -> u32 {
    bio_kernels::pool::threads() as u32
}

#[napi]
pub fn set_threads(threads: u32) {
    bio_kernels::pool::set_threads(threads as usize);
}

#[napi]
pub fn probe_read_bandwidth(bytes: f64, threads: u32) -> Result<f64> {
    guard(|| Ok(bio_kernels::probe::read_bandwidth(bytes as usize, threads as usize)))
}

#[napi]
pub fn probe_peak(kind: String, threads: u32) -> Result<f64> {
    use bio_kernels::probe::{Peak, peak};
    guard(|| {
        let kind = match kind.as_str() {
            "f32" => Peak::F32,
            "bf16" => Peak::Bf16,
            "int8" => Peak::Int8,
            other => return Err(unknown("probePeak", "f32, bf16 or int8", other)),
        };
        Ok(peak(kind, threads as usize))
    })
}

/// Panics on purpose: what the tests of error handling call.
#[napi]
pub fn panic_for_test() -> Result<()> {
    guard(|| panic!("on purpose"))
}

/// Does nothing with as many arguments as `matmulPacked`: what the bench holds a call against.
#[napi]
pub fn bare_call_for_test(_: Unknown, _: Unknown, _: Unknown, _: Unknown, _: Unknown) {}

/// Limits this thread to a tier, or with '' lifts the limit; false where the machine lacks it.
#[napi]
pub fn limit_isa_for_test(name: String) -> bool {
    use bio_kernels::isa::{Isa, limit};
    if name.is_empty() { limit(None) } else { Isa::from_name(&name).is_some_and(|isa| limit(Some(isa))) }
}
