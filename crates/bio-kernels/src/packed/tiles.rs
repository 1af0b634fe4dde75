//! Integer weights: what 4 and 8 bits have in common.
//!
//! Tiles of 16 weight rows stand as [expert][tile][step][16][4] bytes: a step is 64 bytes, four columns of 8 bits or eight of 4 bits, where
//! the low nibbles are the first four columns and the high nibbles the other four. Weights are stored unsigned, q = w/scale + ZERO, with
//! a scale per row and group of columns. Per group of columns, Σ w·a = Σ q·a − ZERO·Σ a is exact;
//! out = fma(f32(Σ w·a), scale_w·scale_a, out), groups in order.
//!
//! ```text
//! for each stretch of up to 96 rows of x and some tiles .. one task; rows given by index are brought together, as bytes, into the L2
//!   for each tile, or for some side by side .............. its bytes come from memory once, and stay in the L2
//!     for the stretch, and small ones that it takes along  their tiles are fetched while it multiplies (tasks.rs)
//!       Format::dots ..................................... rows×16 sums, in registers some rows at a time
//!       out = sums (+ bias)
//! ```

use std::marker::PhantomData;
use std::ops::RangeInclusive;

use super::activations::Quantized;
use super::tasks::{self, MOST_SPANS, Span, Task};
use super::{TILE, filled, store};
use crate::disjoint::Disjoint;
use crate::error::Result;
use crate::isa::Isa;

/// Bytes per step: four for each row.
pub(super) const STEP: usize = 4 * TILE;
/// Rows of x in one task at most: bytes of x are few, and each task reads its weights from memory.
pub(super) const TALLEST: usize = 96;

/// A way to hold weights as unsigned integers.
pub(super) trait Format: Sync {
    const BITS: usize;
    /// The stored integer that stands for 0.
    const ZERO: u8;
    /// Whether a tier reads x as pairs of 16 bits, and adds the products of its neighbours too much.
    fn pairs(isa: Isa) -> bool;

    /// Tiles that meet `rows` rows of x at once, 1 to 4.
    fn side_by_side(isa: Isa, rows: usize) -> usize;

    /// Integers of a row, one per column, and a scale per group of columns.
    fn quantize(integers: &mut [u8], scales: &mut [f32], weights: &[f32], group_size: usize) -> Result<()>;

    /// Whether a tier's `dots` asks for what is wanted soon.
    fn fetches_for_others(isa: Isa) -> bool;

    /// sums [tiles][rows][16] = the products of the tiles' rows with those of x, which are at most `TALLEST`; as many tiles as stand side by
    /// side. `soon` are weights that others want next.
    fn dots(isa: Isa, sums: &mut [[f32; TILE]], tiles: &[Tile<'_>], x: Quantized<'_>, soon: &[&[u8]]);
}

pub(super) struct Tiles<F> {
    values: Vec<u8>,
    /// [expert][tile][group][16]
    scales: Vec<f32>,
    /// −Σ w₀·w₁ over neighbours of a row as they are stored, [expert][tile], of 8 bits only (see `int8`).
    products: Vec<[i32; TILE]>,
    rows: usize,
    columns: usize,
    group_size: usize,
    format: PhantomData<F>,
}

/// One tile's weights.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    /// [step][16][4]
    pub values: &'a [u8],
    /// [group][16]
    pub scales: &'a [f32],
    /// −Σ w₀·w₁ over neighbours of each row, of 8 bits only.
    pub products: &'a [i32; TILE],
    pub group_size: usize,
}

impl<F: Format> Tiles<F> {
    pub fn zeros(experts: usize, rows: usize, columns: usize, group_size: usize) -> Result<Self> {
        let (tiles, groups) = (rows.div_ceil(TILE), columns / group_size);
        // Rows and columns that only fill up a tile stand for 0.
        let filling = (0..8 / F::BITS).fold(0, |byte, place| byte | F::ZERO << (4 * place));
        let (count, product) = match F::BITS {
            8 => (experts * tiles, 2 * Self::steps(columns) as i32 * i32::from(F::ZERO).pow(2)),
            _ => (0, 0),
        };
        Ok(Self {
            values: filled(filling, &[experts, tiles, Self::steps(columns), STEP])?,
            scales: filled(0.0, &[experts, tiles, groups, TILE])?,
            products: filled([-product; TILE], &[count])?,
            rows,
            columns,
            group_size,
            format: PhantomData,
        })
    }

    /// Row `row` of all experts' rows becomes `weights` [columns], quantized.
    pub fn set_row(&mut self, row: usize, weights: &[f32]) -> Result<()> {
        let (mut integers, mut scales) = (vec![0; self.columns], vec![0.0; self.columns / self.group_size]);
        F::quantize(&mut integers, &mut scales, weights, self.group_size)?;
        self.set_integers(row, &integers, &scales);
        Ok(())
    }

    /// Row `row` becomes scale·(integer − ZERO): an integer per column and a scale per group.
    pub fn set_integers(&mut self, row: usize, integers: &[u8], scales: &[f32]) {
        let (tile, lane) = self.place(row / self.rows, row % self.rows);
        for (group, scale) in scales.iter().enumerate() {
            self.scales[(tile * scales.len() + group) * TILE + lane] = *scale;
        }
        for (k, integer) in integers.iter().enumerate() {
            let (at, shift) = self.byte(tile, lane, k);
            self.values[at] = self.values[at] & !(Self::MASK << shift) | (integer << shift);
        }
        if let Some(products) = self.products.get_mut(tile) {
            let bytes = Self::steps(self.columns) * STEP;
            let row = self.values[tile * bytes..][..bytes]
                .chunks_exact(STEP)
                .flat_map(|step| step[4 * lane..][..4].chunks_exact(2));
            products[lane] = -row.map(|pair| i32::from(pair[0]) * i32::from(pair[1])).sum::<i32>();
        }
    }

