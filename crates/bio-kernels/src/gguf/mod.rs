//! Tensors as GGUF files hold them (ggml's block types), read to the same bits as ggml reads them.
//!
//! A tensor is rows of whole blocks. `packed::PackedMatrix::set_blocks` puts such rows into the form that the kernels multiply.
//! To add a type: its line in `BlockType::shape` and `from_name`, its reader in `blocks.rs`, its golden file.

mod blocks;

use crate::error::{KernelError, Result, check_len, checked_product};

/// The type of a tensor in a file, by ggml's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockType {
    F32,
    F16,
    Bf16,
    /// 32 values in 18 bytes: w = d·(q − 8), q of 4 bits.
    Q4_0,
    /// 32 values in 34 bytes: w = d·q, q of 8 bits.
    Q8_0,
    /// 256 values in 144 bytes: w = d·s·q − m·t, q of 4 bits, s and t of 6 bits per 32 values.
    Q4K,
    /// 256 values in 210 bytes: w = d·s·(q − 32), q of 6 bits, s of 8 bits per 16 values.
    Q6K,
}

impl BlockType {
    pub const ALL: [Self; 7] =
        [Self::F32, Self::F16, Self::Bf16, Self::Q4_0, Self::Q8_0, Self::Q4K, Self::Q6K];

    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q4_0 => "q4_0",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_K",
            Self::Q6K => "q6_K",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|block| block.name() == name)
    }

    /// Values and bytes of one block.
    pub fn shape(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q6K => (256, 210),
        }
    }

    /// Bytes of `values` values: `ERR_BIO_SHAPE` unless they are whole blocks.
    pub fn bytes(self, operation: &'static str, values: usize) -> Result<usize> {
        let (per_block, size) = self.shape();
        if values.is_multiple_of(per_block) {
            return checked_product(operation, &[values / per_block, size]);
        }
        Err(KernelError {
            code: "ERR_BIO_SHAPE",
            operation,
            expected: format!("whole blocks of {per_block} values of {}", self.name()),
            received: format!("{values} values"),
        })
    }
}

/// out = the values of `blocks`. Bit-equal to ggml, but for the payload of a NaN.
pub fn dequantize_blocks(out: &mut [f32], blocks: &[u8], block_type: BlockType) -> Result<()> {
    let size = block_type.bytes("dequantize_blocks", out.len())?;
    check_len("dequantize_blocks", "blocks", blocks.len(), size)?;
    let (values, bytes) = block_type.shape();
    for (out, block) in out.chunks_exact_mut(values).zip(blocks.chunks_exact(bytes)) {
        match block_type {
            BlockType::F32 => out[0] = blocks::f32_at(block, 0),
            BlockType::F16 => out[0] = blocks::f16_at(block, 0),
            BlockType::Bf16 => out[0] = blocks::bf16_at(block, 0),
            BlockType::Q4_0 => blocks::q4_0(out, block),
            BlockType::Q8_0 => blocks::q8_0(out, block),
            BlockType::Q4K => blocks::q4_k(out, block),
            BlockType::Q6K => blocks::q6_k(out, block),
        }
    }
    Ok(())
}

pub(crate) use blocks::q4_0_group;
