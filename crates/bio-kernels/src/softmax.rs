//! Softmax over rows and its gradient.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, per_isa};
use crate::math::{dot, each, each_pair, exp, max_of, sum_of};

/// out = exp(x − max) / Σ per row.
pub fn softmax(out: &mut [f32], x: &[f32], rows: usize, columns: usize) -> Result<()> {
    check_len("softmax", "x", x.len(), out.len())?;
    apply(out, Some(x), rows, columns)
}

pub fn softmax_in_place(x: &mut [f32], rows: usize, columns: usize) -> Result<()> {
    apply(x, None, rows, columns)
}

fn apply(out: &mut [f32], x: Option<&[f32]>, rows: usize, columns: usize) -> Result<()> {
    check_len("softmax", "out", out.len(), checked_product("softmax", &[rows, columns])?)?;
    if out.is_empty() {
        return Ok(());
    }
    let isa = isa::current();
    let out = Disjoint::new(out);
    for_ranges(rows, columns, &|range| {
        let values = range.start * columns..range.end * columns;
        // SAFETY: ranges of rows do not overlap.
        forward(isa, unsafe { out.part(values.clone()) }, x.map(|x| &x[values]), columns);
    });
    Ok(())
}

per_isa! {
    fn forward(out: &mut [f32], x: Option<&[f32]>, columns: usize) {
        for (r, row) in out.chunks_exact_mut(columns).enumerate() {
            let x = x.map(|x| &x[r * columns..][..columns]);
            let high = max_of(x.unwrap_or(row));
            each(row, x, |value| exp::<FMA>(value - high));
            let total = sum_of(row, |value| value);
            each(row, None, |value| value / total);
        }
    }
}

/// dx = y⊙(dy − ⟨dy, y⟩) per row.
pub fn softmax_backward(dx: &mut [f32], dy: &[f32], y: &[f32], rows: usize, columns: usize) -> Result<()> {
    check_len("softmax_backward", "dy", dy.len(), dx.len())?;
    apply_backward(dx, Some(dy), y, rows, columns)
}

/// dy becomes dx.
pub fn softmax_backward_in_place(dy: &mut [f32], y: &[f32], rows: usize, columns: usize) -> Result<()> {
    apply_backward(dy, None, y, rows, columns)
}

fn apply_backward(dx: &mut [f32], dy: Option<&[f32]>, y: &[f32], rows: usize, columns: usize) -> Result<()> {
    let size = checked_product("softmax_backward", &[rows, columns])?;
    check_len("softmax_backward", "dx", dx.len(), size)?;
    check_len("softmax_backward", "y", y.len(), size)?;
    backward(isa::current(), dx, dy, y, columns.max(1));
    Ok(())
}

per_isa! {
    fn backward(dx: &mut [f32], dy: Option<&[f32]>, y: &[f32], columns: usize) {
        for (r, (dx, y)) in dx.chunks_exact_mut(columns).zip(y.chunks_exact(columns)).enumerate() {
            let dy = dy.map(|dy| &dy[r * columns..][..columns]);
            let along = dot::<FMA>(dy.unwrap_or(dx), y);
            each_pair(dx, dy, y, |dy, y| y * (dy - along));
        }
    }
}
