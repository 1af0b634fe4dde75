//! Rows by index: embedding lookup, expert gather and combine, bias gradients.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_indices, check_len, checked_product};
use crate::isa::{self, per_isa};
use crate::math::{axpy, dot};

/// `out[r] = source[index[r]]`.
pub fn gather_rows(out: &mut [f32], source: &[f32], index: &[i32], columns: usize) -> Result<()> {
    check_len("gather_rows", "out", out.len(), checked_product("gather_rows", &[index.len(), columns])?)?;
    check_indices("gather_rows", "index", index, source.len() / columns.max(1))?;
    for (row, &from) in out.chunks_exact_mut(columns.max(1)).zip(index) {
        row.copy_from_slice(&source[from as usize * columns..][..columns]);
    }
    Ok(())
}

/// `out[index[r]] += scales[r]·x[r]`, in the order of r; scales of 1 without.
pub fn scatter_add_rows(
    out: &mut [f32],
    x: &[f32],
    index: &[i32],
    columns: usize,
    scales: Option<&[f32]>,
) -> Result<()> {
    check_len(
        "scatter_add_rows",
        "x",
        x.len(),
        checked_product("scatter_add_rows", &[index.len(), columns])?,
    )?;
    if let Some(scales) = scales {
        check_len("scatter_add_rows", "scales", scales.len(), index.len())?;
    }
    check_indices("scatter_add_rows", "index", index, out.len() / columns.max(1))?;
    scatter(isa::current(), out, x, index, columns, scales);
    Ok(())
}

per_isa! {
    fn scatter(out: &mut [f32], x: &[f32], index: &[i32], columns: usize, scales: Option<&[f32]>) {
        for (r, (row, &to)) in x.chunks_exact(columns.max(1)).zip(index).enumerate() {
            axpy::<FMA>(&mut out[to as usize * columns..][..columns], scales.map_or(1.0, |scales| scales[r]), row);
        }
    }
}

/// Gradients of `scatter_add_rows` with scales: `dx[r] = scales[r]·dy[index[r]]`, `d_scales[r] = ⟨dy[index[r]], x[r]⟩`.
pub fn scatter_add_rows_backward(
    dx: &mut [f32],
    d_scales: &mut [f32],
    dy: &[f32],
    x: &[f32],
    index: &[i32],
    columns: usize,
    scales: &[f32],
) -> Result<()> {
    let size = checked_product("scatter_add_rows_backward", &[index.len(), columns])?;
    check_len("scatter_add_rows_backward", "dx", dx.len(), size)?;
    check_len("scatter_add_rows_backward", "d_scales", d_scales.len(), index.len())?;
    check_len("scatter_add_rows_backward", "x", x.len(), size)?;
    check_len("scatter_add_rows_backward", "scales", scales.len(), index.len())?;
    check_indices("scatter_add_rows_backward", "index", index, dy.len() / columns.max(1))?;
    let isa = isa::current();
    let (dx, d_scales) = (Disjoint::new(dx), Disjoint::new(d_scales));
    for_ranges(index.len(), columns, &|range| {
        for r in range {
            let row = r * columns..(r + 1) * columns;
            // SAFETY: each row has its own gradient, and its own of its scale.
            let (dx, d_scale) = unsafe { (dx.part(row.clone()), d_scales.part(r..r + 1)) };
            let dy = &dy[index[r] as usize * columns..][..columns];
            d_scale[0] = scaled_row_backward(isa, dx, dy, &x[row], scales[r]);
        }
    });
    Ok(())
}

per_isa! {
    fn scaled_row_backward(dx: &mut [f32], dy: &[f32], x: &[f32], scale: f32) -> f32 {
        for (dx, dy) in dx.iter_mut().zip(dy) {
            *dx = scale * dy;
        }
        dot::<FMA>(dy, x)
    }
}

/// `out[j] += Σ_r x[r, j]`, in the order of r.
pub fn sum_rows(out: &mut [f32], x: &[f32], rows: usize, columns: usize) -> Result<()> {
    check_len("sum_rows", "x", x.len(), checked_product("sum_rows", &[rows, columns])?)?;
    check_len("sum_rows", "out", out.len(), columns)?;
    let isa = isa::current();
    let out = Disjoint::new(out);
    for_ranges(columns, rows, &|range| {
        // SAFETY: ranges of columns do not overlap.
        add_rows(isa, unsafe { out.part(range.clone()) }, x, columns, range.start);
    });
    Ok(())
}

per_isa! {
    fn add_rows(out: &mut [f32], x: &[f32], columns: usize, from: usize) {
        let mut sums = [0.0f32; 64];
        for (block, out) in out.chunks_mut(64).enumerate() {
            let sums = &mut sums[..out.len()];
            sums.fill(0.0);
            for row in x.chunks_exact(columns) {
                for (sum, value) in sums.iter_mut().zip(&row[from + block * 64..]) {
                    *sum += value;
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += *sum;
            }
        }
    }
}
