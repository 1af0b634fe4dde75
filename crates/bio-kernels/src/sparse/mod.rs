//! Products with weights of which many are zero.
//!
//! A matrix is packed once as blocks: 1, 4 or 16 weight rows that share a column in which at least one of them is not zero. Each output is one
//! chain of (fused) multiply-adds from 0 on, over the stored weights in ascending order of columns: an order that neither the height of
//! the blocks nor the rows of x beside it change. A stored zero adds x·0, so that all formats, dense too, give the same bits where x is finite,
//! but for the sign of a zero.
//!
//! Which format is fastest is for `packages/kernels/src/sparse-format.ts` to say.

mod batch;
mod blocks;
mod few;

use crate::error::{KernelError, Result, check_len, checked_product};
use crate::isa;
use crate::packed::{PackedDtype, PackedMatrix, matmul_packed};
use blocks::Blocks;

/// How the weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SparseFormat {
    /// All of them, as `packed::PackedMatrix` in f32.
    Dense,
    /// Compressed sparse rows: each weight with its column.
    Csr,
    /// A column for every 4 weight rows.
    Rows4,
    /// A column for every 16 weight rows.
    Rows16,
}

impl SparseFormat {
    pub const ALL: [Self; 4] = [Self::Dense, Self::Csr, Self::Rows4, Self::Rows16];

    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Csr => "csr",
            Self::Rows4 => "4x1",
            Self::Rows16 => "16x1",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Weights [rows, columns], zeros left out.
pub struct SparseMatrix {
    pub rows: usize,
    pub columns: usize,
    pub format: SparseFormat,
    storage: Storage,
}

enum Storage {
    Dense(PackedMatrix),
    Blocks(Blocks),
}

/// From so many rows of x on they are multiplied side by side; fewer are multiplied one at a time.
const BATCH: usize = 4;

impl SparseMatrix {
    pub fn pack(weights: &[f32], format: SparseFormat, rows: usize, columns: usize) -> Result<Self> {
        let size = checked_product("pack_sparse", &[rows, columns])?;
        check_len("pack_sparse", "weights", weights.len(), size)?;
        if size == 0 || u32::try_from(size).is_err() {
            return Err(KernelError {
                code: "ERR_BIO_SHAPE",
                operation: "pack_sparse",
                expected: format!("1 to {} weights", u32::MAX),
                received: format!("[{rows}, {columns}]"),
            });
        }
        let blocks = |height| Storage::Blocks(Blocks::pack(weights, height, rows, columns));
        let storage = match format {
            SparseFormat::Dense => {
                Storage::Dense(PackedMatrix::pack(weights, PackedDtype::F32, 1, rows, columns)?)
            }
            SparseFormat::Csr => blocks(1),
            SparseFormat::Rows4 => blocks(4),
            SparseFormat::Rows16 => blocks(16),
        };
        Ok(Self { rows, columns, format, storage })
    }

    /// Size of the weights and of what finds them.
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::Dense(packed) => packed.bytes(),
            Storage::Blocks(blocks) => blocks.bytes(),
        }
    }
}

/// out [m, rows] = x [m, columns]·sparseᵀ (+ bias).
pub fn sparse_matmul(
    out: &mut [f32],
    x: &[f32],
    sparse: &SparseMatrix,
    m: usize,
    bias: Option<&[f32]>,
) -> Result<()> {
    let blocks = match &sparse.storage {
        Storage::Dense(packed) => return matmul_packed(out, x, packed, m, bias),
        Storage::Blocks(blocks) => blocks,
    };
    check_len("sparse_matmul", "out", out.len(), checked_product("sparse_matmul", &[m, sparse.rows])?)?;
    check_len("sparse_matmul", "x", x.len(), checked_product("sparse_matmul", &[m, sparse.columns])?)?;
    if let Some(bias) = bias {
        check_len("sparse_matmul", "bias", bias.len(), sparse.rows)?;
    }
    if m < BATCH {
        for (out, x) in out.chunks_exact_mut(sparse.rows).zip(x.chunks_exact(sparse.columns)) {
            few::multiply(isa::current(), out, x, blocks, bias);
        }
    } else {
        batch::multiply(isa::current(), out, x, blocks, m, bias);
    }
    Ok(())
}
