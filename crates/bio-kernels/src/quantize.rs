//! Symmetric integers with a scale: rows of 8 bits, groups of 4. `packages/kernels/src/reference/quantize.ts` is the same, bit for bit.

use crate::disjoint::{Disjoint, for_ranges};
use crate::error::{KernelError, Result, check_len, checked_product};
use crate::isa::{self, per_isa};

/// Nearest integer, ties to even, for |x| < 2²²: the hardware's rounding, without a call.
#[inline(always)]
fn round_half_even(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5·2²³
    (x + ROUND) - ROUND
}

/// Nearest integer, ties to even, for |x| < 2²²; 0 for NaN. The sum's last bits are the integer.
#[inline(always)]
pub(crate) fn integer(x: f32) -> i32 {
    const ROUND: f32 = 12_582_912.0; // 1.5·2²³
    (x + ROUND).to_bits() as i32 - ROUND.to_bits() as i32
}

/// The largest |x|; NaN or infinite where one of them is.
#[inline(always)]
pub(crate) fn largest(x: impl Iterator<Item = f32>) -> f32 {
    // As integers the sizes keep their order, and NaN is above infinity.
    f32::from_bits(x.fold(0, |found, value| found.max(value.to_bits() & 0x7fff_ffff)))
}

/// values = round(x·(127 / max)); gives the scale, max / 127, and the values' sum. All zero gives scale 0; a NaN or an infinity gives scale NaN,
/// so that the loss shows.
#[inline(always)]
pub(crate) fn quantize_row_body(values: &mut [i8], x: &[f32]) -> (f32, i32) {
    let size = largest(x.iter().copied());
    if !(size > 0.0 && size < f32::INFINITY) {
        values.fill(0);
        return (if size == 0.0 { 0.0 } else { f32::NAN }, 0);
    }
    let (inverse, mut sum) = (127.0 / size, 0);
    for (value, x) in values.iter_mut().zip(x) {
        *value = integer((x * inverse).clamp(-127.0, 127.0)) as i8;
        // Not the integer itself: only its last byte is 0 where 0 met an infinite inverse, as it does beside a denormal.
        sum += i32::from(*value);
    }
    (size / 127.0, sum)
}

per_isa! {
    pub(crate) fn quantize_row(values: &mut [i8], x: &[f32]) -> f32 {
        quantize_row_body(values, x).0
    }
}

pub fn quantize_int8(
    values: &mut [i8],
    scales: &mut [f32],
    x: &[f32],
    rows: usize,
    columns: usize,
) -> Result<()> {
    let size = checked_product("quantize_int8", &[rows, columns])?;
    check_len("quantize_int8", "values", values.len(), size)?;
    check_len("quantize_int8", "x", x.len(), size)?;
    check_len("quantize_int8", "scales", scales.len(), rows)?;
    let isa = isa::current();
    let columns = columns.max(1);
    for ((scale, values), x) in
        scales.iter_mut().zip(values.chunks_exact_mut(columns)).zip(x.chunks_exact(columns))
    {
        *scale = quantize_row(isa, values, x);
    }
    Ok(())
}

pub fn dequantize_int8(
    out: &mut [f32],
    values: &[i8],
    scales: &[f32],
    rows: usize,
    columns: usize,
) -> Result<()> {
    let size = checked_product("dequantize_int8", &[rows, columns])?;
    check_len("dequantize_int8", "out", out.len(), size)?;
    check_len("dequantize_int8", "values", values.len(), size)?;
    check_len("dequantize_int8", "scales", scales.len(), rows)?;
    let columns = columns.max(1);
    for ((out, values), scale) in out.chunks_exact_mut(columns).zip(values.chunks_exact(columns)).zip(scales)
    {
        for (out, value) in out.iter_mut().zip(values) {
            *out = f32::from(*value) * scale;
        }
    }
    Ok(())
}

/// Factors on max / 7.5 among which a group's scale is chosen: 0.75, 0.78125, … 1.21875.
const CANDIDATES: i32 = 16;

