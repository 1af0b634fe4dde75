//! What tiles do beside the arithmetic, which leaves them time for it: they fetch the panels of B that come next.

use super::pack::{PANEL, Strided};
use super::tile::MOST_COLUMNS;
use crate::isa::Isa;
use crate::memory::{prefetch, prefetch_to_second_level};

/// Steps of k between two looks at what is due: a line of the cache of each row of A.
pub(super) const PACE: usize = 16;
/// Rows between one that is copied and one that is asked for.
const AHEAD: usize = 8;

/// Whether a tier's tiles do what `Carry` says.
pub(super) fn carries(isa: Isa) -> bool {
    matches!(isa, Isa::Avx512 | Isa::Avx512Bf16)
}

/// How often a tile looks at what is due.
pub(super) fn looks(depth: usize) -> usize {
    depth.div_ceil(PACE)
}

/// Two panels of B on their way.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(super) struct Carry<'a> {
    /// B's contiguous rows or columns, `stride` apart, and how much of each is wanted.
    lines: &'a [f32],
    stride: usize,
    count: usize,
    length: usize,
    /// Where rows are copied to, [2][count][16]; columns, which would have to be turned, are asked for only.
    to: Option<&'a mut [f32]>,
    /// Rows, or sixteen values of a column, per look.
    rate: usize,
    /// Where the next ones are.
    line: usize,
    at: usize,
}

impl<'a> Carry<'a> {
    pub fn nothing() -> Self {
        Self { lines: &[], stride: 0, count: 0, length: 0, to: None, rate: 0, line: 0, at: 0 }
    }

    /// Panels of b [depth, width], wanted after so many looks.
    pub fn new(b: Strided<'a>, depth: usize, width: usize, to: &'a mut [f32], looks: usize) -> Self {
        let rows = b.rows_are_contiguous();
        let (b, count, length) = if rows { (b, depth, width) } else { (b.transposed(), width, depth) };
        let (lines, stride) = b.lines(count, length);
        let copies = rows && width == MOST_COLUMNS;
        assert!(to.len() >= MOST_COLUMNS * depth, "no room for two panels");
        let items = if copies { count } else { count * length.div_ceil(PACE) };
        let (to, rate) = (copies.then_some(to), items.div_ceil(looks));
        Self { lines, stride, count, length, to, rate, line: 0, at: 0 }
    }

    /// Whether the panels are there.
    pub fn arrived(&self) -> bool {
        self.to.is_some() && self.line == self.count
    }

    /// A look: does what is due.
    #[inline(always)]
    #[cfg(target_arch = "x86_64")]
    pub fn advance(&mut self) {
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
            let soon = line((self.line + AHEAD).min(self.count - 1));
            prefetch(soon);
            prefetch(soon.wrapping_add(MOST_COLUMNS - 1));
            for panel in 0..2 {
                let to = to.as_mut_ptr().wrapping_add((panel * self.count + self.line) * PANEL);
                // SAFETY: `new` made sure of 32 values of each of `count` lines, and of places for them.
                unsafe { line(self.line).add(panel * PANEL).copy_to_nonoverlapping(to, PANEL) };
            }
            self.line += 1;
        }
    }
}
