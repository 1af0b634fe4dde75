//! Rows of a GGUF file's blocks into packed weights, a few rows at a time, so that a loader never holds a whole tensor twice.

use super::{PackedMatrix, Storage};
use crate::error::{KernelError, Result, check_indices, check_len, checked_product};
use crate::gguf::{BlockType, dequantize_blocks, q4_0_group};

impl PackedMatrix {
    /// Row rows[i] of all experts' rows becomes row i of `blocks` [rows.len(), columns]: the index reorders on the way.
    ///
    /// Q4_0 into int4 by groups of 32 is exact: both are scale·(q − 8). Every other pair is dequantized to f32 and then held as `pack`
    /// would hold it. Errors: `ERR_BIO_SHAPE`, `ERR_BIO_INDEX`, and `ERR_BIO_VALUE` for NaN or infinite weights into int8 or int4.
    pub fn set_blocks(&mut self, rows: &[i32], blocks: &[u8], block_type: BlockType) -> Result<()> {
        const NAME: &str = "set_blocks";
        check_indices(NAME, "rows", rows, self.experts * self.rows)?;
        let row_bytes = block_type.bytes(NAME, self.columns)?;
        check_len(NAME, "blocks", blocks.len(), checked_product(NAME, &[rows.len(), row_bytes])?)?;
        let sources = || rows.iter().map(|&row| row as usize).zip(blocks.chunks_exact(row_bytes));
        let mut weights = vec![0.0; self.columns];
        if matches!(self.storage, Storage::Int8(_) | Storage::Int4(_)) {
            for (row, blocks) in sources() {
                dequantize_blocks(&mut weights, blocks, block_type)?;
                check_finite(row, &weights)?;
            }
        }
        match &mut self.storage {
            Storage::Int4(tiles) if block_type == BlockType::Q4_0 && tiles.group_size() == 32 => {
                let (mut nibbles, mut scales) = (vec![0; self.columns / 2], vec![0.0; self.columns / 32]);
                for (row, blocks) in sources() {
                    let groups = nibbles.chunks_exact_mut(16).zip(blocks.chunks_exact(18));
                    for (scale, (nibbles, block)) in scales.iter_mut().zip(groups) {
                        *scale = q4_0_group(nibbles, block);
                    }
                    tiles.set_groups(row, &nibbles, &scales);
                }
            }
            _ => {
                for (row, blocks) in sources() {
                    dequantize_blocks(&mut weights, blocks, block_type)?;
                    self.set_row(row, &weights)?;
                }
            }
        }
        Ok(())
    }
}

fn check_finite(row: usize, weights: &[f32]) -> Result<()> {
    match weights.iter().position(|weight| !weight.is_finite()) {
        None => Ok(()),
        Some(at) => Err(KernelError {
            code: "ERR_BIO_VALUE",
            operation: "set_blocks",
            expected: "finite weights".into(),
            received: format!("{} in row {row}, column {at}", weights[at]),
        }),
    }
}
