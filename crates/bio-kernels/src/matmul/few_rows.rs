//! The gradient of a weight from few rows, as a step on a small batch has it: the weight's own traffic is the work then, so the sums of a
//! row of it stay in the L1 and are used at once.
//!
//! ```text
//! x is copied once, to aligned rows ......... 31 kB for 10×784: it stays in the L1
//! for each row of dW ........................ 3 kB of sums in the L1, while the weight streams past from the L3 or memory
//!   for each MOST lines of x's rows ......... up to 28 registers of sums, by equal parts
//!     for r in the rows whose dy isn't 0: sums += dy[r]·x[r]
//!   finish(row)
//! ```
//!
//! Every sum is the chain over the rows that the tiles compute, from 0 on.

use std::arch::x86_64::*;
use std::cell::RefCell;
use std::ops::Range;

use super::pack::{Buffer, Strided};
use super::{parts, zeros};

/// Values of a register, and of a line of the cache.
const LANES: usize = 16;
/// Registers of sums come by fours, beside one of dy: a body for each number of them.
const STEP: usize = 4;
const MOST: usize = 28;
/// Rows up to which this pays: the bits of a word at most.
const ROWS: usize = 32;
/// Values of x, 64 kB, that may go past for each row of dW.
const LARGEST_X: usize = 1 << 14;

#[derive(Default)]
struct Scratch {
    x: Buffer,
    dy: Buffer,
    sums: Buffer,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

pub(super) fn suits(rows: usize, k: usize) -> bool {
    (1..=ROWS).contains(&rows) && rows * k <= LARGEST_X
}

/// Rows `range` of dW [n, k] = dyᵀ·x, each handed to `finish` with its number. Only for what `suits`, with AVX-512.
pub(super) fn for_each_row(
    dy: Strided<'_>,
    x: &[f32],
    rows: usize,
    k: usize,
    range: Range<usize>,
    skip_zeros: bool,
    finish: &dyn Fn(usize, &[f32]),
) {
    assert!(suits(rows, k) && x.len() == rows * k, "not a few rows");
    SCRATCH.with_borrow_mut(|Scratch { x: aligned, dy: turned, sums }| {
        let wide = k.div_ceil(LANES).next_multiple_of(STEP) * LANES;
        let aligned = aligned.first(rows * wide);
        for (to, from) in aligned.chunks_exact_mut(wide).zip(x.chunks_exact(k)) {
            to[..k].copy_from_slice(from);
            to[k..].fill(0.0);
        }
        let turned = turned.first(range.len() * rows);
        // SAFETY: a tier with AVX-512 has AVX2.
        unsafe { zeros::turn(turned, dy, range.clone(), rows) };
        // SAFETY: as above.
        let skip = skip_zeros && unsafe { zeros::is_finite(aligned) };
        let sums = sums.first(wide);
        for (row, dy) in range.zip(turned.chunks_exact(rows)) {
            // SAFETY: as above.
            let bits = if skip { unsafe { zeros::not_zero(dy) } } else { u64::MAX >> (64 - rows) };
            for part in parts(0..wide / (STEP * LANES), MOST / STEP) {
                let first = part.start * STEP * LANES;
                let add = BODIES[part.len() - 1];
                // SAFETY: the tier has AVX-512 F; `bits` has no bit beyond the rows, and the part lies inside of the sums and of x's rows.
                unsafe {
                    add(sums.as_mut_ptr().add(first), aligned.as_ptr().add(first), wide, dy.as_ptr(), bits);
                }
            }
            finish(row, &sums[..k]);
        }
    });
}

type Body = unsafe fn(*mut f32, *const f32, usize, *const f32, u64);

const BODIES: [Body; MOST / STEP] =
    [sum::<4>, sum::<8>, sum::<12>, sum::<16>, sum::<20>, sum::<24>, sum::<28>];

/// sums = Σ over the bits of dy[r]·x[r].
///
/// # Safety
/// `sums` must have room for the registers; `dy` and rows of x, `stride` apart and as long, must be there for every bit.
#[target_feature(enable = "avx512f")]
unsafe fn sum<const REGISTERS: usize>(
    sums: *mut f32,
    x: *const f32,
    stride: usize,
    dy: *const f32,
    mut bits: u64,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut registers = [_mm512_setzero_ps(); REGISTERS];
        while bits != 0 {
            let r = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let value = _mm512_set1_ps(*dy.add(r));
            let x = x.add(r * stride);
            for i in 0..REGISTERS {
                registers[i] = _mm512_fmadd_ps(value, _mm512_loadu_ps(x.add(i * LANES)), registers[i]);
            }
        }
        for i in 0..REGISTERS {
            _mm512_storeu_ps(sums.add(i * LANES), registers[i]);
        }
    }
}
