//! Weights packed once into the layout that the kernels read.
//!
//! Tiles of 16 weight rows stand side by side, so that one register holds one step of 16 outputs. All sums over k are one chain per output
//! element (floats) or exact (integers), so a row of x gets the same bits whatever else is multiplied with it.

mod activations;
mod float;
mod from_blocks;
mod int4;
mod int8;
mod tasks;
mod tiles;

use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_indices, check_len, checked_product};
use crate::isa;
use crate::matmul::{check_offsets, rows_of};
use crate::quantize::check_groups;
use int4::Int4;
use int8::Int8;
use tasks::Span;
use tiles::Tiles;

/// Weight rows that stand side by side.
const TILE: usize = crate::matmul::PANEL;
/// Rows of x in floats in one task at most: tiles meet them while they are in the L2.
const ROWS: usize = 64;

/// Tiles that some rows of x meet at once, as registers allow: one stream of weights alone does not fill the memory's channels (see NOTES.md).
fn side_by_side(rows: usize) -> usize {
    match rows {
        1 => 4,
        2 => 2,
        _ => 1,
    }
}

/// How the weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackedDtype {
    F32,
    Bf16,
    /// One scale per row.
    Int8,
    /// One scale per row and group of that many columns.
    Int4 {
        group_size: usize,
    },
}

/// Weights [experts, rows, columns].
pub struct PackedMatrix {
    pub experts: usize,
    pub rows: usize,
    pub columns: usize,
    storage: Storage,
}

enum Storage {
    Float(float::Panels<f32>),
    Half(float::Panels<u16>),
    Int8(Tiles<Int8>),
    Int4(Tiles<Int4>),
}

/// Columns whose integer products add up in 32 bits: 255·127·2¹⁶ < 2³¹.
const LONGEST: usize = 1 << 16;

impl PackedMatrix {
    pub fn pack(
        weights: &[f32],
        dtype: PackedDtype,
        experts: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Self> {
        check_len("pack", "weights", weights.len(), checked_product("pack", &[experts, rows, columns])?)?;
        let mut packed = Self::zeros(dtype, experts, rows, columns)?;
        for (row, weights) in weights.chunks_exact(columns).enumerate() {
            packed.set_row(row, weights)?;
        }
        Ok(packed)
    }

    /// Weights that are all 0, for `set_blocks` to fill.
    pub fn zeros(dtype: PackedDtype, experts: usize, rows: usize, columns: usize) -> Result<Self> {
        if checked_product("pack", &[experts, rows, columns])? == 0 {
            return Err(KernelError {
                code: "ERR_BIO_SHAPE",
                operation: "pack",
                expected: "at least one weight".into(),
                received: format!("[{experts}, {rows}, {columns}]"),
            });
        }
        let storage = match dtype {
            PackedDtype::F32 => Storage::Float(float::Panels::zeros(experts, rows, columns)?),
            PackedDtype::Bf16 => Storage::Half(float::Panels::zeros(experts, rows, columns)?),
            PackedDtype::Int8 if columns > LONGEST => {
                return Err(KernelError {
                    code: "ERR_BIO_SHAPE",
                    operation: "pack",
                    expected: format!("at most {LONGEST} columns in int8"),
                    received: columns.to_string(),
                });
            }
            PackedDtype::Int8 => Storage::Int8(Tiles::zeros(experts, rows, columns, columns)?),
            PackedDtype::Int4 { group_size } => {
                check_groups("pack", rows, columns, group_size)?;
                if !group_size.is_multiple_of(8) || group_size > LONGEST {
                    return Err(KernelError {
                        code: "ERR_BIO_SHAPE",
                        operation: "pack",
                        expected: format!("a group size that is a multiple of 8 and at most {LONGEST}"),
                        received: group_size.to_string(),
                    });
                }
                Storage::Int4(Tiles::zeros(experts, rows, columns, group_size)?)
            }
        };
        Ok(Self { experts, rows, columns, storage })
    }

    /// Row `row` of all experts' rows becomes `weights` [columns], in the format that is held.
    fn set_row(&mut self, row: usize, weights: &[f32]) -> Result<()> {
        match &mut self.storage {
            Storage::Float(panels) => panels.set_row(row, weights, |x| x),
            Storage::Half(panels) => panels.set_row(row, weights, crate::convert::bf16_from_f32),
            Storage::Int8(tiles) => tiles.set_row(row, weights)?,
            Storage::Int4(tiles) => tiles.set_row(row, weights)?,
        }
        Ok(())
    }

    /// Size of the weights and their scales, padding excluded.
    pub fn bytes(&self) -> usize {
        let weights = self.experts * self.rows * self.columns;
        match &self.storage {
            Storage::Float(_) => 4 * weights,
            Storage::Half(_) => 2 * weights,
            Storage::Int8(_) => weights + 4 * self.experts * self.rows,
            Storage::Int4(tiles) => weights / 2 + 4 * weights / tiles.group_size(),
        }
    }

    /// out [experts, rows, columns] = the weights as they are held.
    pub fn unpack(&self, out: &mut [f32]) -> Result<()> {
        let size = self.rows * self.columns;
        check_len("unpack", "out", out.len(), self.experts * size)?;
        for (expert, out) in out.chunks_exact_mut(size).enumerate() {
            match &self.storage {
                Storage::Float(panels) => panels.unpack(out, expert, |x| x),
                Storage::Half(panels) => panels.unpack(out, expert, crate::convert::f32_from_bf16),
                Storage::Int8(tiles) => tiles.unpack(out, expert),
                Storage::Int4(tiles) => tiles.unpack(out, expert),
            }
        }
        Ok(())
    }

    /// Row r of x is row `index[r]` where there is an index.
    fn multiply(
        &self,
        out: &mut [f32],
        x: &[f32],
        index: Option<&[i32]>,
        bias: Option<&[f32]>,
        spans: &[Span],
    ) {
        if out.is_empty() {
            return;
        }
        let isa = isa::current();
        match &self.storage {
            Storage::Float(panels) => panels.multiply(isa, out, x, index, spans),
            Storage::Half(panels) => panels.multiply(isa, out, x, index, spans),
            Storage::Int8(tiles) => return tiles.multiply(isa, out, x, index, bias, spans),
            Storage::Int4(tiles) => return tiles.multiply(isa, out, x, index, bias, spans),
        }
        if let Some(bias) = bias {
            for row in out.chunks_exact_mut(self.rows) {
                for (out, bias) in row.iter_mut().zip(bias) {
                    *out += bias;
                }
            }
        }
    }
}

/// A vector of one value, or `ERR_BIO_SHAPE` where memory lacks room for it.
fn filled<T: Clone>(value: T, dimensions: &[usize]) -> Result<Vec<T>> {
    let count = checked_product("pack", dimensions)?;
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|error| KernelError {
        code: "ERR_BIO_SHAPE",
        operation: "pack",
        expected: "weights that fit in memory".into(),
        received: format!("{dimensions:?}: {error}"),
    })?;
    crate::memory::prefer_huge_pages(&mut values);
    values.resize(count, value);
    Ok(values)
}

