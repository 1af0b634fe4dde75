//! Products whose A has many zeros, as activations after a relu and gradients before one have: terms of 0 are left out.
//!
//! ```text
//! for each 96 columns (AVX-512: 128) .......... 6 (8) panels
//!   for each 64 of k .......................... DEPTH: B in panels [64, 16], 24 kB (32) in the L1; a word per row has a bit where A isn't 0
//!     for each row
//!       for p in its bits: sums += a[p]·b[p] .. 12 (8) registers of sums, from and to `out`
//! ```
//!
//! Every element is the chain over k that the tiles compute: a fused multiply-add of 0 leaves a sum as it is, but for the sign of a sum that
//! underflowed to −0. Where B is not finite nothing is left out. With AVX2 a row takes about 50 cycles and 6.5 per bit, where the tiles take
//! 430; with AVX-512 5 per bit and 128 columns, where they take 4.

use std::arch::x86_64::*;
use std::cell::RefCell;
use std::ops::Range;

use super::pack::{Buffer, PANEL, Strided, pack_panel, transpose};
use super::{Target, parts};
use crate::isa::Isa;

/// Panels of B that a row passes at a time: two registers of sums each with AVX2, one with AVX-512, whose eight hide the latency of their sums.
fn wide(isa: Isa) -> usize {
    if isa == Isa::Avx2 { 6 } else { 8 }
}

/// k per stretch: the bits of a word.
const DEPTH: usize = 64;
/// Between the panels of a stretch.
const APART: usize = DEPTH * PANEL;
const LANES: usize = 8;

/// Whether leaving out the zeros of A takes less time than the tiles do, by a sample of 64 values.
pub(super) fn pay(isa: Isa, a: &[f32], rows: usize) -> bool {
    const SAMPLES: usize = 64;
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let least = match isa {
        Isa::Avx2 => SAMPLES / 6,
        // B is read in place for fewer rows.
        Isa::Avx512 | Isa::Avx512Bf16 if rows >= 32 => SAMPLES * 2 / 5,
        _ => return false,
    };
    // Steps of the golden ratio: even over the matrix, and no column of it is met twice in a row.
    let sample = |index: usize| a[((index as f64 * GOLDEN).fract() * a.len() as f64) as usize];
    a.len() >= SAMPLES && (0..SAMPLES).filter(|&index| sample(index) == 0.0).count() >= least
}

