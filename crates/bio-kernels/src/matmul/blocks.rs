//! The loops between a task and its tiles.

use std::ops::Range;

use super::carry::{self, Carry};
use super::pack::{BUFFERS, Buffer, PANEL, Strided, pack_panel, pack_rows};
use super::tile::{self, Place, Steps};
use super::{BLOCK, Columns, DEPTH, MANY_ROWS, NARROW, ROWS, Target, WIDTH, parts, pieces};
use crate::isa::Isa;

/// a [.., k] and b [k, n].
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub a: Strided<'a>,
    pub b: Strided<'a>,
    pub n: usize,
    pub k: usize,
}

impl Operands<'_> {
    /// Columns that panels have.
    fn width(self, panels: &Range<usize>) -> usize {
        self.n.min(panels.end * PANEL) - panels.start * PANEL
    }

    /// A stretch of some panels on its way, wanted after so many looks by tiles of `wide` panels.
    fn fetch<'a>(
        &'a self,
        panels: &Range<usize>,
        from: usize,
        to: &'a mut [f32],
        looks: usize,
        wide: usize,
    ) -> Carry<'a> {
        let b = self.b.from(from, panels.start * PANEL);
        Carry::new(b, DEPTH.min(self.k - from), self.width(panels), to, looks, wide)
    }
}

/// Packs a stretch of B first, then multiplies block after block of A with it.
pub(super) fn multiply_packed(
    isa: Isa,
    out: Target<'_>,
    Operands { a, b, n, k }: Operands<'_>,
    rows: Range<usize>,
    columns: Range<usize>,
    accumulate: bool,
) {
    BUFFERS.with_borrow_mut(|(panels_of_b, tiles_of_a)| {
        // Contiguous rows of B want the wide way: what a panel takes of a row brings its neighbours along. And packing A again costs more.
        let one_block = rows.len() <= ROWS && a.rows_are_contiguous() && !b.rows_are_contiguous();
        let width = if one_block { NARROW } else { WIDTH };
        for columns in parts(columns, width) {
            for from in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - from);
                let packed = panels_of_b.first(columns.len() * depth * PANEL);
                for (panel, packed) in columns.clone().zip(packed.chunks_exact_mut(depth * PANEL)) {
                    pack_panel(isa, packed, b, from, panel, n);
                }
                let b = Columns { panels: packed, n, depth, first: columns.start };
                let fresh = from == 0 && !accumulate;
                stretch(isa, out, a, b, tiles_of_a, rows.clone(), columns.clone(), from, 0, depth, fresh);
            }
        }
    });
}

/// A few panels after the others: while tiles of the first block of A use them, they copy the next ones, and those of later blocks ask the L2
/// for what was copied.
pub(super) fn multiply_in_turn(
    isa: Isa,
    out: Target<'_>,
    operands: Operands<'_>,
    rows: Range<usize>,
    columns: Range<usize>,
    accumulate: bool,
) {
    let Operands { a, b, n, k } = operands;
    let (_, most) = tile::size(isa);
    let deepest = DEPTH.min(k);
    let blocks = parts(rows, BLOCK / deepest);
    let block_count = blocks.clone().count();
    let room = most * PANEL * deepest;
    BUFFERS.with_borrow_mut(|(panels_of_b, tiles_of_a)| {
        for columns in pieces(columns, WIDTH) {
            let groups = parts(columns.clone(), most);
            let group_count = groups.clone().count();
            // One block needs these panels and the next ones only, which stay in the L2.
            let slots = if block_count == 1 { 2 } else { group_count.max(2) };
            let slot = |position: usize| position % slots * room..(position % slots + 1) * room;
            let packed = panels_of_b.first(slots * room);
            // Copying A pays where enough columns share it.
            let copy = columns.len() >= WIDTH / 2;
            let mut ready = false;
            for (stretch, from) in (0..k).step_by(DEPTH).enumerate() {
                let depth = DEPTH.min(k - from);
                let fresh = from == 0 && !accumulate;
                for (index, rows) in blocks.clone().enumerate() {
                    let (first_block, last_block) = (index == 0, index + 1 == block_count);
                    let block = Block::new(isa, a, tiles_of_a, rows, from, depth, copy);
                    let looks = block.tiles * carry::looks(depth);
                    for (group, panels) in groups.clone().enumerate() {
                        let position = stretch * group_count + group;
                        let [now, then] = packed
                            .get_disjoint_mut([slot(position), slot(position + 1)])
                            .expect("two slots or more");
                        if first_block && !ready && !operands.fetch(&panels, from, now, 1, most).hurry(isa) {
                            for (panel, packed) in panels.clone().zip(now.chunks_exact_mut(depth * PANEL)) {
                                pack_panel(isa, packed, b, from, panel, n);
                            }
                        }
                        let next = groups.clone().cycle().nth(group + 1).unwrap_or_default();
                        // The stretch whose panels come next, if they are not packed yet.
                        let unpacked = if group + 1 < group_count {
                            first_block.then_some(from)
                        } else {
                            last_block.then_some(from + depth)
                        };
                        let mut carry = match unpacked {
                            Some(from) if from < k => operands.fetch(&next, from, then, looks, panels.len()),
                            None if group_count > 1 => {
                                Carry::again(&then[..next.len() * depth * PANEL], looks)
                            }
                            _ => Carry::nothing(),
                        };
                        let b = Steps { panels: now, apart: depth * PANEL, depth };
                        block.multiply(isa, out, b, panels.start, operands.width(&panels), &mut carry, fresh);
                        ready = carry.arrived();
                    }
                }
            }
        }
    });
}

