//! The inner tile: some rows by one or two panels of sums, in registers.

use crate::disjoint::Disjoint;
use crate::isa::{Isa, mul_add};

use super::carry::Carry;
use super::pack::{PANEL, Strided};

/// Rows of the highest tile of any tier.
const MOST_ROWS: usize = 12;
/// Columns of the widest tile of any tier.
pub(super) const MOST_COLUMNS: usize = 2 * PANEL;

/// Rows and panels of the widest tile of a tier: as many sums as the registers hold beside a row of B and one value of A.
/// AVX-512 has 32 registers (12·2 sums of 16 values), AVX2 sixteen (6·2 sums of 8).
pub(super) fn size(isa: Isa) -> (usize, usize) {
    match isa {
        Isa::Avx512 | Isa::Avx512Bf16 => (MOST_ROWS, 2),
        _ => (6, 1),
    }
}

/// `depth` steps of B's panels, each [depth, 16], of which a tile's second one begins `apart` values after its first.
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
        out.prefetch(row);
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
    use std::arch::x86_64::*;

    use super::super::carry::PACE;
    use super::{Carry, Corner, PANEL, Steps, Sums};

    /// One body per height, so that its sums are registers.
    ///
    /// # Safety
    /// As for `run`; height at most 12, two panels at most.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn avx512(sums: Sums, a: Corner, b: Steps<'_>, carry: &mut Carry<'_>, fresh: bool) {
        // SAFETY: the caller's promise.
        unsafe {
            match (sums.height, sums.wide) {
                (1, 1) => avx512_tile::<1, 1>(sums, a, b, carry, fresh),
                (2, 1) => avx512_tile::<2, 1>(sums, a, b, carry, fresh),
                (3, 1) => avx512_tile::<3, 1>(sums, a, b, carry, fresh),
                (4, 1) => avx512_tile::<4, 1>(sums, a, b, carry, fresh),
                (5, 1) => avx512_tile::<5, 1>(sums, a, b, carry, fresh),
                (6, 1) => avx512_tile::<6, 1>(sums, a, b, carry, fresh),
                (7, 1) => avx512_tile::<7, 1>(sums, a, b, carry, fresh),
                (8, 1) => avx512_tile::<8, 1>(sums, a, b, carry, fresh),
                (9, 1) => avx512_tile::<9, 1>(sums, a, b, carry, fresh),
                (10, 1) => avx512_tile::<10, 1>(sums, a, b, carry, fresh),
                (11, 1) => avx512_tile::<11, 1>(sums, a, b, carry, fresh),
                (_, 1) => avx512_tile::<12, 1>(sums, a, b, carry, fresh),
                (1, _) => avx512_tile::<1, 2>(sums, a, b, carry, fresh),
                (2, _) => avx512_tile::<2, 2>(sums, a, b, carry, fresh),
                (3, _) => avx512_tile::<3, 2>(sums, a, b, carry, fresh),
                (4, _) => avx512_tile::<4, 2>(sums, a, b, carry, fresh),
                (5, _) => avx512_tile::<5, 2>(sums, a, b, carry, fresh),
                (6, _) => avx512_tile::<6, 2>(sums, a, b, carry, fresh),
                (7, _) => avx512_tile::<7, 2>(sums, a, b, carry, fresh),
                (8, _) => avx512_tile::<8, 2>(sums, a, b, carry, fresh),
                (9, _) => avx512_tile::<9, 2>(sums, a, b, carry, fresh),
                (10, _) => avx512_tile::<10, 2>(sums, a, b, carry, fresh),
                (11, _) => avx512_tile::<11, 2>(sums, a, b, carry, fresh),
                (_, _) => avx512_tile::<12, 2>(sums, a, b, carry, fresh),
            }
        }
    }

    /// # Safety
    /// As for `run`, for a tile of `HEIGHT` rows and `PANELS` panels.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_tile<const HEIGHT: usize, const PANELS: usize>(
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
            let panels = b.panels.as_ptr();
            for from in (0..b.depth).step_by(PACE) {
                carry.advance();
                for p in from..b.depth.min(from + PACE) {
                    let mut row = [_mm512_setzero_ps(); PANELS];
                    for panel in 0..PANELS {
                        row[panel] = _mm512_loadu_ps(panels.add(panel * b.apart + p * PANEL));
                    }
                    for i in 0..HEIGHT {
                        let value = _mm512_set1_ps(*a.first.add(i * a.row + p * a.column));
                        for panel in 0..PANELS {
                            registers[i][panel] = _mm512_fmadd_ps(value, row[panel], registers[i][panel]);
                        }
                    }
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