#[derive(Default)]
struct Scratch {
    /// A stretch of B.
    panels: Buffer,
    /// A, if its columns are contiguous, turned.
    rows: Buffer,
    /// [rows][k / 64].
    bits: Vec<u64>,
    /// Sums beside a ragged edge.
    edge: Buffer,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A task: some rows of out [m, n] = (0 if `fresh`, else out) + a·b; only for what `pay`s.
pub(super) fn multiply(
    isa: Isa,
    out: Target<'_>,
    a: Strided<'_>,
    b: Strided<'_>,
    n: usize,
    rows: Range<usize>,
    k: usize,
    fresh: bool,
) {
    SCRATCH.with_borrow_mut(|Scratch { panels, rows: turned, bits, edge }| {
        let count = rows.len();
        let a = if a.rows_are_contiguous() {
            a.from(rows.start, 0)
        } else {
            let to = turned.first(count * k);
            // SAFETY: the tier has AVX2.
            unsafe { turn(to, a, rows.clone(), k) };
            Strided::rows_apart(to, k)
        };
        let words = k.div_ceil(DEPTH);
        bits.clear();
        for i in 0..count {
            for part in a.line(i, k).chunks(DEPTH) {
                // SAFETY: as above.
                bits.push(unsafe { not_zero(part) });
            }
        }
        for columns in parts(0..super::panels(n), wide(isa)) {
            let wide = columns.len() * PANEL;
            let first = columns.start * PANEL;
            let width = wide.min(n - first);
            let edge = if width < wide { edge.first(count * wide) } else { &mut [] };
            let copy = |edge: &mut [f32], write: bool| {
                for (i, edge) in edge.chunks_exact_mut(wide).enumerate() {
                    let start = out.first + (rows.start + i) * out.stride + first;
                    // SAFETY: these sums are this task's alone, and no other part of them is alive.
                    let out = unsafe { out.values.part(start..start + width) };
                    if write {
                        out.copy_from_slice(&edge[..width]);
                    } else {
                        edge[..width].copy_from_slice(out);
                    }
                }
            };
            edge.fill(0.0);
            if !fresh {
                copy(edge, false);
            }
            let sums = if edge.is_empty() {
                let start = out.first + rows.start * out.stride + first;
                Sums {
                    first: out.values.pointer(start..start + (count - 1) * out.stride + width),
                    stride: out.stride,
                    fresh,
                }
            } else {
                Sums { first: edge.as_mut_ptr(), stride: wide, fresh: false }
            };
            for (word, from) in (0..k).step_by(DEPTH).enumerate() {
                let depth = DEPTH.min(k - from);
                let packed = panels.first(columns.len() * APART);
                let mut finite = true;
                for (panel, packed) in columns.clone().zip(packed.chunks_exact_mut(APART)) {
                    let packed = &mut packed[..depth * PANEL];
                    pack_panel(isa, packed, b, from, panel, n);
                    // SAFETY: as above.
                    finite &= unsafe { is_finite(packed) };
                }
                let all = if finite { 0 } else { u64::MAX >> (DEPTH - depth) };
                let sums = Sums { fresh: sums.fresh && from == 0, ..sums };
                let a = a.from(0, from).corner(count, depth);
                let bits = Bits { words: &bits[word..], apart: words, all };
                let add = match (isa, columns.len()) {
                    (Isa::Avx2, 1) => add::<1>,
                    (Isa::Avx2, 2) => add::<2>,
                    (Isa::Avx2, 3) => add::<3>,
                    (Isa::Avx2, 4) => add::<4>,
                    (Isa::Avx2, 5) => add::<5>,
                    (Isa::Avx2, _) => add::<6>,
                    (_, 1) => add_wide::<1>,
                    (_, 2) => add_wide::<2>,
                    (_, 3) => add_wide::<3>,
                    (_, 4) => add_wide::<4>,
                    (_, 5) => add_wide::<5>,
                    (_, 6) => add_wide::<6>,
                    (_, 7) => add_wide::<7>,
                    (_, _) => add_wide::<8>,
                };
                // SAFETY: the tier has AVX2 and FMA, or AVX-512 F; the sums are `count` rows of whole panels, in `out` (this task's rows) or beside
                // it; A has `count` rows of `depth` values, every bit is below `depth`, and the packed panels have as many rows.
                unsafe { add(sums, a, bits, packed, count) };
            }
            copy(edge, true);
        }
    });
}

/// Row i at `first + i·stride`.
#[derive(Clone, Copy)]
struct Sums {
    first: *mut f32,
    stride: usize,
    fresh: bool,
}

/// Row i's word is `words[i·apart]`, or `all` of them.
#[derive(Clone, Copy)]
struct Bits<'a> {
    words: &'a [u64],
    apart: usize,
    all: u64,
}

/// # Safety
/// `sums` must be valid for `count` rows of `PANELS` panels, `a` for every bit of each row, `panels` for the highest of them.
#[target_feature(enable = "avx2,fma")]
unsafe fn add<const PANELS: usize>(
    sums: Sums,
    a: super::tile::Corner,
    bits: Bits<'_>,
    panels: &[f32],
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..count {
            let row = sums.first.add(i * sums.stride);
            let mut registers = [[_mm256_setzero_ps(); 2]; PANELS];
            if !sums.fresh {
                for panel in 0..PANELS {
                    registers[panel] = [
                        _mm256_loadu_ps(row.add(panel * PANEL)),
                        _mm256_loadu_ps(row.add(panel * PANEL + LANES)),
                    ];
                }
            }
            let values = a.first.add(i * a.row);
            let mut word = bits.words[i * bits.apart] | bits.all;
            while word != 0 {
                let p = word.trailing_zeros() as usize;
                word &= word - 1;
                let value = _mm256_set1_ps(*values.add(p));
                let b = panels.as_ptr().add(p * PANEL);
                for panel in 0..PANELS {
                    let b = b.add(panel * APART);
                    registers[panel][0] = _mm256_fmadd_ps(value, _mm256_loadu_ps(b), registers[panel][0]);
                    registers[panel][1] =
                        _mm256_fmadd_ps(value, _mm256_loadu_ps(b.add(LANES)), registers[panel][1]);
                }
            }
            for panel in 0..PANELS {
                _mm256_storeu_ps(row.add(panel * PANEL), registers[panel][0]);
                _mm256_storeu_ps(row.add(panel * PANEL + LANES), registers[panel][1]);
            }
        }
    }
}

