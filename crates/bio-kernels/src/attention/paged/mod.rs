//! Causal attention of single query tokens over paged keys and values, in f32, bf16 or int8.
//!
//! Positions are taken in spans of 256 and in order, whatever page holds them, however the prompt was cut into chunks and whoever else is
//! in the batch: so a query has the same bits everywhere.

mod ahead;
mod pages;
mod span;

use std::cell::RefCell;
use std::ops::Range;

use self::ahead::Ahead;
use self::span::{PADDING, SPAN, merge, mix, scale_by, scale_queries, score, state_size, weigh};
use super::check_heads;
use crate::disjoint::Disjoint;
use crate::error::{KernelError, Result, check_indices, check_len, checked_product};
use crate::isa::{self, Isa};

pub use self::pages::PageValue;

/// Pages are [blocks, kvHeads, blockTokens, headDim]; in int8 each head of a block ends with the scales of its tokens.
#[derive(Clone, Copy, Debug)]
pub struct PageShape {
    pub kv_heads: usize,
    pub head_dim: usize,
    pub block_tokens: usize,
}

impl PageShape {
    /// Values of a block, all heads.
    fn block_values<P: PageValue>(&self, operation: &'static str) -> Result<usize> {
        let row = self.head_dim.saturating_add(P::SCALE_VALUES);
        let size = checked_product(operation, &[self.kv_heads, row, self.block_tokens])?;
        if size > 0 && self.head_dim > 0 {
            return Ok(size);
        }
        Err(KernelError {
            code: "ERR_BIO_SHAPE",
            operation,
            expected: "pages with heads, dimensions and tokens".into(),
            received: format!("{self:?}"),
        })
    }

    /// Where a head of a block is.
    fn head_range<P: PageValue>(&self, block: usize, head: usize) -> Range<usize> {
        let size = self.block_tokens * (self.head_dim + P::SCALE_VALUES);
        let start = (block * self.kv_heads + head) * size;
        start..start + size
    }

    fn head<'a, P: PageValue>(&self, pages: &'a [P], block: usize, head: usize) -> &'a [P] {
        &pages[self.head_range::<P>(block, head)]
    }
}

/// Stores rows [tokens, kvHeads, headDim] in their slots, slot = block·blockTokens + offset, in the pages' number format.
pub fn paged_write<P: PageValue>(
    pages: &mut [P],
    rows: &[f32],
    slots: &[i32],
    shape: PageShape,
) -> Result<()> {
    let block_values = shape.block_values::<P>("paged_write")?;
    let width = shape.kv_heads * shape.head_dim;
    check_len("paged_write", "rows", rows.len(), checked_product("paged_write", &[slots.len(), width])?)?;
    check_indices("paged_write", "slots", slots, pages.len() / block_values * shape.block_tokens)?;
    let isa = isa::current();
    for (row, &slot) in rows.chunks_exact(width).zip(slots) {
        let (block, offset) = (slot as usize / shape.block_tokens, slot as usize % shape.block_tokens);
        for (head, values) in row.chunks_exact(shape.head_dim).enumerate() {
            P::store(isa, &mut pages[shape.head_range::<P>(block, head)], offset, values, shape);
        }
    }
    Ok(())
}

/// Query token t belongs to row `sequences[t]` of the block tables and sees positions 0 to `positions[t]`.
#[derive(Clone, Copy, Debug)]
pub struct PagedQueries<'a> {
    pub heads: usize,
    pub sequences: &'a [i32],
    pub positions: &'a [i32],
    /// [sequences, maxBlocks]
    pub block_tables: &'a [i32],
    pub max_blocks: usize,
    pub scale: f32,
}

/// Rows of queries that share a pass over keys, if one token's group is not larger: their scores stay in L1.
const ROWS: usize = 64;
/// Positions that are read together: rows of f32 that stay in L1.
const PIECE: usize = 32;
/// With fewer tasks per thread than this, spans become tasks of their own.
const TASKS_PER_THREAD: usize = 4;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
    static CALL: RefCell<Call> = RefCell::new(Call::default());
}

/// One task's memory.
#[derive(Default)]
struct Scratch {
    /// [rows, width], scaled and padded.
    queries: Vec<f32>,
    /// [rows, SPAN]
    scores: Vec<f32>,
    /// A piece of keys or values, [PIECE, width].
    piece: Vec<f32>,
    scales: [f32; PIECE],
    /// [rows, state] of a span, and of the spans so far.
    span: Vec<f32>,
    states: Vec<f32>,
}

