//! Products of a few rows (or columns): every value of the big operand serves a few multiply-adds only, so it is read once, where it lies.
//! Bound by the memory, not by arithmetic.
//!
//! ```text
//! for each chunk of columns ................... 16 kB of sums, in a scratch in the L1; 8 (16) columns if B's columns are contiguous
//!   for each 8 of k (16, a line of the cache) . 8 (16) streams through B in either case
//!     for each group of 8 (16) columns ........ two groups at a time for two to eight rows of a B whose rows are contiguous (AVX-512)
//!       for each 8×8 (16×16) of B ............. as it lies, or turned
//!         for p in 8 (16): sums += a[p] ⊗ b[p]  a register of sums per row
//! ```
//!
//! With AVX-512 ten rows or more of B [n, k] go another way: see `rows_in_lanes`.
//!
//! Every element is the chain over k that the tiles compute too, so all give the same bits. The sizes are those of AVX2, and in brackets
//! of AVX-512. Scalar and NEON pack, as for many rows.

mod avx2;
mod avx512;
mod rows_in_lanes;

use std::cell::RefCell;

use super::pack::{Buffer, Strided};
use crate::disjoint::Disjoint;
use crate::isa::Isa;

/// Sums of a chunk: half of the L1.
const SUMS: usize = 4096;

thread_local! {
    /// Sums of a chunk, and rows of A in panels.
    static SCRATCH: RefCell<(Buffer, Buffer)> = RefCell::default();
}

/// Whether reading B [k, columns] in place pays for so many rows: turning it in registers leaves less time for them, and a small B
/// is packed sooner than sums are carried to the scratch and back.
pub(super) fn suits(isa: Isa, b: Strided<'_>, rows: usize, columns: usize, k: usize) -> bool {
    let most = match (isa, b.rows_are_contiguous()) {
        (Isa::Avx512 | Isa::Avx512Bf16, true) => 16,
        (Isa::Avx512 | Isa::Avx512Bf16, false) => avx512::MOST_ROWS,
        (Isa::Avx2, true) => 8,
        (Isa::Avx2, false) => 4,
        _ => 0,
    };
    (1..=most).contains(&rows) && columns.min(k) >= 64
}

/// Where the sums stand: (i, j) at `first + i·row + j·column`.
#[derive(Clone, Copy)]
pub(super) struct Grid<'a> {
    pub values: &'a Disjoint<'a, f32>,
    pub first: usize,
    pub row: usize,
    pub column: usize,
}

impl Grid<'_> {
    /// Up to a register of sums of a row, one after the other.
    fn copy(&self, i: usize, j: usize, sums: &mut [f32], write: bool) {
        let (width, count) = if self.column == 1 { (sums.len(), 1) } else { (1, sums.len()) };
        for at in 0..count {
            let first = self.first + i * self.row + (j + at) * self.column;
            // SAFETY: these sums are this task's alone, and no other part of them is alive.
            let out = unsafe { self.values.part(first..first + width) };
            let sums = &mut sums[at * width..(at + 1) * width];
            if write {
                out.copy_from_slice(sums);
            } else {
                sums.copy_from_slice(out);
            }
        }
    }
}

/// out [rows, columns] = (0 if `fresh`, else out) + a [rows, k] · b [k, columns]; only for what `suits`.
pub(super) fn multiply(
    isa: Isa,
    out: Grid<'_>,
    a: Strided<'_>,
    b: Strided<'_>,
    rows: usize,
    columns: usize,
    k: usize,
    fresh: bool,
) {
    let lanes = if isa == Isa::Avx2 { avx2::LANES } else { avx512::LANES };
    let along_k = !b.rows_are_contiguous();
    let chunk = if along_k { lanes } else { SUMS / rows / lanes * lanes };
    SCRATCH.with_borrow_mut(|(scratch, turned)| {
        let tiles = (isa != Isa::Avx2).then(|| avx512::Tiles::new(isa, turned, a, rows, k));
        for from in (0..columns).step_by(chunk) {
            let width = chunk.min(columns - from);
            let sums = scratch.first(width.div_ceil(lanes) * rows * lanes);
            let copy = |sums: &mut [f32], write| {
                for (index, sums) in sums.chunks_exact_mut(lanes).enumerate() {
                    let (j, i) = (index / rows * lanes, index % rows);
                    out.copy(i, from + j, &mut sums[..lanes.min(width - j)], write);
                }
            };
            sums.fill(0.0);
            if !fresh {
                copy(sums, false);
            }
            let b = b.from(0, from).corner(k, width);
            if let Some(tiles) = &tiles {
                // SAFETY: callers ask `suits`, so the tier has AVX-512 F; the tiles hold rows×k values, the corner k×width, and `sums`
                // rows×width in groups. `FEWEST` rows and more are turned.
                unsafe {
                    if along_k && width == lanes && rows >= rows_in_lanes::FEWEST {
                        rows_in_lanes::add(sums, tiles, b, k);
                    } else {
                        avx512::add(sums, tiles, b, width, k, along_k);
                    }
                }
            } else {
                let add = match rows {
                    1 => avx2::add::<1>,
                    2 => avx2::add::<2>,
                    3 => avx2::add::<3>,
                    4 => avx2::add::<4>,
                    5 => avx2::add::<5>,
                    6 => avx2::add::<6>,
                    7 => avx2::add::<7>,
                    _ => avx2::add::<8>,
                };
                // SAFETY: likewise with AVX2 and FMA, and the corner of A holds rows×k values.
                unsafe { add(sums, a.corner(rows, k), b, width, k, along_k) };
            }
            copy(sums, true);
        }
    });
}
