//! What tiles do beside the arithmetic, which leaves them time for it: they fetch the panels of B that come next, and ask for the places of the
//! next tile.

use std::ops::RangeInclusive;

use super::pack::{PANEL, Strided};
use super::tile::{MOST_COLUMNS, Place};
use crate::disjoint::Disjoint;
use crate::isa::Isa;
use crate::memory::{prefetch, prefetch_to_second_level};

/// Steps of k between two looks at what is due: a line of the cache of each row of A.
pub(super) const PACE: usize = 16;
/// Rows between one that is copied and one that is asked for.
const AHEAD: usize = 8;
/// The same for rows that share few sets of the L1 and wait in the L2 therefore.
const FAR_AHEAD: usize = 32;

/// k of a stretch at which tiles ask for the places of the next one a row at each look. With fewer there are not enough looks; with more it
/// takes as much time as it saves.
const SPREAD: RangeInclusive<usize> = 128..=256;

/// Whether a tier's tiles do what `Carry` says.
pub(super) fn carries(isa: Isa) -> bool {
    isa.has_avx512()
}

/// Whether tiles of so many k ask for the next one's places one row after the other (`expect`).
pub(super) fn spreads(isa: Isa, depth: usize) -> bool {
    carries(isa) && SPREAD.contains(&depth)
}

/// How often a tile looks at what is due.
pub(super) fn looks(depth: usize) -> usize {
    depth.div_ceil(PACE)
}

/// Some panels of B on their way.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(super) struct Carry<'a> {
    /// B's contiguous rows or columns, `stride` apart, and how much of each is wanted.
    lines: &'a [f32],
    stride: usize,
    count: usize,
    length: usize,
    /// Where rows are copied to, [wide][count][16]; columns, which would have to be turned, are asked for only.
    to: Option<&'a mut [f32]>,
    wide: usize,
    /// Whether rows are asked for from afar.
    far: bool,
    /// Rows, or sixteen values of a column, per look.
    rate: usize,
    /// Where the next ones are.
    line: usize,
    at: usize,
    /// Those of the next tile's places that have not been asked for: the first row of them, and how many there are.
    row: *const f32,
    row_stride: usize,
    rows: usize,
    row_width: usize,
}

impl<'a> Carry<'a> {
    pub fn nothing() -> Self {
        Self {
            lines: &[],
            stride: 0,
            count: 0,
            length: 0,
            to: None,
            wide: 0,
            far: false,
            rate: 0,
            line: 0,
            at: 0,
            row: std::ptr::null(),
            row_stride: 0,
            rows: 0,
            row_width: 0,
        }
    }

    /// Panels of b [depth, width], wanted after so many looks by tiles of `wide` panels.
    pub fn new(
        b: Strided<'a>,
        depth: usize,
        width: usize,
        to: &'a mut [f32],
        looks: usize,
        wide: usize,
    ) -> Self {
        let rows = b.rows_are_contiguous();
        let (b, count, length) = if rows { (b, depth, width) } else { (b.transposed(), width, depth) };
        let (lines, stride) = b.lines(count, length);
        let copies = rows && width.is_multiple_of(PANEL) && width <= wide * PANEL;
        assert!(to.len() >= width * depth, "no room for the panels");
        let items = if copies { count } else { count * length.div_ceil(PACE) };
        let (to, rate) = (copies.then_some(to), items.div_ceil(looks));
        let (wide, far) = (width / PANEL, b.lines_share_sets());
        Self { lines, stride, count, length, to, wide, far, rate, ..Self::nothing() }
    }

    /// Panels that have been packed before, asked for so that they are in the L2 after so many looks.
    pub fn again(panels: &'a [f32], looks: usize) -> Self {
        let rate = panels.len().div_ceil(PACE).div_ceil(looks);
        Self { lines: panels, count: 1, length: panels.len(), rate, ..Self::nothing() }
    }

    /// Places, as many panels wide as the tile's, that will be written next. Asked for all at once, they would fill the buffers in which the tile
    /// waits for its own operands.
    pub fn expect(&mut self, out: &Disjoint<'_, f32>, Place { first, stride, height, width }: Place) {
        if height > 0 {
            self.row = out.pointer(first..first + (height - 1) * stride + width);
            (self.row_stride, self.rows, self.row_width) = (stride, height, width);
        }
    }

    /// Whether the panels are there.
    pub fn arrived(&self) -> bool {
        self.to.is_some() && self.line == self.count
    }

    /// Copies all panels at once, if they are copied at all: whether they are there.
    pub fn hurry(&mut self, isa: Isa) -> bool {
        #[cfg(target_arch = "x86_64")]
        if carries(isa) && self.to.is_some() {
            #[target_feature(enable = "avx512f")]
            fn copy(panels: &mut Carry<'_>) {
                while !panels.arrived() {
                    panels.advance::<{ MOST_COLUMNS / PANEL }>();
                }
            }
            // SAFETY: tiers that carry have AVX-512 F.
            unsafe { copy(self) };
        }
        let _ = isa;
        self.arrived()
    }

    /// A look of a tile of so many panels: does what is due.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub fn advance<const PANELS: usize>(&mut self) {
        if self.rows > 0 {
            for panel in 0..PANELS {
                prefetch(self.row.wrapping_add(panel * PANEL));
            }
            prefetch(self.row.wrapping_add(self.row_width - 1));
            (self.row, self.rows) = (self.row.wrapping_add(self.row_stride), self.rows - 1);
        }
        for _ in 0..self.rate {
            if self.line == self.count {
                break;
            }
            let line = |index: usize| self.lines.as_ptr().wrapping_add(index * self.stride);
            let Some(to) = &mut self.to else {
                prefetch_to_second_level(line(self.line).wrapping_add(self.at));
                self.at += PACE;
                if self.at >= self.length {
                    (self.line, self.at) = (self.line + 1, 0);
                }
                continue;
            };
            debug_assert!(self.wide <= PANELS, "more panels than the tile's");
            // The compiler unrolls for the tile's own width, which is that of nearly all panels that come next.
            let wide = PANELS.min(self.wide);
            let soon = match self.line + if self.far { FAR_AHEAD } else { AHEAD } {
                soon if soon < self.count => line(soon),
                // Beyond the last row: the first ones of the panels after these.
                soon => line((soon - self.count).min(self.count - 1)).wrapping_add(self.length),
            };
            for panel in 0..=wide {
                let at = soon.wrapping_add((panel * PANEL).min(self.length - 1));
                if self.far {
                    prefetch_to_second_level(at);
                } else {
                    prefetch(at);
                }
            }
            for panel in 0..wide {
                let to = to.as_mut_ptr().wrapping_add((panel * self.count + self.line) * PANEL);
                // SAFETY: `new` made sure of so many panels of each of `count` lines, and of places for them.
                unsafe { line(self.line).add(panel * PANEL).copy_to_nonoverlapping(to, PANEL) };
            }
            self.line += 1;
        }
    }
}