/// One call's memory.
#[derive(Default)]
struct Call {
    tiles: Vec<Range<usize>>,
    /// Where spans are tasks: [tiles, kvHeads, spans, rows, state].
    states: Vec<f32>,
}

/// out, q [tokens, heads, headDim].
///
/// ```text
/// tile of query tokens of one sequence × key head            a task, or, where those are few,
///   span of 256 positions                                     each span a task of its own
///     piece of keys, 32 at most (one block)                   scores of 4 rows × 2 keys in registers
///     exponentials of the span
///     piece of values                                         4 rows × 16 dimensions in registers
///   merge the span into those before it, first to last
/// ```
///
/// The next piece is fetched while one is computed: pages lie anywhere, so the hardware can't foresee it. Dao et al. 2022, with spans of
/// fixed length, since a row's sums may depend on its own positions alone.
pub fn paged_attention<P: PageValue>(
    out: &mut [f32],
    q: &[f32],
    key_pages: &[P],
    value_pages: &[P],
    queries: PagedQueries<'_>,
    shape: PageShape,
) -> Result<()> {
    check(out, q, key_pages, value_pages, &queries, &shape)?;
    let isa = isa::current();
    let group = queries.heads / shape.kv_heads;
    let size = state_size(shape.head_dim.next_multiple_of(PADDING));
    let out = Disjoint::new(out);
    CALL.with_borrow_mut(|Call { tiles, states }| {
        let longest_tile = (ROWS / group).max(1);
        cut_tiles(tiles, queries.sequences, longest_tile);
        let tile = |task: usize| Tile {
            isa,
            q,
            key_pages,
            value_pages,
            queries: &queries,
            shape,
            tokens: tiles[task / shape.kv_heads].clone(),
            kv_head: task % shape.kv_heads,
        };
        let tasks = tiles.len() * shape.kv_heads;
        let spans = queries.positions.iter().map(|&position| position as usize / SPAN + 1).max().unwrap_or(0);
        if spans <= 1 || tasks >= TASKS_PER_THREAD * crate::pool::threads() {
            crate::pool::run(tasks, &|task| tile(task).attend_all(&out));
            return;
        }
        let rows = longest_tile.min(queries.positions.len()) * group;
        states.resize(tasks * spans * rows * size, 0.0);
        let shared = Disjoint::new(states);
        let of_span = |task: usize, span: usize, rows_of: usize| {
            let start = (task * spans + span) * rows * size;
            start..start + rows_of * size
        };
        crate::pool::run(tasks * spans, &|index| {
            let (task, span) = (index / spans, index % spans);
            let tile = tile(task);
            if span < tile.spans() {
                // SAFETY: each span of each tile has its own part.
                let states = unsafe { shared.part(of_span(task, span, tile.rows())) };
                SCRATCH.with_borrow_mut(|scratch| {
                    tile.load_queries(&mut scratch.queries);
                    tile.attend(span, states, scratch);
                });
            }
        });
        crate::pool::run(tasks, &|task| {
            let tile = tile(task);
            SCRATCH.with_borrow_mut(|scratch| {
                tile.begin(&mut scratch.states);
                for span in 0..tile.spans() {
                    // SAFETY: written in the region before; no other task has this tile now.
                    let of_span = unsafe { shared.part(of_span(task, span, tile.rows())) };
                    tile.merge(&mut scratch.states, of_span, span);
                }
                tile.finish(&out, &scratch.states);
            });
        });
    });
    Ok(())
}

/// Runs of neighbouring query tokens of one sequence, `longest` at most.
fn cut_tiles(tiles: &mut Vec<Range<usize>>, sequences: &[i32], longest: usize) {
    tiles.clear();
    for (t, sequence) in sequences.iter().enumerate() {
        match tiles.last_mut() {
            Some(tile) if sequences[tile.start] == *sequence && tile.len() < longest => tile.end = t + 1,
            _ => tiles.push(t..t + 1),
        }
    }
}

/// Some query tokens of one sequence against one key head. Row r is head r % group of token r / group.
struct Tile<'a, P> {
    isa: Isa,
    q: &'a [f32],
    key_pages: &'a [P],
    value_pages: &'a [P],
    queries: &'a PagedQueries<'a>,
    shape: PageShape,
    tokens: Range<usize>,
    kv_head: usize,
}

/// Neighbouring positions in one block: `first` within the span, `tokens` within the block.
struct Piece {
    block: usize,
    first: usize,
    tokens: Range<usize>,
}

