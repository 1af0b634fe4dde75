use bio_kernels::error::KernelError;
use bio_kernels::gguf::{self, BlockType};
use bio_kernels::packed;
use napi::Env;
use napi_derive::napi;

use crate::guard::{Out, Result, guard, unknown};
use crate::packed::{PackedMatrix, dtype_of};

fn block_type(operation: &'static str, name: &str) -> std::result::Result<BlockType, KernelError> {
    BlockType::from_name(name).ok_or_else(|| unknown(operation, "a block type", name))
}

#[napi]
pub fn dequantize_blocks(out: Out<'_>, blocks: &[u8], name: String) -> Result<()> {
    guard(|| gguf::dequantize_blocks(out, blocks, block_type("dequantizeBlocks", &name)?))
}

#[napi]
pub fn pack_zeros(
    env: Env,
    dtype: String,
    experts: u32,
    rows: u32,
    columns: u32,
    group_size: u32,
) -> Result<PackedMatrix> {
    let inner = guard(|| {
        let dtype = dtype_of(&dtype, group_size)?;
        packed::PackedMatrix::zeros(dtype, experts as usize, rows as usize, columns as usize)
    })?;
    Ok(PackedMatrix::new(env, inner))
}

#[napi]
pub fn set_blocks(packed: &mut PackedMatrix, rows: &[i32], blocks: &[u8], name: String) -> Result<()> {
    guard(|| packed.alive_mut("setBlocks")?.set_blocks(rows, blocks, block_type("setBlocks", &name)?))
}
