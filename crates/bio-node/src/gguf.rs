use bio_kernels::error::Result;
use bio_kernels::gguf::{self, BlockType};

use crate::call::{Out, Word, unknown};
use crate::packed::PackedMatrix;

fn block_type(operation: &'static str, name: &Word) -> Result<BlockType> {
    BlockType::from_name(name.as_str()).ok_or_else(|| unknown(operation, "a block type", name.as_str()))
}

pub fn dequantize_blocks(out: Out<'_>, blocks: &[u8], name: Word) -> Result<()> {
    gguf::dequantize_blocks(out, blocks, block_type("dequantizeBlocks", &name)?)
}

pub fn set_blocks(packed: &mut PackedMatrix, rows: &[i32], blocks: &[u8], name: Word) -> Result<()> {
    packed.get_mut("setBlocks")?.set_blocks(rows, blocks, block_type("setBlocks", &name)?)
}