/// # Safety
/// As for `add`.
#[target_feature(enable = "avx512f")]
unsafe fn add_wide<const PANELS: usize>(
    sums: Sums,
    a: super::tile::Corner,
    bits: Bits<'_>,
    panels: &[f32],
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for i in 0..count {
            let row = sums.first.add(i * sums.stride);
            let mut registers = [_mm512_setzero_ps(); PANELS];
            if !sums.fresh {
                for panel in 0..PANELS {
                    registers[panel] = _mm512_loadu_ps(row.add(panel * PANEL));
                }
            }
            let values = a.first.add(i * a.row);
            let mut word = bits.words[i * bits.apart] | bits.all;
            while word != 0 {
                let p = word.trailing_zeros() as usize;
                word &= word - 1;
                let value = _mm512_set1_ps(*values.add(p));
                let b = panels.as_ptr().add(p * PANEL);
                for panel in 0..PANELS {
                    let b = _mm512_loadu_ps(b.add(panel * APART));
                    registers[panel] = _mm512_fmadd_ps(value, b, registers[panel]);
                }
            }
            for panel in 0..PANELS {
                _mm512_storeu_ps(row.add(panel * PANEL), registers[panel]);
            }
        }
    }
}

/// Whether no value of whole panels is NaN or infinite: 0·x is 0 for all others.
#[target_feature(enable = "avx2,fma")]
pub(super) fn is_finite(panel: &[f32]) -> bool {
    let mut sums = [0.0f32; PANEL];
    for row in panel.chunks_exact(PANEL) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum = value.mul_add(0.0, *sum);
        }
    }
    sums.iter().all(|sum| *sum == 0.0)
}

/// A bit for each of up to 64 values that isn't 0; NaN isn't.
#[target_feature(enable = "avx2")]
pub(super) fn not_zero(values: &[f32]) -> u64 {
    let mut bits = 0;
    let whole = values.chunks_exact(LANES);
    let done = values.len() - whole.remainder().len();
    for (p, value) in whole.remainder().iter().enumerate() {
        bits |= u64::from(*value != 0.0) << (done + p);
    }
    for (at, eight) in whole.enumerate() {
        // SAFETY: eight values.
        let eight = unsafe { _mm256_loadu_ps(eight.as_ptr()) };
        let other = _mm256_cmp_ps::<_CMP_NEQ_UQ>(eight, _mm256_setzero_ps());
        bits |= u64::from(_mm256_movemask_ps(other) as u32) << (at * LANES);
    }
    bits
}

/// to [rows, k] = those rows of an A whose columns are contiguous.
#[target_feature(enable = "avx2")]
pub(super) fn turn(to: &mut [f32], a: Strided<'_>, rows: Range<usize>, k: usize) {
    let count = rows.len();
    let column = |p: usize| &a.from(rows.start, 0).line(p, count)[..count];
    for p in (0..k).step_by(LANES) {
        let depth = LANES.min(k - p);
        for i in (0..count).step_by(LANES) {
            let height = LANES.min(count - i);
            if depth == LANES && height == LANES {
                let mut eight = [_mm256_setzero_ps(); LANES];
                for q in 0..LANES {
                    // SAFETY: eight values.
                    eight[q] = unsafe { _mm256_loadu_ps(column(p + q)[i..i + LANES].as_ptr()) };
                }
                for (r, values) in transpose(eight).into_iter().enumerate() {
                    let to = &mut to[(i + r) * k + p..][..LANES];
                    // SAFETY: eight places.
                    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), values) };
                }
            } else {
                for q in 0..depth {
                    for (r, value) in column(p + q)[i..i + height].iter().enumerate() {
                        to[(i + r) * k + p + q] = *value;
                    }
                }
            }
        }
    }
}
