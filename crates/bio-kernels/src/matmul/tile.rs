//! The inner tile: some rows by one to three panels of sums, in registers.

use crate::disjoint::Disjoint;
use crate::isa::{Isa, mul_add};

use super::carry::Carry;
use super::pack::{PANEL, Strided};

/// Rows of the highest tile of any tier.
const MOST_ROWS: usize = 8;
/// Columns of the widest tile of any tier.
pub(super) const MOST_COLUMNS: usize = 3 * PANEL;

/// Rows and panels of the widest tile of a tier: as many sums as the registers hold beside a row of B and one value of A.
/// AVX-512 has 32 registers (8·3 sums of 16 values: 35 instructions per step, where 12·2 take 38), AVX2 sixteen (6·2 sums of 8).
pub(super) fn size(isa: Isa) -> (usize, usize) {
    match isa {
        Isa::Avx512 | Isa::Avx512Bf16 => (MOST_ROWS, 3),
        _ => (6, 1),
    }
}

/// `depth` steps of B's panels, each [depth, 16], of which a tile's next one begins `apart` values after the one before.
#[derive(Clone, Copy)]
pub(super) struct Steps<'a> {
    pub panels: &'a [f32],
    pub apart: usize,
    pub depth: usize,
}

/// Where the sums of a tile stand: row i at `first + i·stride`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub first: usize,
    pub stride: usize,
    pub height: usize,
    pub width: usize,
}

/// Asks for the places of the tile that comes next: their old values are its first operands.
pub(super) fn prefetch(out: &Disjoint<'_, f32>, place: Place) {
    for i in 0..place.height {
        let row = place.first + i * place.stride;
        for panel in (0..place.width).step_by(PANEL) {
            out.prefetch(row + panel);
        }
        out.prefetch(row + place.width - 1);
    }
}

/// out[i, j] = (0 if `fresh`, else out[i, j]) + Σ_p a[i, p]·b[p, j]. No task may touch the same place at the same time.
pub(super) fn tile(
    isa: Isa,
    out: &Disjoint<'_, f32>,
    place: Place,
    a: Strided<'_>,
    b: Steps<'_>,
    carry: &mut Carry<'_>,
    fresh: bool,
) {
    let Place { first, stride, height, width } = place;
    let (rows, panels) = size(isa);
    let wide = width.div_ceil(PANEL);
    assert!(height <= rows && wide <= panels && b.panels.len() >= (wide - 1) * b.apart + b.depth * PANEL);
    let a = a.corner(height, b.depth);
    let pointer = out.pointer(first..first + (height - 1) * stride + width);
    if width == wide * PANEL {
        // SAFETY: every sum lies inside `out` and is this task's; a and b are long enough as checked above.
        return unsafe { run(isa, Sums { values: pointer, stride, height, wide }, a, b, carry, fresh) };
    }
    // A ragged edge is summed beside `out`, in whole registers.
    let mut edge = [0.0f32; MOST_ROWS * MOST_COLUMNS];
    if !fresh {
        for i in 0..height {
            // SAFETY: a row of the tile, inside `out` as checked by `pointer`.
            let row = unsafe { std::slice::from_raw_parts(pointer.add(i * stride), width) };
            edge[i * MOST_COLUMNS..][..width].copy_from_slice(row);
        }
    }
    let sums = Sums { values: edge.as_mut_ptr(), stride: MOST_COLUMNS, height, wide };
    // SAFETY: `edge` has room for the widest tile; a and b as above.
    unsafe { run(isa, sums, a, b, carry, false) };
    for i in 0..height {
        // SAFETY: as above.
        let row = unsafe { std::slice::from_raw_parts_mut(pointer.add(i * stride), width) };
        row.copy_from_slice(&edge[i * MOST_COLUMNS..][..width]);
    }
}

/// The upper left corner of A that a tile reads: a[i, p] = first[i·row + p·column].
#[derive(Clone, Copy)]
pub(super) struct Corner {
    pub first: *const f32,
    pub row: usize,
    pub column: usize,
}

#[derive(Clone, Copy)]
struct Sums {
    values: *mut f32,
    stride: usize,
    height: usize,
    /// Panels.
    wide: usize,
}

