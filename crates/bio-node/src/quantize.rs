use bio_kernels::error::Result;
use bio_kernels::quantize;

use crate::call::Out;

pub fn quantize_int8(values: Out<'_, i8>, scales: Out<'_>, x: &[f32], rows: u32, columns: u32) -> Result<()> {
    quantize::quantize_int8(values, scales, x, rows as usize, columns as usize)
}

pub fn dequantize_int8(out: Out<'_>, values: &[i8], scales: &[f32], rows: u32, columns: u32) -> Result<()> {
    quantize::dequantize_int8(out, values, scales, rows as usize, columns as usize)
}

pub fn quantize_int4(
    nibbles: Out<'_, u8>,
    scales: Out<'_>,
    x: &[f32],
    rows: u32,
    columns: u32,
    group_size: u32,
) -> Result<()> {
    quantize::quantize_int4(nibbles, scales, x, rows as usize, columns as usize, group_size as usize)
}

pub fn dequantize_int4(
    out: Out<'_>,
    nibbles: &[u8],
    scales: &[f32],
    rows: u32,
    columns: u32,
    group_size: u32,
) -> Result<()> {
    quantize::dequantize_int4(out, nibbles, scales, rows as usize, columns as usize, group_size as usize)
}
