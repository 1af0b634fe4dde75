//! CPU kernels for machine learning. No napi, no I/O: slices in, slices out.
//!
//! Every function checks its arguments and returns `KernelError` before it writes anything.
//! Every output element is summed in an order that depends on the summed length alone.

pub mod activation;
pub mod attention;
pub mod convert;
pub mod cross_entropy;
mod disjoint;
pub mod elementwise;
pub mod error;
pub mod fisher;
pub mod gguf;
pub mod isa;
mod math;
pub mod matmul;
mod memory;
pub mod norm;
pub mod optimizer;
pub mod packed;
pub mod pool;
pub mod probe;
mod processor;
pub mod quantize;
pub mod rotary;
pub mod rows;
pub mod softmax;
pub mod sparse;
