//! Softmax over rows and its gradient.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, Isa, per_isa};
use crate::math::{dot, exp, max_of, sum_of};

/// out = exp(x − max) / Σ per row.
pub fn softmax(out: &mut [f32], x: &[f32], rows: usize, columns: usize) -> Result<()> {
    check_len("softmax", "x", x.len(), out.len())?;
    check_len("softmax", "out", out.len(), checked_product("softmax", &[rows, columns])?)?;
    out.copy_from_slice(x);
    softmax_in_place(out, rows, columns)
}

pub fn softmax_in_place(x: &mut [f32], rows: usize, columns: usize) -> Result<()> {
    check_len("softmax", "x", x.len(), checked_product("softmax", &[rows, columns])?)?;
    if x.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    let x = Disjoint::new(x);
    for_ranges(rows, columns, &|range| {
        // SAFETY: ranges of rows do not overlap.
        softmax_rows(isa, unsafe { x.part(range.start * columns..range.end * columns) }, columns);
    });
    Ok(())
}

pub(crate) fn softmax_rows(isa: Isa, x: &mut [f32], columns: usize) {
    forward(isa, x, columns);
}

per_isa! {
    fn forward(x: &mut [f32], columns: usize) {
        for row in x.chunks_exact_mut(columns) {
            let high = max_of(row);
            for value in row.iter_mut() {
                *value = exp::<FMA>(*value - high);
            }
            let total = sum_of(row, |value| value);
            for value in row.iter_mut() {
                *value /= total;
            }
        }
    }
}

/// dx = y⊙(dy − ⟨dy, y⟩) per row.
pub fn softmax_backward(dx: &mut [f32], dy: &[f32], y: &[f32], rows: usize, columns: usize) -> Result<()> {
    check_len("softmax_backward", "dy", dy.len(), dx.len())?;
    let size = checked_product("softmax_backward", &[rows, columns])?;
    check_len("softmax_backward", "dx", dx.len(), size)?;
    check_len("softmax_backward", "y", y.len(), size)?;
    dx.copy_from_slice(dy);
    softmax_backward_in_place(dx, y, rows, columns)
}

/// dy becomes dx.
pub fn softmax_backward_in_place(dy: &mut [f32], y: &[f32], rows: usize, columns: usize) -> Result<()> {
    let size = checked_product("softmax_backward", &[rows, columns])?;
    check_len("softmax_backward", "dy", dy.len(), size)?;
    check_len("softmax_backward", "y", y.len(), size)?;
    backward(isa::current(), dy, y, columns);
    Ok(())
}

per_isa! {
    fn backward(dy: &mut [f32], y: &[f32], columns: usize) {
        for (dy, y) in dy.chunks_exact_mut(columns.max(1)).zip(y.chunks_exact(columns.max(1))) {
            let along = dot::<FMA>(dy, y);
            for (dy, y) in dy.iter_mut().zip(y) {
                *dy = y * (*dy - along);
            }
        }
    }
}
