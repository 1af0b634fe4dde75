//! Up to six rows by one panel: twelve registers of sums.

use std::arch::x86_64::*;

use super::{At, Corner, Steps, Sums};

type Body = unsafe fn(Sums, Corner, Steps<'_>, bool);

/// One body per height, so that its sums are registers.
const fn bodies<const TURNED: bool>() -> [Body; 6] {
    [
        body::<1, TURNED>,
        body::<2, TURNED>,
        body::<3, TURNED>,
        body::<4, TURNED>,
        body::<5, TURNED>,
        body::<6, TURNED>,
    ]
}
const IN_PLACE: [Body; 6] = bodies::<false>();
const TURNED: [Body; 6] = bodies::<true>();

/// # Safety
/// As for `run`; height at most 6, one panel.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tile(sums: Sums, a: Corner, b: Steps<'_>, fresh: bool) {
    let body = if a.is_turned() { &TURNED } else { &IN_PLACE }[sums.height - 1];
    // SAFETY: the caller's promise.
    unsafe { body(sums, a, b, fresh) }
}

/// # Safety
/// As for `run`, for a tile of `HEIGHT` rows.
#[target_feature(enable = "avx2,fma")]
unsafe fn body<const HEIGHT: usize, const TURNED: bool>(sums: Sums, a: Corner, b: Steps<'_>, fresh: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut registers = [[_mm256_setzero_ps(); 2]; HEIGHT];
        if !fresh {
            for i in 0..HEIGHT {
                let row = sums.values.add(i * sums.stride);
                registers[i] = [_mm256_loadu_ps(row), _mm256_loadu_ps(row.add(8))];
            }
        }
        let mut at = At::<TURNED>::new(a, b, HEIGHT);
        for _ in 0..b.depth / 4 {
            steps::<HEIGHT, 4, TURNED>(&mut at, &mut registers);
        }
        for _ in 0..b.depth % 4 {
            steps::<HEIGHT, 1, TURNED>(&mut at, &mut registers);
        }
        for i in 0..HEIGHT {
            let row = sums.values.add(i * sums.stride);
            _mm256_storeu_ps(row, registers[i][0]);
            _mm256_storeu_ps(row.add(8), registers[i][1]);
        }
    }
}

/// # Safety
/// So many steps must lie before the tile.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn steps<const HEIGHT: usize, const STEPS: usize, const TURNED: bool>(
    at: &mut At<TURNED>,
    registers: &mut [[__m256; 2]; HEIGHT],
) {
    for p in 0..STEPS {
        let b = at.b(0, p);
        // SAFETY: the caller's promise.
        let (left, right) = unsafe { (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))) };
        for i in 0..HEIGHT {
            // SAFETY: likewise.
            let value = _mm256_set1_ps(unsafe { *at.a(i, p) });
            registers[i][0] = _mm256_fmadd_ps(value, left, registers[i][0]);
            registers[i][1] = _mm256_fmadd_ps(value, right, registers[i][1]);
        }
    }
    at.advance(STEPS);
}