#[inline(always)]
fn nibble(x: f32, inverse: f32) -> f32 {
    (round_half_even(x * inverse) + 8.0).clamp(0.0, 15.0)
}

/// The scale of least squared error; the first of equals. Errors are summed in f64, in order.
fn group_scale(x: &[f32]) -> f32 {
    let size = largest(x.iter().copied());
    if !(size > 0.0 && size < f32::INFINITY) {
        return if size == 0.0 { 0.0 } else { f32::NAN };
    }
    let unit = size / 7.5;
    let (mut best, mut best_error) = (0.0, f64::INFINITY);
    for j in 0..CANDIDATES {
        let scale = unit * (0.75 + j as f32 / 32.0);
        let inverse = 1.0 / scale;
        let error: f64 = x.iter().fold(0.0, |error, &x| {
            let off = f64::from(x) - f64::from(scale * (nibble(x, inverse) - 8.0));
            error + off * off
        });
        if error < best_error {
            (best, best_error) = (scale, error);
        }
    }
    best
}

/// Checks a 4-bit shape; `group_size` is even and divides the columns.
pub(crate) fn check_groups(
    operation: &'static str,
    rows: usize,
    columns: usize,
    group_size: usize,
) -> Result<usize> {
    if group_size > 0 && group_size.is_multiple_of(2) && columns.is_multiple_of(group_size) {
        return checked_product(operation, &[rows, columns]);
    }
    Err(KernelError {
        code: "ERR_BIO_SHAPE",
        operation,
        expected: "columns that are a multiple of an even group size".into(),
        received: format!("{columns} columns in groups of {group_size}"),
    })
}

/// x ≈ scale·(q − 8): nibbles [rows, columns/2], the even column low; scales [rows, columns/group].
pub fn quantize_int4(
    nibbles: &mut [u8],
    scales: &mut [f32],
    x: &[f32],
    rows: usize,
    columns: usize,
    group_size: usize,
) -> Result<()> {
    let size = check_groups("quantize_int4", rows, columns, group_size)?;
    check_len("quantize_int4", "nibbles", nibbles.len(), size / 2)?;
    check_len("quantize_int4", "x", x.len(), size)?;
    check_len("quantize_int4", "scales", scales.len(), size / group_size)?;
    if scales.is_empty() {
        return Ok(());
    }
    let groups = scales.len();
    let (nibbles, scales) = (Disjoint::new(nibbles), Disjoint::new(scales));
    for_ranges(groups, group_size * 16, &|range| {
        for group in range {
            let x = &x[group * group_size..(group + 1) * group_size];
            // SAFETY: each group has its own nibbles and scale.
            let (nibbles, scale) = unsafe {
                (
                    nibbles.part(group * group_size / 2..(group + 1) * group_size / 2),
                    scales.part(group..group + 1),
                )
            };
            scale[0] = group_scale(x);
            let inverse = 1.0 / scale[0];
            for (byte, pair) in nibbles.iter_mut().zip(x.chunks_exact(2)) {
                *byte = if scale[0] > 0.0 {
                    nibble(pair[0], inverse) as u8 | ((nibble(pair[1], inverse) as u8) << 4)
                } else {
                    0x88
                };
            }
        }
    });
    Ok(())
}

pub fn dequantize_int4(
    out: &mut [f32],
    nibbles: &[u8],
    scales: &[f32],
    rows: usize,
    columns: usize,
    group_size: usize,
) -> Result<()> {
    let size = check_groups("dequantize_int4", rows, columns, group_size)?;
    check_len("dequantize_int4", "out", out.len(), size)?;
    check_len("dequantize_int4", "nibbles", nibbles.len(), size / 2)?;
    check_len("dequantize_int4", "scales", scales.len(), size / group_size)?;
    for ((out, bytes), scale) in
        out.chunks_exact_mut(group_size).zip(nibbles.chunks_exact(group_size / 2)).zip(scales)
    {
        for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
            pair[0] = (f32::from(byte & 15) - 8.0) * scale;
            pair[1] = (f32::from(byte >> 4) - 8.0) * scale;
        }
    }
    Ok(())
}
