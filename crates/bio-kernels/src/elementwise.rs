//! One value at a time, and sums of all.

use crate::error::{Result, check_len};
use crate::isa::{self, mul_add, per_isa};

/// out = a + b.
pub fn add(out: &mut [f32], a: &[f32], b: &[f32]) -> Result<()> {
    check_len("add", "a", a.len(), out.len())?;
    check_len("add", "b", b.len(), out.len())?;
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a + b;
    }
    Ok(())
}

/// out = a ⊙ b.
pub fn multiply(out: &mut [f32], a: &[f32], b: &[f32]) -> Result<()> {
    check_len("multiply", "a", a.len(), out.len())?;
    check_len("multiply", "b", b.len(), out.len())?;
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a * b;
    }
    Ok(())
}

/// out = factor·a.
pub fn scale(out: &mut [f32], a: &[f32], factor: f32) -> Result<()> {
    check_len("scale", "a", a.len(), out.len())?;
    for (out, a) in out.iter_mut().zip(a) {
        *out = a * factor;
    }
    Ok(())
}

/// out += factor·a.
pub fn add_scaled(out: &mut [f32], a: &[f32], factor: f32) -> Result<()> {
    check_len("add_scaled", "a", a.len(), out.len())?;
    scaled(isa::current(), out, a, factor);
    Ok(())
}

per_isa! {
    fn scaled(out: &mut [f32], a: &[f32], factor: f32) {
        for (out, a) in out.iter_mut().zip(a) {
            *out = mul_add::<FMA>(factor, *a, *out);
        }
    }
}

/// Σ x in f64, over eight lanes and then their tree.
pub fn sum(x: &[f32]) -> f64 {
    wide_sum(isa::current(), x, false)
}

/// Σ x² in f64, likewise.
pub fn sum_of_squares(x: &[f32]) -> f64 {
    wide_sum(isa::current(), x, true)
}

per_isa! {
    fn wide_sum(x: &[f32], squares: bool) -> f64 {
        let mut lanes = [0.0f64; 8];
        let chunks = x.chunks_exact(8);
        let rest = chunks.remainder();
        let weight = |value: f32| if squares { f64::from(value) * f64::from(value) } else { f64::from(value) };
        for chunk in chunks {
            for i in 0..8 {
                lanes[i] += weight(chunk[i]);
            }
        }
        for (i, value) in rest.iter().enumerate() {
            lanes[i] += weight(*value);
        }
        ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
    }
}

/// a ⊙= b.
pub fn multiply_in_place(a: &mut [f32], b: &[f32]) -> Result<()> {
    check_len("multiply", "b", b.len(), a.len())?;
    for (a, b) in a.iter_mut().zip(b) {
        *a *= b;
    }
    Ok(())
}

/// x ⊙= x.
pub fn square_in_place(x: &mut [f32]) {
    for x in x {
        *x *= *x;
    }
}

/// x ·= factor.
pub fn scale_in_place(x: &mut [f32], factor: f32) {
    for x in x {
        *x *= factor;
    }
}
