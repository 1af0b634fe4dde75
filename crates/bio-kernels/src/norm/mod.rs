//! Norms over rows, forward and backward.

mod layer;
mod rms;

pub use layer::{layer_norm, layer_norm_backward};
pub use rms::{rms_norm, rms_norm_backward};
