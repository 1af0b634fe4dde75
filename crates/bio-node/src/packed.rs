use bio_kernels::error::Result;
use bio_kernels::packed::{self, PackedDtype};

use crate::call::{Out, Word, unknown};
use crate::held::Held;

pub type PackedMatrix = Held<packed::PackedMatrix>;

fn dtype_of(name: &str, group_size: u32) -> Result<PackedDtype> {
    Ok(match name {
        "f32" => PackedDtype::F32,
        "bf16" => PackedDtype::Bf16,
        "int8" => PackedDtype::Int8,
        "int4" => PackedDtype::Int4 { group_size: group_size as usize },
        other => return Err(unknown("pack", "f32, bf16, int8 or int4", other)),
    })
}

fn held(matrix: packed::PackedMatrix) -> PackedMatrix {
    let bytes = matrix.bytes();
    Held::new(matrix, bytes)
}

pub fn pack(
    weights: &[f32],
    dtype: Word,
    experts: u32,
    rows: u32,
    columns: u32,
    group_size: u32,
) -> Result<PackedMatrix> {
    let dtype = dtype_of(dtype.as_str(), group_size)?;
    packed::PackedMatrix::pack(weights, dtype, experts as usize, rows as usize, columns as usize).map(held)
}

pub fn pack_zeros(
    dtype: Word,
    experts: u32,
    rows: u32,
    columns: u32,
    group_size: u32,
) -> Result<PackedMatrix> {
    let dtype = dtype_of(dtype.as_str(), group_size)?;
    packed::PackedMatrix::zeros(dtype, experts as usize, rows as usize, columns as usize).map(held)
}

pub fn unpack(out: Out<'_>, packed: &PackedMatrix) -> Result<()> {
    packed.get("unpack")?.unpack(out)
}

pub fn matmul_packed(
    out: Out<'_>,
    x: &[f32],
    packed: &PackedMatrix,
    m: u32,
    bias: Option<&[f32]>,
) -> Result<()> {
    packed::matmul_packed(out, x, packed.get("matmulPacked")?, m as usize, bias)
}

pub fn grouped_matmul_packed(
    out: Out<'_>,
    x: &[f32],
    packed: &PackedMatrix,
    offsets: &[i32],
    index: Option<&[i32]>,
) -> Result<()> {
    packed::grouped_matmul_packed(out, x, packed.get("groupedMatmulPacked")?, offsets, index)
}
