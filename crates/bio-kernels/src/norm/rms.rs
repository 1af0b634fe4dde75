//! out = x·inverse·weight, inverse = 1/√(mean(x²) + ε). Zhang and Sennrich 2019.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, mul_add, per_isa};
use crate::math::{LANES, lanes_total, sum_of};

pub fn rms_norm(
    out: &mut [f32],
    inverse: &mut [f32],
    x: &[f32],
    weight: &[f32],
    rows: usize,
    columns: usize,
    epsilon: f32,
) -> Result<()> {
    let size = checked_product("rms_norm", &[rows, columns])?;
    check_len("rms_norm", "out", out.len(), size)?;
    check_len("rms_norm", "x", x.len(), size)?;
    check_len("rms_norm", "weight", weight.len(), columns)?;
    check_len("rms_norm", "inverse", inverse.len(), rows)?;
    let isa = isa::current();
    let (out, inverse) = (Disjoint::new(out), Disjoint::new(inverse));
    for_ranges(rows, columns, &|range| {
        let values = range.start * columns..range.end * columns;
        // SAFETY: ranges of rows do not overlap.
        let (out, inverse) = unsafe { (out.part(values.clone()), inverse.part(range)) };
        forward(isa, out, inverse, &x[values], weight, epsilon);
    });
    Ok(())
}

per_isa! {
    fn forward(out: &mut [f32], inverse: &mut [f32], x: &[f32], weight: &[f32], epsilon: f32) {
        let columns = weight.len().max(1);
        for ((out, x), inverse) in out.chunks_exact_mut(columns).zip(x.chunks_exact(columns)).zip(inverse) {
            let scale = 1.0 / (sum_of(x, |value| value * value) / columns as f32 + epsilon).sqrt();
            *inverse = scale;
            for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                *out = x * scale * weight;
            }
        }
    }
}

/// dx = inverse·(w⊙dy − x·inverse²·⟨w⊙dy, x⟩/columns); `d_weight` += Σ_r dy⊙x·inverse, in the order of r.
pub fn rms_norm_backward(
    dx: &mut [f32],
    d_weight: &mut [f32],
    dy: &[f32],
    x: &[f32],
    weight: &[f32],
    inverse: &[f32],
    rows: usize,
    columns: usize,
) -> Result<()> {
    let size = checked_product("rms_norm_backward", &[rows, columns])?;
    for (name, length) in [("dx", dx.len()), ("dy", dy.len()), ("x", x.len())] {
        check_len("rms_norm_backward", name, length, size)?;
    }
    check_len("rms_norm_backward", "d_weight", d_weight.len(), columns)?;
    check_len("rms_norm_backward", "weight", weight.len(), columns)?;
    check_len("rms_norm_backward", "inverse", inverse.len(), rows)?;
    let isa = isa::current();
    let dx = Disjoint::new(dx);
    for_ranges(rows, columns, &|range| {
        let values = range.start * columns..range.end * columns;
        // SAFETY: ranges of rows do not overlap.
        let dx = unsafe { dx.part(values.clone()) };
        input_gradient(isa, dx, &dy[values.clone()], &x[values], weight, &inverse[range]);
    });
    weight_gradient(isa, d_weight, dy, x, inverse);
    Ok(())
}

per_isa! {
    fn input_gradient(dx: &mut [f32], dy: &[f32], x: &[f32], weight: &[f32], inverse: &[f32]) {
        let columns = weight.len().max(1);
        let rows = dx.chunks_exact_mut(columns).zip(dy.chunks_exact(columns)).zip(x.chunks_exact(columns)).zip(inverse);
        for (((dx, dy), x), &scale) in rows {
            let mut lanes = [0.0f32; LANES];
            for (j, ((dy, x), weight)) in dy.iter().zip(x).zip(weight).enumerate() {
                lanes[j % LANES] = mul_add::<FMA>(dy * weight, *x, lanes[j % LANES]);
            }
            let pull = lanes_total(lanes) * scale * scale / columns as f32;
            for (((dx, dy), x), weight) in dx.iter_mut().zip(dy).zip(x).zip(weight) {
                *dx = scale * (dy * weight - x * pull);
            }
        }
    }
}

per_isa! {
    fn weight_gradient(d_weight: &mut [f32], dy: &[f32], x: &[f32], inverse: &[f32]) {
        let columns = d_weight.len().max(1);
        for ((dy, x), scale) in dy.chunks_exact(columns).zip(x.chunks_exact(columns)).zip(inverse) {
            for ((d_weight, dy), x) in d_weight.iter_mut().zip(dy).zip(x) {
                *d_weight = mul_add::<FMA>(dy * x, *scale, *d_weight);
            }
        }
    }
}
