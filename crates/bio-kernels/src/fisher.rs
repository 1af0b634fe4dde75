//! Squared per-sample gradients of a linear layer: Σ_r (δ_r a_rᵀ)² = (δ²)ᵀ(a²), without forming any one of them.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, mul_add, per_isa};

/// `out[i, j] += Σ_r dy[r, i]²·x[r, j]²`, in the order of r.
pub fn square_accumulate(
    out: &mut [f32],
    dy: &[f32],
    x: &[f32],
    rows: usize,
    n: usize,
    k: usize,
) -> Result<()> {
    check_len("square_accumulate", "out", out.len(), checked_product("square_accumulate", &[n, k])?)?;
    check_len("square_accumulate", "dy", dy.len(), checked_product("square_accumulate", &[rows, n])?)?;
    check_len("square_accumulate", "x", x.len(), checked_product("square_accumulate", &[rows, k])?)?;
    if rows == 0 {
        return Ok(());
    }
    let isa = isa::current();
    let out = Disjoint::new(out);
    for_ranges(n, k * rows, &|range| {
        for i in range {
            // SAFETY: each i has a row of its own.
            square_row(isa, unsafe { out.part(i * k..(i + 1) * k) }, &dy[i..], x, n, rows);
        }
    });
    Ok(())
}

per_isa! {
    fn square_row(out: &mut [f32], dy: &[f32], x: &[f32], stride: usize, rows: usize) {
        let k = out.len();
        for r in 0..rows {
            let square = dy[r * stride] * dy[r * stride];
            if square != 0.0 {
                for (out, x) in out.iter_mut().zip(&x[r * k..(r + 1) * k]) {
                    *out = mul_add::<FMA>(square, x * x, *out);
                }
            }
        }
    }
}
