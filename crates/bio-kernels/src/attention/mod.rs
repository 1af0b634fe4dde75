//! Attention: training forward and backward, and decode over paged keys and values.

mod backward;
mod forward;
mod paged;

pub use backward::attention_backward;
pub use forward::attention;
pub use paged::{PageContent, PageShape, PageValue, PagedQueries, paged_attention, paged_write};

use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, checked_product};
use crate::isa::{Isa, per_isa};
use crate::math::{exp, max_of, sum_of};
use crate::matmul::{Buffer, Columns, PANEL, Strided, Target, multiply_block, pack_panel, panels};

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
        if self.head_dim == 0 {
            return Err(KernelError {
                code: "ERR_BIO_SHAPE",
                operation,
                expected: "a headDim of at least 1".into(),
                received: "0".into(),
            });
        }
        let tokens = checked_product(operation, &[self.batch, self.length])?;
        Ok((
            checked_product(operation, &[tokens, self.heads, self.head_dim])?,
            checked_product(operation, &[tokens, self.kv_heads, self.head_dim])?,
            checked_product(operation, &[tokens, self.heads])?,
        ))
    }

    /// One per key head of a sequence that has tokens.
    fn tasks(&self) -> usize {
        if self.length == 0 { 0 } else { self.batch * self.kv_heads }
    }

    /// Keys that query `t` sees.
    fn seen(&self, t: usize) -> usize {
        if self.causal { t + 1 } else { self.length }
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

/// Query tokens that meet the keys together: their scores [48, length] are all that is kept of the matrix.
const QUERIES: usize = 48;

/// One key head of one sequence, its keys or values in panels, for a task to multiply with.
fn pack_head<'a>(isa: Isa, to: &'a mut Buffer, from: Strided<'_>, depth: usize, n: usize) -> Columns<'a> {
    let size = depth * PANEL;
    let to = to.first(panels(n) * size);
    for (panel, to) in to.chunks_exact_mut(size).enumerate() {
        pack_panel(isa, to, from, 0, panel, n);
    }
    Columns { panels: to, n, depth, first: 0 }
}

/// out [rows, n] = a·b over the first `depth` rows of b; `b.n` columns of it.
fn product(isa: Isa, out: &mut [f32], a: Strided<'_>, b: Columns<'_>, rows: usize, depth: usize) {
    out.fill(0.0);
    let out = Disjoint::new(out);
    let target = Target { values: &out, first: 0, stride: b.n };
    multiply_block(isa, target, a, b, 0..rows, 0..panels(b.n), depth);
}

per_isa! {
    /// Turns scores into softmax weights and returns the log of the sum of exponentials.
    fn weigh(scores: &mut [f32]) -> f32 {
        let high = max_of(scores);
        for score in scores.iter_mut() {
            *score = exp::<FMA>(*score - high);
        }
        let total = sum_of(scores, |score| score);
        for score in scores.iter_mut() {
            *score /= total;
        }
        high + total.ln()
    }
}
