//! What pages are made of: f32, bf16 (as u16), or int8 with a scale per token and head.
//!
//! A head of a block of values is its tokens' rows [blockTokens, headDim]; in int8 four rows at a time, turned: [blockTokens / 4, headDim, 4],
//! so that a word's four products are of one sum. A head of keys is turned too: a word is four bytes of a token's row (one value of f32, two of
//! bf16, four of int8), and a head is [words of a row, blockTokens] of them, so that a register holds the same word of sixteen positions and
//! their scores need no additions across it. Keys of int8 are stored 128 higher, as unsigned bytes, so that queries may be the signed factors of
//! their products; queries know what that adds to a score. Where what a word takes doesn't divide blockTokens, or headDim, the last words are as much narrower.
//! Behind either lie in int8 the tokens' f32 scales, four bytes each, little-endian.

use std::cell::RefCell;
use std::ops::Range;
use std::thread::LocalKey;

use super::PageShape;
use super::ahead::{Ahead, STREAMS};
use super::tile::Scratch;
use crate::isa::Isa;

/// Rows of queries, values and sums are padded to a multiple of this.
pub const PADDING: usize = 16;
/// Positions whose exponentials share a maximum: their keys and values stay within L2, and a merge of spans costs little beside them.
pub const SPAN: usize = 256;

/// Positions that are scored side by side in one block: the words of a register.
pub const POSITIONS: usize = 16;

/// Values [words, width] of neighbouring positions in some blocks, the words of `POSITIONS_PER_WORD`.
pub type Blocks<'a, P> = [&'a [P]; STREAMS];

/// Turned keys of neighbouring positions in some blocks.
#[derive(Clone, Copy)]
pub struct Keys<'a, P> {
    /// From the first word of the first position to the last of the last.
    pub blocks: Blocks<'a, P>,
    /// Positions in each, POSITIONS at most.
    pub tokens: [usize; STREAMS],
    /// Words of a row, all of them whole.
    pub words: usize,
    /// Values from one word of a position to its next.
    pub stride: usize,
}

impl<P: PageValue> Keys<'_, P> {
    /// What kernels rely on: all words of `tokens` in each block, as long rows of queries, and a score for each pair.
    pub fn check(&self, scores: usize, rows: usize, width: usize) {
        for (block, tokens) in self.blocks.iter().zip(self.tokens) {
            assert!(tokens <= POSITIONS);
            assert!(
                tokens == 0
                    || block.len() >= self.words.saturating_sub(1) * self.stride + tokens * P::PER_WORD
            );
        }
        assert!(self.words * P::PER_WORD <= width);
        assert!(scores >= rows.saturating_sub(1) * SPAN + self.tokens.iter().sum::<usize>());
    }
}

/// A number format of keys and values. To add one: how a row is stored, and the five steps of a span (`floats.rs`, `int8.rs`).
pub trait PageValue: Copy + Default + Send + Sync + 'static {
    /// Values that the scale of a token and head takes: 0 where the format has none.
    const SCALE_VALUES: usize;
    /// Values of four bytes.
    const PER_WORD: usize = 4 / size_of::<Self>();
    /// Positions whose values of a dimension lie beside each other: 1 where values are rows.
    const POSITIONS_PER_WORD: usize;
    /// What rows are multiplied by: elements of a query, and weights.
    type Factor: Copy + Default + Send + Sync;
    /// What products are summed in.
    type Sum: Copy + Default + Send + Sync;

    /// Rounds one token's row; returns its scale, 1 where the format has none.
    fn round_row(isa: Isa, to: &mut [Self], row: &[f32]) -> f32;

    /// Makes of a rounded row what is stored of a key.
    fn raise_key(_row: &mut [Self]) {}

    /// Takes a query [headDim]·scale into `to` [width], zeros behind, in the order in which `score` wants it; returns the unit of its factors, and
    /// what its sums begin with.
    fn load_query(isa: Isa, to: &mut [Self::Factor], query: &[f32], scale: f32) -> (f32, Self::Sum);

    /// sums[r·SPAN + s] = begin[r] + ⟨q_r, k_s⟩, as they are stored, for q [rows, width] and the keys of some blocks: `sums` starts at the first of
    /// their positions.
    fn score(
        isa: Isa,
        sums: &mut [Self::Sum],
        queries_and_begin: (&[Self::Factor], &[Self::Sum]),
        keys: &Keys<'_, Self>,
        width: usize,
        ahead: &mut Ahead,
    );

    /// Turns the sums of as many rows as there are into weights w = exp(score − high), in the units of `factor`; anything behind those that a
    /// row sees.
    fn weigh(
        isa: Isa,
        weights: &mut [[Self::Factor; SPAN]],
        weighed: &mut [Weighed],
        scores: &[Option<Scores<'_, Self::Sum>>; TOGETHER],
        ahead: &mut Ahead,
    );

    /// sums[r] += Σ_s weights[r·SPAN + s]·v_s for sums [rows, width] of 1, 2 or 4 rows and the values of some blocks, from the first position of
    /// a word on.
    fn mix(
        isa: Isa,
        sums: &mut [Self::Sum],
        weights: &[Self::Factor],
        values: Blocks<'_, Self>,
        width: usize,
        ahead: &mut Ahead,
    );

    /// to [width] = sums·factor, in the order of `mix`.
    fn settle(isa: Isa, to: &mut [f32], sums: &[Self::Sum], factor: f32);

    /// Where a dimension lies in rows [width] of `mix`.
    fn place(_isa: Isa, _width: usize, dimension: usize) -> usize {
        dimension
    }

    /// The scales of some tokens; nothing where the format has none.
    fn read_scales(_to: &mut [f32], _head: &[Self], _tokens: Range<usize>, _shape: PageShape) {}

    /// Stores a token's scale, as `round_row` gave it; nothing where the format has none.
    fn write_scale(_head: &mut [Self], _token: usize, _scale: f32, _shape: PageShape) {}

    /// This thread's memory.
    fn scratch() -> &'static LocalKey<RefCell<Scratch<Self>>>;
}

/// What a row knows of a span before it is weighed.
#[derive(Clone, Copy)]
pub struct Scores<'a, S> {
    /// Of the first positions, as many as the row sees.
    pub sums: &'a [S; SPAN],
    pub seen: usize,
    /// Of the query's factors.
    pub unit: f32,
    /// Scales of keys and values by position, where the format has any.
    pub key_scales: &'a [f32; SPAN],
    pub value_scales: &'a [f32; SPAN],
}

/// Rows that are weighed side by side: what one waits for, its maximum and its sums across a register, the others hide.
pub const TOGETHER: usize = 4;

/// The largest score, Σ exp(score − high), and what the sums of values are to be multiplied by. Where all scores are −∞, so is `high`, and every weight is 0.
#[derive(Clone, Copy, Default)]
pub struct Weighed {
    pub high: f32,
    pub total: f32,
    pub factor: f32,
}

/// Cuts `rows` into groups of four, two and one, the sizes that the kernels have: calls `body` with the first row and the size of each.
#[inline(always)]
pub fn in_groups(rows: usize, mut body: impl FnMut(usize, usize)) {
    let mut r = 0;
    while r < rows {
        let count = match rows - r {
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        body(r, count);
        r += count;
    }
}

/// How many groups those are.
pub fn groups(rows: usize) -> usize {
    rows / 4 + (rows % 4).count_ones() as usize
}