impl<P: PageValue> Tile<'_, P> {
    fn group(&self) -> usize {
        self.queries.heads / self.shape.kv_heads
    }

    fn rows(&self) -> usize {
        self.tokens.len() * self.group()
    }

    fn width(&self) -> usize {
        self.shape.head_dim.next_multiple_of(PADDING)
    }

    /// Positions that a row sees.
    fn seen(&self, row: usize) -> usize {
        self.queries.positions[self.tokens.start + row / self.group()] as usize + 1
    }

    fn longest(&self) -> usize {
        self.tokens.clone().map(|t| self.queries.positions[t] as usize + 1).max().unwrap_or(0)
    }

    fn spans(&self) -> usize {
        self.longest().div_ceil(SPAN)
    }

    /// Where a token's query heads are, [group, headDim].
    fn heads_of(&self, token: usize) -> Range<usize> {
        let at = (token * self.queries.heads + self.kv_head * self.group()) * self.shape.head_dim;
        at..at + self.group() * self.shape.head_dim
    }

    /// The piece that starts at a position, up to `end`.
    fn piece(&self, position: usize, end: usize) -> Piece {
        let PageShape { block_tokens, .. } = self.shape;
        let (entry, offset) = (position / block_tokens, position % block_tokens);
        let table = self.queries.sequences[self.tokens.start] as usize * self.queries.max_blocks;
        let length = PIECE.min(block_tokens - offset).min(end - position);
        Piece {
            block: self.queries.block_tables[table + entry] as usize,
            first: position % SPAN,
            tokens: offset..offset + length,
        }
    }

    fn attend_all(&self, out: &Disjoint<'_, f32>) {
        SCRATCH.with_borrow_mut(|scratch| {
            self.load_queries(&mut scratch.queries);
            let (mut states, mut of_span) =
                (std::mem::take(&mut scratch.states), std::mem::take(&mut scratch.span));
            of_span.resize(self.rows() * state_size(self.width()), 0.0);
            self.begin(&mut states);
            for span in 0..self.spans() {
                self.attend(span, &mut of_span, scratch);
                self.merge(&mut states, &of_span, span);
            }
            self.finish(out, &states);
            (scratch.states, scratch.span) = (states, of_span);
        });
    }

    fn load_queries(&self, to: &mut Vec<f32>) {
        let PageShape { head_dim, .. } = self.shape;
        to.resize(self.rows() * self.width(), 0.0);
        for (to, t) in to.chunks_exact_mut(self.group() * self.width()).zip(self.tokens.clone()) {
            scale_queries(
                self.isa,
                to,
                &self.q[self.heads_of(t)],
                head_dim,
                self.width(),
                self.queries.scale,
            );
        }
    }

    /// The states [rows, state] of one span.
    fn attend(&self, span: usize, states: &mut [f32], scratch: &mut Scratch) {
        let (width, rows, size) = (self.width(), self.rows(), state_size(self.width()));
        let Scratch { queries, scores, piece: room, scales, .. } = scratch;
        let start = span * SPAN;
        let end = self.longest().min(start + SPAN);
        scores.resize(rows * SPAN, 0.0);
        room.resize(PIECE * width, 0.0);
        self.each_piece(self.key_pages, start..end, |piece, head, ahead| {
            let keys = P::rows(self.isa, head, piece.tokens.clone(), self.shape.head_dim, width, room);
            score(self.isa, &mut scores[piece.first..], queries, keys, width, ahead);
            self.scale_scores(scores, scales, head, &piece);
        });
        let seen = |row: usize| self.seen(row).saturating_sub(start).min(SPAN);
        for (r, (row, state)) in scores.chunks_exact_mut(SPAN).zip(states.chunks_exact_mut(size)).enumerate()
        {
            state.fill(0.0);
            (state[width], state[width + 1]) = weigh(self.isa, &mut row[..seen(r)]);
        }
        self.each_piece(self.value_pages, start..end, |piece, head, ahead| {
            self.scale_scores(scores, scales, head, &piece);
            let values = P::rows(self.isa, head, piece.tokens.clone(), self.shape.head_dim, width, room);
            let of_piece = |row: usize| seen(row).saturating_sub(piece.first).min(piece.tokens.len());
            let mut r = 0;
            while r < rows {
                // As many rows as registers serve, while they see as much of the piece.
                let alike = |count: usize| {
                    r + count <= rows && (r..r + count).all(|row| of_piece(row) == of_piece(r))
                };
                let count = if alike(4) {
                    4
                } else if alike(2) {
                    2
                } else {
                    1
                };
                let weights = &scores[r * SPAN + piece.first..];
                mix(
                    self.isa,
                    &mut states[r * size..],
                    weights,
                    &values[..of_piece(r) * width],
                    width,
                    count,
                    ahead,
                );
                r += count;
            }
        });
    }

    /// Runs `body` on each piece, with its head of a block and what comes after it.
    fn each_piece(
        &self,
        pages: &[P],
        positions: Range<usize>,
        mut body: impl FnMut(Piece, &[P], &mut Ahead<'_>),
    ) {
        let mut position = positions.start;
        while position < positions.end {
            let piece = self.piece(position, positions.end);
            position += piece.tokens.len();
            let next = if position < positions.end {
                self.rows_of(pages, &self.piece(position, positions.end))
            } else {
                &[]
            };
            let head = self.shape.head(pages, piece.block, self.kv_head);
            body(piece, head, &mut Ahead::new(next));
        }
    }

    /// The rows of a piece, and the scales if they are next to them.
    fn rows_of<'p>(&self, pages: &'p [P], piece: &Piece) -> &'p [P] {
        let PageShape { head_dim, block_tokens, .. } = self.shape;
        let head = self.shape.head(pages, piece.block, self.kv_head);
        let end = if piece.tokens.end == block_tokens { head.len() } else { piece.tokens.end * head_dim };
        &head[piece.tokens.start * head_dim..end]
    }

    /// Scores, or weights, of a piece times its tokens' scales, where the format has any.
    fn scale_scores(&self, scores: &mut [f32], scales: &mut [f32; PIECE], head: &[P], piece: &Piece) {
        if P::SCALE_VALUES == 0 {
            return;
        }
        let scales = &mut scales[..piece.tokens.len()];
        for (scale, token) in scales.iter_mut().zip(piece.tokens.clone()) {
            *scale = P::scale(head, token, self.shape);
        }
        for row in scores.chunks_exact_mut(SPAN) {
            scale_by(self.isa, &mut row[piece.first..], scales);
        }
    }

    /// The states of no positions.
    fn begin(&self, states: &mut Vec<f32>) {
        let width = self.width();
        states.clear();
        states.resize(self.rows() * state_size(width), 0.0);
        for state in states.chunks_exact_mut(state_size(width)) {
            state[width] = f32::NEG_INFINITY;
        }
    }

    /// Adds a span to the rows that see it.
    fn merge(&self, states: &mut [f32], of_span: &[f32], span: usize) {
        let size = state_size(self.width());
        let rows = states.chunks_exact_mut(size).zip(of_span.chunks_exact(size)).enumerate();
        for (_, (state, of_span)) in rows.filter(|(r, _)| self.seen(*r) > span * SPAN) {
            merge(self.isa, state, of_span);
        }
    }

    fn finish(&self, out: &Disjoint<'_, f32>, states: &[f32]) {
        let PageShape { head_dim, .. } = self.shape;
        let size = state_size(self.width());
        for (states, t) in states.chunks_exact(self.group() * size).zip(self.tokens.clone()) {
            // SAFETY: each token and key head belongs to one task.
            let out = unsafe { out.part(self.heads_of(t)) };
            for (out, state) in out.chunks_exact_mut(head_dim).zip(states.chunks_exact(size)) {
                for (out, mixed) in out.iter_mut().zip(state) {
                    *out = *mixed / state[size - 1];
                }
            }
        }
    }
}

