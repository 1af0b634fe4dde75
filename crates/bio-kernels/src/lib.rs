//! CPU kernels for machine learning. No napi, no I/O: slices in, slices out.
//!
//! Every function checks its arguments and returns `KernelError` before it writes anything.
//! Every output element is summed in an order that depends on the summed length alone.

pub mod error;
pub mod isa;
pub mod pool;