    pub fn unpack(&self, out: &mut [f32], expert: usize) {
        let groups = self.columns / self.group_size;
        for (row, out) in out.chunks_exact_mut(self.columns).enumerate() {
            let (tile, lane) = self.place(expert, row);
            for (k, out) in out.iter_mut().enumerate() {
                let (at, shift) = self.byte(tile, lane, k);
                let integer = self.values[at] >> shift & Self::MASK;
                let scale = self.scales[(tile * groups + k / self.group_size) * TILE + lane];
                *out = f32::from(i16::from(integer) - i16::from(F::ZERO)) * scale;
            }
        }
    }

    /// out = x·Wᵀ (+ bias) for each span of rows and its expert; row r of x is row `index[r]` where there is an index.
    pub fn multiply(
        &self,
        isa: Isa,
        out: &mut [f32],
        x: &[f32],
        index: Option<&[i32]>,
        bias: Option<&[f32]>,
        spans: &[Span],
    ) {
        Quantized::with(isa, x, self.columns, self.group_size, F::ZERO, F::pairs(isa), |x| {
            let out = Disjoint::new(out);
            let bytes = Self::steps(self.columns) * STEP;
            let tiles = self.rows.div_ceil(TILE);
            let mut tasks = tasks::cut(spans, TALLEST, tiles, bytes);
            if F::fetches_for_others(isa) {
                tasks::bring_together(&mut tasks, tiles);
            }
            tasks::run(&tasks, &|task| {
                x.with_spans(task.spans(), index, |x, firsts| self.task(isa, &out, x, firsts, bias, task));
            });
        });
    }

    /// Some rows of each span, at most `TALLEST`, by some tiles.
    fn task(
        &self,
        isa: Isa,
        out: &Disjoint<'_, f32>,
        x: Quantized<'_>,
        firsts: [usize; MOST_SPANS],
        bias: Option<&[f32]>,
        task: &Task,
    ) {
        let (spans, tiles) = (task.spans(), task.tiles.clone());
        let step = if spans.len() > 1 { 2 } else { F::side_by_side(isa, spans[0].rows()) };
        let mut sums = [[0.0f32; TILE]; 2 * TALLEST];
        for first in tiles.clone().step_by(step) {
            let last = tiles.end.min(first + step) - 1;
            let soon: [&[u8]; MOST_SPANS - 1] = std::array::from_fn(|other| {
                spans.get(1 + other).map_or(&[][..], |span| self.bytes(span.expert, first..=last))
            });
            for (at, span) in spans.iter().enumerate() {
                let rows = span.rows();
                let weights: [Tile<'_>; 4] =
                    std::array::from_fn(|i| self.tile(span.expert, last.min(first + i)));
                let weights = &weights[..=last - first];
                let sums = &mut sums[..weights.len() * rows];
                let x = x.rows(firsts[at]..firsts[at] + rows);
                F::dots(isa, sums, weights, x, if at == 0 { &soon } else { &[] });
                for (tile, sums) in sums.chunks(rows).enumerate() {
                    store(out, self.rows, span.start, first + tile, sums, bias);
                }
            }
        }
    }

    pub fn group_size(&self) -> usize {
        self.group_size
    }

    const MASK: u8 = u8::MAX >> (8 - F::BITS);
    /// Columns per step.
    const COLUMNS: usize = 4 * (8 / F::BITS);

    fn steps(columns: usize) -> usize {
        columns.div_ceil(Self::COLUMNS)
    }

    /// The tile, counted over all experts, and the lane of a row.
    fn place(&self, expert: usize, row: usize) -> (usize, usize) {
        (expert * self.rows.div_ceil(TILE) + row / TILE, row % TILE)
    }

    /// The byte and the shift of column k.
    fn byte(&self, tile: usize, lane: usize, k: usize) -> (usize, usize) {
        let step = tile * Self::steps(self.columns) + k / Self::COLUMNS;
        (step * STEP + lane * 4 + k % 4, k % Self::COLUMNS / 4 * 4)
    }

    /// The values of some tiles.
    fn bytes(&self, expert: usize, tiles: RangeInclusive<usize>) -> &[u8] {
        let (first, _) = self.place(expert, tiles.start() * TILE);
        let bytes = Self::steps(self.columns) * STEP;
        &self.values[first * bytes..][..(tiles.end() - tiles.start() + 1) * bytes]
    }

    fn tile(&self, expert: usize, tile: usize) -> Tile<'_> {
        let (tile, _) = self.place(expert, tile * TILE);
        let (bytes, scales) = (Self::steps(self.columns) * STEP, self.columns / self.group_size * TILE);
        Tile {
            values: &self.values[tile * bytes..][..bytes],
            scales: &self.scales[tile * scales..][..scales],
            products: self.products.get(tile).unwrap_or(&[0; TILE]),
            group_size: self.group_size,
        }
    }
}
