//! Attention: training forward and backward, and decode over paged keys and values.

mod backward;
mod forward;
mod paged;

pub use backward::attention_backward;
pub use forward::attention;
pub use paged::{PageShape, PagedQueries, paged_attention, paged_write};

use crate::error::{KernelError, Result, checked_product};

/// q and out are [batch, length, heads, headDim], k and v [batch, length, kvHeads, headDim]; query head h reads key head ⌊h·kvHeads/heads⌋.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    pub batch: usize,
    pub length: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub causal: bool,
    pub scale: f32,
}

impl AttentionShape {
    /// Sizes of q, of k, and of the statistics [batch, heads, length].
    fn sizes(&self, operation: &'static str) -> Result<(usize, usize, usize)> {
        check_heads(operation, self.heads, self.kv_heads)?;
        let tokens = checked_product(operation, &[self.batch, self.length])?;
        Ok((
            checked_product(operation, &[tokens, self.heads, self.head_dim])?,
            checked_product(operation, &[tokens, self.kv_heads, self.head_dim])?,
            checked_product(operation, &[tokens, self.heads])?,
        ))
    }

    /// Where head `h` of token `t` of sequence `b` starts, in an array of `heads` heads.
    fn at(&self, b: usize, t: usize, h: usize, heads: usize) -> usize {
        ((b * self.length + t) * heads + h) * self.head_dim
    }
}

fn check_heads(operation: &'static str, heads: usize, kv_heads: usize) -> Result<()> {
    if kv_heads > 0 && heads.is_multiple_of(kv_heads) {
        return Ok(());
    }
    Err(KernelError {
        code: "ERR_BIO_SHAPE",
        operation,
        expected: "heads to be a multiple of kvHeads".into(),
        received: format!("{heads} and {kv_heads}"),
    })
}

/// [length, headDim] of one head, gathered and turned to [headDim, length], so that loops over keys are contiguous.
fn transpose_head(to: &mut [f32], from: &[f32], shape: &AttentionShape, b: usize, head: usize) {
    for t in 0..shape.length {
        let at = shape.at(b, t, head, shape.kv_heads);
        for (d, value) in from[at..at + shape.head_dim].iter().enumerate() {
            to[d * shape.length + t] = *value;
        }
    }
}
