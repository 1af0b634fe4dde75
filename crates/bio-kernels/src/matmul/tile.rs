//! The inner tile: some rows by one to three panels of sums, in registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

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

#[cfg(target_arch = "x86_64")]
impl Corner {
    /// Whether its columns are contiguous; otherwise its rows are.
    fn is_turned(self) -> bool {
        assert!(self.column == 1 || self.row == 1, "rows or columns are contiguous");
        self.column != 1
    }
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
            Isa::Avx512 | Isa::Avx512Bf16 => avx512::tile(sums, a, b, carry, fresh),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::tile(sums, a, b, fresh),
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

/// Where a tile is in A and B, `TURNED` if A's columns are contiguous, else its rows.
#[cfg(target_arch = "x86_64")]
struct At<const TURNED: bool> {
    /// Every third row of A, from which a register holds the distance of the others; if it is turned, every second step.
    a: [*const f32; MOST_ROWS.div_ceil(3)],
    a_apart: usize,
    panels: *const f32,
    apart: usize,
}

#[cfg(target_arch = "x86_64")]
impl<const TURNED: bool> At<TURNED> {
    #[inline(always)]
    fn new(a: Corner, b: Steps<'_>, height: usize) -> Self {
        let a_apart = if TURNED { a.column } else { a.row };
        let (count, distance) = if TURNED { (2, 2) } else { (height.div_ceil(3), 3) };
        let mut places = [a.first; MOST_ROWS.div_ceil(3)];
        for index in 1..count {
            places[index] = a.first.wrapping_add(untracked(index * distance * a_apart));
        }
        Self { a: places, a_apart: untracked(a_apart), panels: b.panels.as_ptr(), apart: untracked(b.apart) }
    }

    /// The value of a row of A, up to three steps from here.
    #[inline(always)]
    fn a(&self, row: usize, step: usize) -> *const f32 {
        if TURNED {
            self.a[step / 2].wrapping_add(step % 2 * self.a_apart + row)
        } else {
            self.a[row / 3].wrapping_add(row % 3 * self.a_apart + step)
        }
    }

    /// The values of a panel of B.
    #[inline(always)]
    fn b(&self, panel: usize, step: usize) -> *const f32 {
        self.panels.wrapping_add(panel * self.apart + step * PANEL)
    }

    #[inline(always)]
    fn advance(&mut self, steps: usize) {
        for place in &mut self.a {
            *place = place.wrapping_add(if TURNED { steps * self.a_apart } else { steps });
        }
        self.panels = self.panels.wrapping_add(steps * PANEL);
    }
}

/// The same value. The compiler, which would compute each row's place from the one before, an addition per row and step, loses its track.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[cfg_attr(miri, allow(unused_mut))]
pub(crate) fn untracked(mut value: usize) -> usize {
    // SAFETY: no instruction.
    #[cfg(not(miri))]
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
    };
    value
}