/// out [m, rows] = x [m, columns]·packedᵀ (+ bias).
pub fn matmul_packed(
    out: &mut [f32],
    x: &[f32],
    packed: &PackedMatrix,
    m: usize,
    bias: Option<&[f32]>,
) -> Result<()> {
    check_len("matmul_packed", "experts", packed.experts, 1)?;
    check_len("matmul_packed", "out", out.len(), checked_product("matmul_packed", &[m, packed.rows])?)?;
    check_len("matmul_packed", "x", x.len(), checked_product("matmul_packed", &[m, packed.columns])?)?;
    if let Some(bias) = bias {
        check_len("matmul_packed", "bias", bias.len(), packed.rows)?;
    }
    packed.multiply(out, x, None, bias, &[Span { expert: 0, start: 0, end: m }]);
    Ok(())
}

/// One product per expert over rows sorted by expert; offsets [experts + 1]. The rows are those of x, or where there is an index row r is
/// x[index[r]]: the same bits as rows gathered before, without the copy, and each row of x is quantized once.
pub fn grouped_matmul_packed(
    out: &mut [f32],
    x: &[f32],
    packed: &PackedMatrix,
    offsets: &[i32],
    index: Option<&[i32]>,
) -> Result<()> {
    let rows_of_x = x.len() / packed.columns;
    let rows = index.map_or(rows_of_x, <[i32]>::len);
    check_len("grouped_matmul_packed", "offsets", offsets.len(), packed.experts + 1)?;
    check_offsets("grouped_matmul_packed", offsets, rows)?;
    check_len("grouped_matmul_packed", "x", x.len(), rows_of_x * packed.columns)?;
    check_indices("grouped_matmul_packed", "index", index.unwrap_or_default(), rows_of_x)?;
    check_len(
        "grouped_matmul_packed",
        "out",
        out.len(),
        checked_product("grouped_matmul_packed", &[rows, packed.rows])?,
    )?;
    let spans: Vec<Span> = (0..packed.experts)
        .map(|expert| (expert, rows_of(offsets, expert)))
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(expert, rows)| Span { expert, start: rows.start, end: rows.end })
        .collect();
    packed.multiply(out, x, index, None, &spans);
    Ok(())
}

/// out[row, 16·tile…] = sums (+ bias) for the rows from `first` on; `out` has rows of `width`.
fn store(
    out: &Disjoint<'_, f32>,
    width: usize,
    first: usize,
    tile: usize,
    sums: &[[f32; TILE]],
    bias: Option<&[f32]>,
) {
    let lanes = tile * TILE..width.min((tile + 1) * TILE);
    for (i, sums) in sums.iter().enumerate() {
        let at = (first + i) * width;
        // SAFETY: every (row, tile) belongs to one task.
        let out = unsafe { out.part(at + lanes.start..at + lanes.end) };
        match <&mut [f32; TILE]>::try_from(&mut *out) {
            // As registers: a copy of a length unknown to the compiler is a call.
            Ok(out) => *out = *sums,
            Err(_) => out.copy_from_slice(&sums[..lanes.len()]),
        }
        if let Some(bias) = bias {
            for (out, bias) in out.iter_mut().zip(&bias[lanes.clone()]) {
                *out += bias;
            }
        }
    }
}
