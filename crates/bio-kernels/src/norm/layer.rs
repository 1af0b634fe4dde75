//! out = (x − mean)·inverse·weight + bias, inverse = 1/√(variance + ε). Ba et al. 2016.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{Result, check_len, checked_product};
use crate::isa::{self, mul_add, per_isa};
use crate::math::{LANES, lanes_total, sum_of};

pub fn layer_norm(
    out: &mut [f32],
    mean: &mut [f32],
    inverse: &mut [f32],
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    rows: usize,
    columns: usize,
    epsilon: f32,
) -> Result<()> {
    let size = checked_product("layer_norm", &[rows, columns])?;
    for (name, length, expected) in [
        ("out", out.len(), size),
        ("x", x.len(), size),
        ("weight", weight.len(), columns),
        ("bias", bias.len(), columns),
        ("mean", mean.len(), rows),
        ("inverse", inverse.len(), rows),
    ] {
        check_len("layer_norm", name, length, expected)?;
    }
    let isa = isa::current();
    let (out, mean, inverse) = (Disjoint::new(out), Disjoint::new(mean), Disjoint::new(inverse));
    for_ranges(rows, columns, &|range| {
        let values = range.start * columns..range.end * columns;
        // SAFETY: ranges of rows do not overlap.
        let (out, mean, inverse) =
            unsafe { (out.part(values.clone()), mean.part(range.clone()), inverse.part(range)) };
        forward(isa, out, mean, inverse, &x[values], weight, bias, epsilon);
    });
    Ok(())
}

per_isa! {
    fn forward(out: &mut [f32], mean: &mut [f32], inverse: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) {
        let columns = weight.len().max(1);
        let rows = out.chunks_exact_mut(columns).zip(x.chunks_exact(columns)).zip(mean).zip(inverse);
        for (((out, x), mean), inverse) in rows {
            let centre = sum_of(x, |value| value) / columns as f32;
            let scale = 1.0 / (sum_of(x, |value| (value - centre) * (value - centre)) / columns as f32 + epsilon).sqrt();
            *mean = centre;
            *inverse = scale;
            for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                *out = mul_add::<FMA>((x - centre) * scale, *weight, *bias);
            }
        }
    }
}

/// With x̂ = (x − mean)·inverse and g = dy⊙w: dx = inverse·(g − mean(g) − x̂·mean(g⊙x̂)). The other two are added to.
pub fn layer_norm_backward(
    dx: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
    dy: &[f32],
    x: &[f32],
    weight: &[f32],
    mean: &[f32],
    inverse: &[f32],
    rows: usize,
    columns: usize,
) -> Result<()> {
    let size = checked_product("layer_norm_backward", &[rows, columns])?;
    for (name, length, expected) in [
        ("dx", dx.len(), size),
        ("dy", dy.len(), size),
        ("x", x.len(), size),
        ("d_weight", d_weight.len(), columns),
        ("d_bias", d_bias.len(), columns),
        ("weight", weight.len(), columns),
        ("mean", mean.len(), rows),
        ("inverse", inverse.len(), rows),
    ] {
        check_len("layer_norm_backward", name, length, expected)?;
    }
    let isa = isa::current();
    let dx = Disjoint::new(dx);
    for_ranges(rows, columns, &|range| {
        let values = range.start * columns..range.end * columns;
        // SAFETY: ranges of rows do not overlap.
        let dx = unsafe { dx.part(values.clone()) };
        let (mean, inverse) = (&mean[range.clone()], &inverse[range]);
        input_gradient(isa, dx, &dy[values.clone()], &x[values], weight, mean, inverse);
    });
    weight_gradient(isa, d_weight, d_bias, dy, x, mean, inverse);
    Ok(())
}

per_isa! {
    fn input_gradient(dx: &mut [f32], dy: &[f32], x: &[f32], weight: &[f32], mean: &[f32], inverse: &[f32]) {
        let columns = weight.len().max(1);
        let count = columns as f32;
        let rows = dx.chunks_exact_mut(columns).zip(dy.chunks_exact(columns)).zip(x.chunks_exact(columns));
        for (((dx, dy), x), (&centre, &scale)) in rows.zip(mean.iter().zip(inverse)) {
            let (mut sums, mut dots) = ([0.0f32; LANES], [0.0f32; LANES]);
            for (j, ((dy, x), weight)) in dy.iter().zip(x).zip(weight).enumerate() {
                let gradient = dy * weight;
                sums[j % LANES] += gradient;
                dots[j % LANES] = mul_add::<FMA>(gradient, (x - centre) * scale, dots[j % LANES]);
            }
            let (sum, dot) = (lanes_total(sums) / count, lanes_total(dots) / count);
            for (((dx, dy), x), weight) in dx.iter_mut().zip(dy).zip(x).zip(weight) {
                *dx = scale * (dy * weight - sum - (x - centre) * scale * dot);
            }
        }
    }
}

per_isa! {
    fn weight_gradient(d_weight: &mut [f32], d_bias: &mut [f32], dy: &[f32], x: &[f32], mean: &[f32], inverse: &[f32]) {
        let columns = d_weight.len().max(1);
        for ((dy, x), (centre, scale)) in dy.chunks_exact(columns).zip(x.chunks_exact(columns)).zip(mean.iter().zip(inverse)) {
            for (((d_weight, d_bias), dy), x) in d_weight.iter_mut().zip(d_bias.iter_mut()).zip(dy).zip(x) {
                *d_weight = mul_add::<FMA>(*dy, (x - centre) * scale, *d_weight);
                *d_bias += dy;
            }
        }
    }
}
