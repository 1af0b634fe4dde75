//! bf16: the upper half of an f32.

use crate::error::{Result, check_len};
use crate::isa::{self, per_isa};

/// The nearest bf16, ties to even; NaN stays a NaN.
#[inline(always)]
pub fn bf16_from_f32(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
    if x.is_nan() { ((bits >> 16) as u16) | 0x40 } else { rounded }
}

#[inline(always)]
pub fn f32_from_bf16(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

pub fn to_bf16(out: &mut [u16], x: &[f32]) -> Result<()> {
    check_len("to_bf16", "out", out.len(), x.len())?;
    narrow(isa::current(), out, x);
    Ok(())
}

per_isa! {
    pub(crate) fn narrow(out: &mut [u16], x: &[f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = bf16_from_f32(*x);
        }
    }
}

pub fn from_bf16(out: &mut [f32], x: &[u16]) -> Result<()> {
    check_len("from_bf16", "out", out.len(), x.len())?;
    widen(isa::current(), out, x);
    Ok(())
}

per_isa! {
    fn widen(out: &mut [f32], x: &[u16]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = f32_from_bf16(*x);
        }
    }
}
