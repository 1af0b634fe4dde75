//! Products of a few rows (or columns): every value of the big operand serves a few multiply-adds only, so it is read once, where it lies.
//! Bound by the memory, not by arithmetic.
//!
//! ```text
//! for each chunk of columns ................... 16 kB of sums, in a scratch in the L1; 8 columns if B's columns are contiguous
//!   for each 8 of k (16, a line of the cache) . 8 streams through B in either case
//!     for each group of 8 columns
//!       for each 8×8 of B, in registers ....... as it lies, or turned there
//!         for p in 8: sums += a[p] ⊗ b[p] ..... a register of sums per row
//! ```
//!
//! Every element is the chain over k that the tiles compute too, so both give the same bits. For AVX2, which the AVX-512 tiers use as well:
//! memory is their limit too. Scalar and NEON pack, as for many rows.

use std::arch::x86_64::*;
use std::cell::RefCell;

use super::pack::{Buffer, Strided, transpose};
use super::tile::Corner;
use crate::disjoint::Disjoint;
use crate::isa::Isa;
use crate::memory::prefetch;

/// Columns of a register.
const LANES: usize = 8;
/// Sums of a chunk: half of the L1.
const SUMS: usize = 4096;
/// How far ahead contiguous columns are asked for, in values.
const AHEAD: usize = 32;

thread_local! {
    static SCRATCH: RefCell<Buffer> = RefCell::default();
}

/// Whether reading B [k, columns] in place pays for so many rows: turning it in registers leaves less time for them, and a small B
/// is packed sooner than sums are carried to the scratch and back.
pub(super) fn suits(isa: Isa, b: Strided<'_>, rows: usize, columns: usize, k: usize) -> bool {
    let most = if b.rows_are_contiguous() { 8 } else { 4 };
    isa.has_avx2() && (1..=most).contains(&rows) && columns.min(k) >= 64
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
    /// Up to eight sums of a row, one after the other.
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
    out: Grid<'_>,
    a: Strided<'_>,
    b: Strided<'_>,
    rows: usize,
    columns: usize,
    k: usize,
    fresh: bool,
) {
    let along_k = !b.rows_are_contiguous();
    let chunk = if along_k { LANES } else { SUMS / rows / LANES * LANES };
    SCRATCH.with_borrow_mut(|scratch| {
        for from in (0..columns).step_by(chunk) {
            let width = chunk.min(columns - from);
            let sums = scratch.first(width.div_ceil(LANES) * rows * LANES);
            let copy = |sums: &mut [f32], write| {
                for (index, sums) in sums.chunks_exact_mut(LANES).enumerate() {
                    let (j, i) = (index / rows * LANES, index % rows);
                    out.copy(i, from + j, &mut sums[..LANES.min(width - j)], write);
                }
            };
            sums.fill(0.0);
            if !fresh {
                copy(sums, false);
            }
            let a = a.corner(rows, k);
            let b = b.from(0, from).corner(k, width);
            let add = match rows {
                1 => add::<1>,
                2 => add::<2>,
                3 => add::<3>,
                4 => add::<4>,
                5 => add::<5>,
                6 => add::<6>,
                7 => add::<7>,
                _ => add::<8>,
            };
            // SAFETY: callers ask `suits`, so AVX2 and FMA are there; the corners hold rows×k and k×width values, and `sums` rows×width in groups.
            unsafe { add(sums, a, b, width, k, along_k) };
            copy(sums, true);
        }
    });
}

/// Adds the products of a chunk to its sums [groups][rows][8].
///
/// # Safety
/// `a` must hold rows×k values, `b` k×width, contiguous along k if `along_k`, else along its columns; `sums` a register per row and group.
#[target_feature(enable = "avx2,fma")]
unsafe fn add<const ROWS: usize>(
    sums: &mut [f32],
    a: Corner,
    b: Corner,
    width: usize,
    k: usize,
    along_k: bool,
) {
    // A cache line along k is used up at once: eight columns 4 kB apart fill a set of the L1.
    let steps = if along_k { 2 * LANES } else { LANES };
    for from in (0..k).step_by(steps) {
        for (group, sums) in sums.chunks_exact_mut(ROWS * LANES).enumerate() {
            let columns = LANES.min(width - group * LANES);
            // SAFETY: the blocks and the rows' values lie inside by the caller's promise, and there is a register of sums per row.
            unsafe {
                let mut registers = [_mm256_setzero_ps(); ROWS];
                for i in 0..ROWS {
                    registers[i] = _mm256_loadu_ps(sums.as_ptr().add(i * LANES));
                }
                for p in (from..k.min(from + steps)).step_by(LANES) {
                    let depth = LANES.min(k - p);
                    let block = b.first.add(p * b.row + group * LANES * b.column);
                    let rows = if along_k {
                        if p == from {
                            for line in 0..columns {
                                prefetch(block.wrapping_add(line * b.column + AHEAD));
                            }
                        }
                        transpose(load(block, b.column, columns, depth))
                    } else {
                        load(block, b.row, depth, columns)
                    };
                    let a = Corner { first: a.first.add(p * a.column), ..a };
                    // A count known at compile time keeps B in registers.
                    registers = if depth == LANES {
                        chain(registers, a, rows, LANES)
                    } else {
                        chain(registers, a, rows, depth)
                    };
                }
                for i in 0..ROWS {
                    _mm256_storeu_ps(sums.as_mut_ptr().add(i * LANES), registers[i]);
                }
            }
        }
    }
}

/// Up to eight lines of up to eight values, filled up with zeros.
///
/// # Safety
/// The values must be there.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(first: *const f32, apart: usize, lines: usize, length: usize) -> [__m256; LANES] {
    let mut registers = [_mm256_setzero_ps(); LANES];
    // SAFETY: the caller's promise; `whole` has eight places.
    unsafe {
        if lines == LANES && length == LANES {
            for line in 0..LANES {
                registers[line] = _mm256_loadu_ps(first.add(line * apart));
            }
        } else {
            for line in 0..lines {
                let mut whole = [0.0f32; LANES];
                whole.as_mut_ptr().copy_from_nonoverlapping(first.add(line * apart), length);
                registers[line] = _mm256_loadu_ps(whole.as_ptr());
            }
        }
    }
    registers
}

/// `depth` steps of every row's chains: sums[i] += a[i, p]·b[p].
///
/// # Safety
/// `a` must hold rows×depth values.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn chain<const ROWS: usize>(
    mut sums: [__m256; ROWS],
    a: Corner,
    b: [__m256; LANES],
    depth: usize,
) -> [__m256; ROWS] {
    for p in 0..depth {
        for i in 0..ROWS {
            // SAFETY: the caller's promise.
            let value = unsafe { _mm256_set1_ps(*a.first.add(i * a.row + p * a.column)) };
            sums[i] = _mm256_fmadd_ps(value, b[p], sums[i]);
        }
    }
    sums
}
