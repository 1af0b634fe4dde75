//! Up to eight rows by three panels: 24 registers of sums.

use std::arch::x86_64::*;

use super::super::carry::PACE;
use super::{At, Carry, Corner, PANEL, Steps, Sums};

type Body = unsafe fn(Sums, Corner, Steps<'_>, &mut Carry<'_>, bool);

/// One body per height and width, so that its sums are registers.
const fn bodies<const TURNED: bool>() -> [[Body; 3]; 8] {
    [
        [body::<1, 1, TURNED>, body::<1, 2, TURNED>, body::<1, 3, TURNED>],
        [body::<2, 1, TURNED>, body::<2, 2, TURNED>, body::<2, 3, TURNED>],
        [body::<3, 1, TURNED>, body::<3, 2, TURNED>, body::<3, 3, TURNED>],
        [body::<4, 1, TURNED>, body::<4, 2, TURNED>, body::<4, 3, TURNED>],
        [body::<5, 1, TURNED>, body::<5, 2, TURNED>, body::<5, 3, TURNED>],
        [body::<6, 1, TURNED>, body::<6, 2, TURNED>, body::<6, 3, TURNED>],
        [body::<7, 1, TURNED>, body::<7, 2, TURNED>, body::<7, 3, TURNED>],
        [body::<8, 1, TURNED>, body::<8, 2, TURNED>, body::<8, 3, TURNED>],
    ]
}
const IN_PLACE: [[Body; 3]; 8] = bodies::<false>();
const TURNED: [[Body; 3]; 8] = bodies::<true>();

/// # Safety
/// As for `run`; height at most 8, three panels at most.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn tile(sums: Sums, a: Corner, b: Steps<'_>, carry: &mut Carry<'_>, fresh: bool) {
    let body = if a.is_turned() { &TURNED } else { &IN_PLACE }[sums.height - 1][sums.wide - 1];
    // SAFETY: the caller's promise.
    unsafe { body(sums, a, b, carry, fresh) }
}

/// # Safety
/// As for `run`, for a tile of `HEIGHT` rows and `PANELS` panels.
#[target_feature(enable = "avx512f")]
unsafe fn body<const HEIGHT: usize, const PANELS: usize, const TURNED: bool>(
    sums: Sums,
    a: Corner,
    b: Steps<'_>,
    carry: &mut Carry<'_>,
    fresh: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut registers = [[_mm512_setzero_ps(); PANELS]; HEIGHT];
        if !fresh {
            for i in 0..HEIGHT {
                for panel in 0..PANELS {
                    registers[i][panel] = _mm512_loadu_ps(sums.values.add(i * sums.stride + panel * PANEL));
                }
            }
        }
        let mut at = At::<TURNED>::new(a, b, HEIGHT);
        for from in (0..b.depth).step_by(PACE) {
            carry.advance::<PANELS>();
            let count = PACE.min(b.depth - from);
            for _ in 0..count / 4 {
                steps::<HEIGHT, PANELS, 4, TURNED>(&mut at, &mut registers);
            }
            for _ in 0..count % 4 {
                steps::<HEIGHT, PANELS, 1, TURNED>(&mut at, &mut registers);
            }
        }
        for i in 0..HEIGHT {
            for panel in 0..PANELS {
                _mm512_storeu_ps(sums.values.add(i * sums.stride + panel * PANEL), registers[i][panel]);
            }
        }
    }
}

/// # Safety
/// So many steps must lie before the tile.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn steps<const HEIGHT: usize, const PANELS: usize, const STEPS: usize, const TURNED: bool>(
    at: &mut At<TURNED>,
    registers: &mut [[__m512; PANELS]; HEIGHT],
) {
    for p in 0..STEPS {
        let mut row = [_mm512_setzero_ps(); PANELS];
        for panel in 0..PANELS {
            // SAFETY: the caller's promise.
            row[panel] = unsafe { _mm512_loadu_ps(at.b(panel, p)) };
        }
        for i in 0..HEIGHT {
            // SAFETY: likewise.
            let value = _mm512_set1_ps(unsafe { *at.a(i, p) });
            for panel in 0..PANELS {
                registers[i][panel] = _mm512_fmadd_ps(value, row[panel], registers[i][panel]);
            }
        }
    }
    at.advance(STEPS);
}