/// # Safety
/// All places of `sums`, `a` and `b` that a tile of this size reaches must be valid, and the tier's features present.
unsafe fn run(isa: Isa, sums: Sums, a: Corner, b: Steps<'_>, carry: &mut Carry<'_>, fresh: bool) {
    // SAFETY: the caller's promise; the tiers have their features.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 | Isa::Avx512Bf16 => x86::avx512(sums, a, b, carry, fresh),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::avx2(sums, a, b, fresh),
            Isa::Neon => portable::<true>(sums, a, b, fresh),
            _ => portable::<false>(sums, a, b, fresh),
        }
    }
}

/// Row by row, so that one row's sums stay close.
///
/// # Safety
/// As for `run`.
unsafe fn portable<const FMA: bool>(sums: Sums, a: Corner, b: Steps<'_>, fresh: bool) {
    for i in 0..sums.height {
        for panel in 0..sums.wide {
            // SAFETY: inside by the caller's promise.
            let out = unsafe {
                std::slice::from_raw_parts_mut(sums.values.add(i * sums.stride + panel * PANEL), PANEL)
            };
            if fresh {
                out.fill(0.0);
            }
            for (p, b) in b.panels[panel * b.apart..][..b.depth * PANEL].chunks_exact(PANEL).enumerate() {
                // SAFETY: inside by the caller's promise.
                let value = unsafe { *a.first.add(i * a.row + p * a.column) };
                for (sum, b) in out.iter_mut().zip(b) {
                    *sum = mul_add::<FMA>(value, *b, *sum);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::{asm, x86_64::*};

    use super::super::carry::PACE;
    use super::{Carry, Corner, PANEL, Steps, Sums};

    type Tile = unsafe fn(Sums, Corner, Steps<'_>, &mut Carry<'_>, bool);

    /// One body per height and width, so that its sums are registers.
    const fn bodies<const TURNED: bool>() -> [[Tile; 3]; 8] {
        [
            [tile::<1, 1, TURNED>, tile::<1, 2, TURNED>, tile::<1, 3, TURNED>],
            [tile::<2, 1, TURNED>, tile::<2, 2, TURNED>, tile::<2, 3, TURNED>],
            [tile::<3, 1, TURNED>, tile::<3, 2, TURNED>, tile::<3, 3, TURNED>],
            [tile::<4, 1, TURNED>, tile::<4, 2, TURNED>, tile::<4, 3, TURNED>],
            [tile::<5, 1, TURNED>, tile::<5, 2, TURNED>, tile::<5, 3, TURNED>],
            [tile::<6, 1, TURNED>, tile::<6, 2, TURNED>, tile::<6, 3, TURNED>],
            [tile::<7, 1, TURNED>, tile::<7, 2, TURNED>, tile::<7, 3, TURNED>],
            [tile::<8, 1, TURNED>, tile::<8, 2, TURNED>, tile::<8, 3, TURNED>],
        ]
    }
    const IN_PLACE: [[Tile; 3]; 8] = bodies::<false>();
    const TURNED: [[Tile; 3]; 8] = bodies::<true>();

    /// # Safety
    /// As for `run`; height at most 8, three panels at most.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn avx512(sums: Sums, a: Corner, b: Steps<'_>, carry: &mut Carry<'_>, fresh: bool) {
        let bodies = if a.column == 1 {
            &IN_PLACE
        } else {
            assert!(a.row == 1 && a.column == sums.height, "tiles of A lie one after the other");
            &TURNED
        };
        let tile = bodies[sums.height - 1][sums.wide - 1];
        // SAFETY: the caller's promise.
        unsafe { tile(sums, a, b, carry, fresh) }
    }

    /// The same value. The compiler, which would compute each row's place from the one before, an addition per row and step, loses its track.
    #[inline(always)]
    #[cfg_attr(miri, allow(unused_mut))]
    fn untracked(mut value: usize) -> usize {
        // SAFETY: no instruction.
        #[cfg(not(miri))]
        unsafe {
            asm!("/* {0} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
        };
        value
    }

    /// # Safety
    /// As for `run`, for a tile of `HEIGHT` rows and `PANELS` panels; `a` contiguous rows, or, if `TURNED`, a tile [depth][HEIGHT].
    #[target_feature(enable = "avx512f")]
    unsafe fn tile<const HEIGHT: usize, const PANELS: usize, const TURNED: bool>(
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
                        registers[i][panel] =
                            _mm512_loadu_ps(sums.values.add(i * sums.stride + panel * PANEL));
                    }
                }
            }
            let mut at = At::<TURNED>::new(a, b, HEIGHT);
            for from in (0..b.depth).step_by(PACE) {
                carry.advance::<PANELS>();
                let steps = PACE.min(b.depth - from);
                for _ in 0..steps / 4 {
                    at.steps::<HEIGHT, PANELS, 4>(&mut registers);
                }
                for _ in 0..steps % 4 {
                    at.steps::<HEIGHT, PANELS, 1>(&mut registers);
                }
            }
            for i in 0..HEIGHT {
                for panel in 0..PANELS {
                    _mm512_storeu_ps(sums.values.add(i * sums.stride + panel * PANEL), registers[i][panel]);
                }
            }
        }
    }

    /// Where a tile is in A and B.
    struct At<const TURNED: bool> {
        /// Every third row of A.
        rows: [*const f32; 4],
        row: usize,
        panels: *const f32,
        apart: usize,
    }

    impl<const TURNED: bool> At<TURNED> {
        #[inline(always)]
        fn new(a: Corner, b: Steps<'_>, height: usize) -> Self {
            let mut rows = [a.first; 4];
            for third in 1..height.div_ceil(3) {
                rows[third] = a.first.wrapping_add(untracked(3 * third * a.row));
            }
            Self { rows, row: untracked(a.row), panels: b.panels.as_ptr(), apart: untracked(b.apart) }
        }

        /// # Safety
        /// As for `run`.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn steps<const HEIGHT: usize, const PANELS: usize, const STEPS: usize>(
            &mut self,
            registers: &mut [[__m512; PANELS]; HEIGHT],
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                for p in 0..STEPS {
                    let mut row = [_mm512_setzero_ps(); PANELS];
                    for panel in 0..PANELS {
                        row[panel] = _mm512_loadu_ps(self.panels.add(panel * self.apart + p * PANEL));
                    }
                    for i in 0..HEIGHT {
                        let value = if TURNED {
                            self.rows[0].add(p * HEIGHT + i)
                        } else {
                            self.rows[i / 3].add(i % 3 * self.row + p)
                        };
                        let value = _mm512_set1_ps(*value);
                        for panel in 0..PANELS {
                            registers[i][panel] = _mm512_fmadd_ps(value, row[panel], registers[i][panel]);
                        }
                    }
                }
                for rows in &mut self.rows {
                    *rows = rows.wrapping_add(if TURNED { STEPS * HEIGHT } else { STEPS });
                }
                self.panels = self.panels.wrapping_add(STEPS * PANEL);
            }
        }
    }

    /// # Safety
    /// As for `run`; height at most 6, one panel.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2(sums: Sums, a: Corner, b: Steps<'_>, fresh: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            match sums.height {
                1 => avx2_tile::<1>(sums, a, b, fresh),
                2 => avx2_tile::<2>(sums, a, b, fresh),
                3 => avx2_tile::<3>(sums, a, b, fresh),
                4 => avx2_tile::<4>(sums, a, b, fresh),
                5 => avx2_tile::<5>(sums, a, b, fresh),
                _ => avx2_tile::<6>(sums, a, b, fresh),
            }
        }
    }

    /// # Safety
    /// As for `run`, for a tile of `HEIGHT` rows.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_tile<const HEIGHT: usize>(sums: Sums, a: Corner, b: Steps<'_>, fresh: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut registers = [[_mm256_setzero_ps(); 2]; HEIGHT];
            if !fresh {
                for i in 0..HEIGHT {
                    let row = sums.values.add(i * sums.stride);
                    registers[i] = [_mm256_loadu_ps(row), _mm256_loadu_ps(row.add(8))];
                }
            }
            let panel = b.panels.as_ptr();
            for p in 0..b.depth {
                let (left, right) =
                    (_mm256_loadu_ps(panel.add(p * PANEL)), _mm256_loadu_ps(panel.add(p * PANEL + 8)));
                for i in 0..HEIGHT {
                    let value = _mm256_set1_ps(*a.first.add(i * a.row + p * a.column));
                    registers[i][0] = _mm256_fmadd_ps(value, left, registers[i][0]);
                    registers[i][1] = _mm256_fmadd_ps(value, right, registers[i][1]);
                }
            }
            for i in 0..HEIGHT {
                let row = sums.values.add(i * sums.stride);
                _mm256_storeu_ps(row, registers[i][0]);
                _mm256_storeu_ps(row.add(8), registers[i][1]);
            }
        }
    }
}
