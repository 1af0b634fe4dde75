//! The gradient of a weight, used where it is summed, so that it never goes to memory.
//!
//! ```text
//! for each task: a strip of rows of dW = dyᵀ·x .... 512 kB of sums, which stay in the L2
//!   the product of some columns of dy and all of x  as `matmul` computes it, so with its bits
//!   finish(strip) ................................. an optimiser reads the sums once and changes as much of the weight
//! ```
//!
//! Each strip packs x again, which is the less of its work the higher it is: strips of 256 kB and less were slower at 128 rows.

use std::cell::RefCell;
use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use super::few_rows;
use super::pack::{Buffer, Strided};
use super::{Target, multiply, panels, part};
use crate::disjoint::Disjoint;
use crate::error::{Result, check_len, checked_product};
use crate::isa::Isa;

/// Values of a weight that are worth waking a thread for.
const STEP: usize = 1 << 14;
/// Sums of a strip.
const STRIP: usize = 1 << 17;

/// dW [n, k] = dyᵀ·x of a linear layer: dy [rows, n], x [rows, k].
#[derive(Clone, Copy, Debug)]
pub struct WeightGradient<'a> {
    pub dy: &'a [f32],
    pub x: &'a [f32],
    pub rows: usize,
    pub n: usize,
    pub k: usize,
}

thread_local! {
    static SUMS: RefCell<Buffer> = RefCell::default();
}

impl WeightGradient<'_> {
    pub(crate) fn check(&self, operation: &'static str, size: usize) -> Result<()> {
        let Self { dy, x, rows, n, k } = *self;
        check_len(operation, "parameter", size, checked_product(operation, &[n, k])?)?;
        check_len(operation, "dy", dy.len(), checked_product(operation, &[rows, n])?)?;
        check_len(operation, "x", x.len(), checked_product(operation, &[rows, k])?)
    }

    /// Hands each stretch of dW to `finish` once, with its places, from any thread. The sums have the bits of `matmul_skipping_zeros`.
    pub(crate) fn for_strips(&self, isa: Isa, finish: &(dyn Fn(Range<usize>, &[f32]) + Sync)) {
        let Self { dy, x, rows, n, k } = *self;
        if n == 0 || k == 0 {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        let skip_zeros = super::zeros::pay(isa, dy, n);
        let (a, b) = (Strided::new(dy, n, rows, true), Strided::new(x, rows, k, false));
        #[cfg(target_arch = "x86_64")]
        if isa.has_avx512() && few_rows::suits(rows, k) {
            let threads = crate::pool::threads();
            let tasks = if threads == 1 { 1 } else { (n * k / STEP).clamp(1, 2 * threads).min(n) };
            return crate::pool::run(tasks, &|task| {
                few_rows::for_each_row(a, x, rows, k, part(0..n, task, tasks), skip_zeros, &|row, sums| {
                    finish(row * k..(row + 1) * k, sums);
                });
            });
        }
        // As many for each thread.
        let strips = (n * k).div_ceil(STRIP).next_multiple_of(crate::pool::threads()).min(n);
        crate::pool::run(strips, &|task| {
            let strip = part(0..n, task, strips);
            SUMS.with_borrow_mut(|sums| {
                let sums = sums.first(strip.len() * k);
                if rows == 0 {
                    sums.fill(0.0);
                } else {
                    let values = Disjoint::new(sums);
                    let out = Target { values: &values, first: 0, stride: k };
                    let (a, lines) = (a.from(strip.start, 0), 0..strip.len());
                    #[cfg(target_arch = "x86_64")]
                    if skip_zeros {
                        super::zeros::multiply(isa, out, a, b, k, lines.clone(), rows, true);
                    }
                    #[cfg(not(target_arch = "x86_64"))]
                    let skip_zeros = false;
                    if !skip_zeros {
                        multiply(isa, out, a, b, k, lines, 0..panels(k), rows, false);
                    }
                }
                finish(strip.start * k..strip.end * k, sums);
            });
        });
    }
}
