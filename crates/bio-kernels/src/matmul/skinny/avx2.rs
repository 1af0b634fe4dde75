//! Up to eight rows by eight columns, with sixteen registers.

use std::arch::x86_64::*;

use super::super::pack::transpose;
use super::super::tile::Corner;
use crate::memory::prefetch;

/// Columns of a register.
pub(super) const LANES: usize = 8;
/// How far ahead contiguous columns are asked for, in values.
const AHEAD: usize = 32;

/// Adds the products of a chunk to its sums [groups][rows][8].
///
/// # Safety
/// `a` must hold rows×k values, `b` k×width, contiguous along k if `along_k`, else along its columns; `sums` a register per row and group.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn add<const ROWS: usize>(
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
