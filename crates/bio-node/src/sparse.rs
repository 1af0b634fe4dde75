use bio_kernels::error::Result;
use bio_kernels::sparse::{self, SparseFormat};

use crate::call::{Out, Word, unknown};
use crate::held::Held;

pub type SparseMatrix = Held<sparse::SparseMatrix>;

pub fn pack_sparse(weights: &[f32], format: Word, rows: u32, columns: u32) -> Result<SparseMatrix> {
    let format = SparseFormat::from_name(format.as_str())
        .ok_or_else(|| unknown("packSparse", "dense, csr, 4x1 or 16x1", format.as_str()))?;
    let matrix = sparse::SparseMatrix::pack(weights, format, rows as usize, columns as usize)?;
    let bytes = matrix.bytes();
    Ok(Held::new(matrix, bytes))
}

pub fn sparse_matmul(
    out: Out<'_>,
    x: &[f32],
    sparse: &SparseMatrix,
    m: u32,
    bias: Option<&[f32]>,
) -> Result<()> {
    sparse::sparse_matmul(out, x, sparse.get("sparseMatmul")?, m as usize, bias)
}