/// Adds the product of some rows and some panels to `out`.
pub(crate) fn multiply_block(
    isa: Isa,
    out: Target<'_>,
    a: Strided<'_>,
    b: Columns<'_>,
    rows: Range<usize>,
    columns: Range<usize>,
    k: usize,
) {
    BUFFERS.with_borrow_mut(|(_, tiles_of_a)| {
        for from in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - from);
            stretch(isa, out, a, b, tiles_of_a, rows.clone(), columns.clone(), from, from, depth, false);
        }
    });
}

/// One stretch of k: columns `from…from + depth` of A and rows `start…start + depth` of the panels.
fn stretch(
    isa: Isa,
    out: Target<'_>,
    a: Strided<'_>,
    b: Columns<'_>,
    tiles_of_a: &mut Buffer,
    rows: Range<usize>,
    columns: Range<usize>,
    from: usize,
    start: usize,
    depth: usize,
    fresh: bool,
) {
    let (_, tile_panels) = tile::size(isa);
    let most = if isa.has_avx512() { MANY_ROWS } else { ROWS };
    for rows in pieces(rows, most) {
        let block = Block::new(isa, a, tiles_of_a, rows, from, depth, false);
        for panels in parts(columns.clone(), tile_panels) {
            let panel = panels.start;
            let steps = Steps {
                panels: &b.panels[((panel - b.first) * b.depth + start) * PANEL..],
                apart: b.depth * PANEL,
                depth,
            };
            let width = b.n.min(panels.end * PANEL) - panel * PANEL;
            block.multiply(isa, out, steps, panel, width, &mut Carry::nothing(), fresh);
        }
    }
}

/// A stretch of some rows of A.
struct Block<'a> {
    /// The block, in place or, if its rows are copied, there.
    a: Strided<'a>,
    /// Columns that are copied to tiles; empty if rows, or columns, are read where they lie.
    tiles_of_a: &'a [f32],
    rows: Range<usize>,
    depth: usize,
    tile_rows: usize,
    tiles: usize,
}

impl<'a> Block<'a> {
    fn new(
        isa: Isa,
        a: Strided<'a>,
        buffer: &'a mut Buffer,
        rows: Range<usize>,
        from: usize,
        depth: usize,
        copy: bool,
    ) -> Self {
        let (tile_rows, _) = tile::size(isa);
        let tiles = rows.len().div_ceil(tile_rows);
        let in_place = a.from(rows.start, from);
        let turn = !a.rows_are_contiguous() && (!isa.has_avx512() || a.lines_share_sets());
        let (a, tiles_of_a): (_, &[f32]) = if turn {
            let packed = buffer.first(rows.len() * depth);
            pack_rows(packed, a, parts(rows.clone(), tile_rows), from, depth);
            (in_place, packed)
        } else if copy && a.rows_are_contiguous() && a.lines_share_sets() {
            let apart = depth + PANEL;
            let packed = buffer.first(rows.len() * apart);
            for (row, packed) in packed.chunks_exact_mut(apart).enumerate() {
                packed[..depth].copy_from_slice(in_place.from(row, 0).line(0, depth));
            }
            (Strided::rows_apart(packed, apart), &[])
        } else {
            // Rows are read where they are, some streams that are gone through from end to end; columns by tiles of eight, half a line of
            // each.
            (in_place, &[])
        };
        Self { a, tiles_of_a, rows, depth, tile_rows, tiles }
    }

    /// out (+)= the block times the panels of a tile, of `width` columns in all.
    fn multiply(
        &self,
        isa: Isa,
        out: Target<'_>,
        b: Steps<'_>,
        panel: usize,
        width: usize,
        carry: &mut Carry<'_>,
        fresh: bool,
    ) {
        let place = |rows: Range<usize>| Place {
            first: out.first + rows.start * out.stride + panel * PANEL,
            stride: out.stride,
            height: rows.len(),
            width,
        };
        for tile in parts(self.rows.clone(), self.tile_rows) {
            let row = tile.start - self.rows.start;
            let a = if self.tiles_of_a.is_empty() {
                self.a.from(row, 0)
            } else {
                Strided::columns_apart(&self.tiles_of_a[row * self.depth..], tile.len())
            };
            let next = place(tile.end..(tile.end + tile.len()).min(self.rows.end));
            if carry::spreads(isa, self.depth) {
                carry.expect(out.values, next);
            } else {
                tile::prefetch(out.values, next);
            }
            tile::tile(isa, out.values, place(tile), a, b, carry, fresh);
        }
    }
}