fn check<P: PageValue>(
    out: &[f32],
    q: &[f32],
    key_pages: &[P],
    value_pages: &[P],
    queries: &PagedQueries<'_>,
    shape: &PageShape,
) -> Result<()> {
    const OPERATION: &str = "paged_attention";
    let block_values = shape.block_values::<P>(OPERATION)?;
    check_heads(OPERATION, queries.heads, shape.kv_heads)?;
    let tokens = queries.positions.len();
    let size = checked_product(OPERATION, &[tokens, queries.heads, shape.head_dim])?;
    check_len(OPERATION, "out", out.len(), size)?;
    check_len(OPERATION, "q", q.len(), size)?;
    check_len(OPERATION, "sequences", queries.sequences.len(), tokens)?;
    check_len(OPERATION, "value_pages", value_pages.len(), key_pages.len())?;
    let tables = queries.block_tables.len() / queries.max_blocks.max(1);
    check_indices(OPERATION, "sequences", queries.sequences, tables)?;
    let limit = checked_product(OPERATION, &[queries.max_blocks, shape.block_tokens])?;
    check_indices(OPERATION, "positions", queries.positions, limit)?;
    for (&sequence, &position) in queries.sequences.iter().zip(queries.positions) {
        let used = position as usize / shape.block_tokens + 1;
        let table = &queries.block_tables[sequence as usize * queries.max_blocks..][..used];
        check_indices(OPERATION, "block_tables", table, key_pages.len() / block_values)?;
    }
    Ok(())
}
