//! Squared per-sample gradients of a linear layer: Σ_r (δ_r a_rᵀ)² = (δ²)ᵀ(a²), without forming any one of them.

use std::cell::RefCell;

use crate::error::{Result, check_len, checked_product};
use crate::matmul::{MatmulShape, matmul_skipping_zeros};

thread_local! {
    static SQUARES: RefCell<(Vec<f32>, Vec<f32>)> = RefCell::default();
}

/// `out[i, j] += Σ_r dy[r, i]²·x[r, j]²`, in the order of r: a product of the squares.
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
    SQUARES.with_borrow_mut(|(of_dy, of_x)| {
        for (squares, values) in [(&mut *of_dy, dy), (&mut *of_x, x)] {
            squares.clear();
            squares.extend(values.iter().map(|value| value * value));
        }
        let shape =
            MatmulShape { m: n, n: k, k: rows, transpose_a: true, transpose_b: false, accumulate: true };
        // Below a relu half of dy is 0 or more. Squares never are −0, so the bits are the same.
        matmul_skipping_zeros(out, of_dy, of_x, shape)
    })
}
