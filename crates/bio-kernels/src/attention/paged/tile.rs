//! One task of paged attention: some query tokens of one sequence against some key heads, span by span.

use std::array::from_fn;
use std::iter::repeat_n;
use std::ops::Range;

use super::ahead::{Ahead, STREAMS};
use super::pages::{
    Blocks, Keys, PADDING, POSITIONS, PageValue, SPAN, Scores, TOGETHER, Weighed, groups, in_groups,
};
use super::softmax::{merge, state_size};
use super::{PageShape, PagedQueries};
use crate::disjoint::Disjoint;
use crate::isa::Isa;
use crate::memory::prefetch;

/// Lines of each stream that are asked for with a row's exponentials: fewer than wait for memory at once.
const LINES_PER_ROW: usize = 8;

/// One thread's memory. Rows are those of the first key head, then of the next.
#[derive(Default)]
pub struct Scratch<P: PageValue> {
    /// [rows, width], and [rows]
    queries: Vec<P::Factor>,
    units: Vec<f32>,
    begin: Vec<P::Sum>,
    /// [rows, SPAN]
    scores: Vec<P::Sum>,
    weights: Vec<P::Factor>,
    /// [key heads, SPAN]
    key_scales: Vec<f32>,
    value_scales: Vec<f32>,
    /// [rows, width]
    sums: Vec<P::Sum>,
    weighed: Vec<Weighed>,
    pieces: Vec<Piece>,
    /// Positions of the span that the rows of a key head see.
    seen: Vec<usize>,
    /// Neighbouring rows of a key head that see as many positions of some pieces, and how many.
    alike: Vec<(Range<usize>, usize)>,
    ahead: Ahead,
    /// A piece of keys or values, padded.
    room: Vec<P>,
    /// [rows, state] of a span, and of the spans so far.
    span: Vec<f32>,
    states: Vec<f32>,
}

/// Neighbouring positions in one block, POSITIONS at most: `first` within the span, `tokens` within the block.
#[derive(Clone)]
struct Piece {
    block: usize,
    first: usize,
    tokens: Range<usize>,
}

/// Positions within the span of some pieces, from the first of a word of values on.
fn words_of<P: PageValue>(pieces: &[Piece]) -> Range<usize> {
    let (first, last) = (&pieces[0], &pieces[pieces.len() - 1]);
    first.first - first.first % P::POSITIONS_PER_WORD..last.first + last.tokens.len()
}

impl<P: PageValue> Scratch<P> {
    /// Room for one row.
    pub fn row(&mut self, head_dim: usize) -> &mut [P] {
        self.room.resize(self.room.len().max(head_dim), P::default());
        &mut self.room[..head_dim]
    }
}

/// Row r of a key head is head r % group of token r / group.
pub struct Tile<'a, P> {
    pub isa: Isa,
    pub q: &'a [f32],
    pub key_pages: &'a [P],
    pub value_pages: &'a [P],
    pub queries: &'a PagedQueries<'a>,
    pub shape: PageShape,
    /// Query heads of a key head.
    pub group: usize,
    pub tokens: Range<usize>,
    pub kv_heads: Range<usize>,
}

impl<P: PageValue> Tile<'_, P> {
    /// Rows of one key head.
    fn rows_per_head(&self) -> usize {
        self.tokens.len() * self.group
    }

    pub fn rows(&self) -> usize {
        self.rows_per_head() * self.kv_heads.len()
    }

    fn width(&self) -> usize {
        self.shape.head_dim.next_multiple_of(PADDING)
    }

    /// Positions that a token sees.
    fn seen(&self, token: usize) -> usize {
        self.queries.positions[token] as usize + 1
    }

    fn longest(&self) -> usize {
        self.tokens.clone().map(|token| self.seen(token)).max().unwrap_or(0)
    }

    /// Positions that each row of a key head sees.
    fn seen_by_rows(&self) -> impl Iterator<Item = usize> {
        self.tokens.clone().flat_map(|token| repeat_n(self.seen(token), self.group))
    }

    pub fn spans(&self) -> usize {
        self.longest().div_ceil(SPAN)
    }

    /// Where a token's query heads of a key head are, [group, headDim].
    fn heads_of(&self, token: usize, kv_head: usize) -> Range<usize> {
        let at = (token * self.queries.heads + kv_head * self.group) * self.shape.head_dim;
        at..at + self.group * self.shape.head_dim
    }

    pub fn attend_all(&self, out: &Disjoint<'_, f32>) {
        P::scratch().with_borrow_mut(|scratch| {
            let (mut states, mut of_span) =
                (std::mem::take(&mut scratch.states), std::mem::take(&mut scratch.span));
            self.load_queries(scratch);
            of_span.resize(self.rows() * state_size(self.width()), 0.0);
            self.begin(&mut states);
            for span in 0..self.spans() {
                self.attend(span, &mut of_span, scratch);
                self.merge(&mut states, &of_span, span);
            }
            self.finish(out, &mut states);
            (scratch.states, scratch.span) = (states, of_span);
        });
    }

    /// Some spans, the states [rows, state] of each where `states_of` says.
    pub fn attend_spans<'s>(&self, spans: Range<usize>, states_of: impl Fn(usize) -> &'s mut [f32]) {
        P::scratch().with_borrow_mut(|scratch| {
            self.load_queries(scratch);
            for span in spans {
                self.attend(span, states_of(span), scratch);
            }
        });
    }

    /// Adds up all spans, first to last.
    pub fn merge_spans<'s>(&self, out: &Disjoint<'_, f32>, states_of: impl Fn(usize) -> &'s [f32]) {
        P::scratch().with_borrow_mut(|Scratch { states, .. }| {
            self.begin(states);
            for span in 0..self.spans() {
                self.merge(states, states_of(span), span);
            }
            self.finish(out, states);
        });
    }

    fn load_queries(&self, Scratch { queries, units, begin, .. }: &mut Scratch<P>) {
        let (width, head_dim) = (self.width(), self.shape.head_dim);
        queries.resize(self.rows() * width, P::Factor::default());
        units.clear();
        begin.clear();
        let mut to = queries.chunks_exact_mut(width);
        for kv_head in self.kv_heads.clone() {
            for t in self.tokens.clone() {
                let rows = self.q[self.heads_of(t, kv_head)].chunks_exact(head_dim);
                for (query, to) in rows.zip(&mut to) {
                    let (unit, begins) = P::load_query(self.isa, to, query, self.queries.scale);
                    units.push(unit);
                    begin.push(begins);
                }
            }
        }
    }

    /// The states [rows, state] of one span.
    fn attend(&self, span: usize, states: &mut [f32], scratch: &mut Scratch<P>) {
        let (rows, width) = (self.rows(), self.width());
        let start = span * SPAN;
        let end = self.longest().min(start + SPAN);
        scratch.scores.resize(rows * SPAN, P::Sum::default());
        scratch.weights.resize(rows * SPAN, P::Factor::default());
        scratch.key_scales.resize(self.kv_heads.len() * SPAN, 0.0);
        scratch.value_scales.resize(self.kv_heads.len() * SPAN, 0.0);
        scratch.weighed.resize(rows, Weighed::default());
        let count = self.cut(&mut scratch.pieces, start..end);
        self.ask(scratch, count);
        self.score(scratch, count);
        self.read_value_scales(scratch, count);
        scratch.seen.clear();
        scratch.seen.extend(self.seen_by_rows().map(|seen| seen.saturating_sub(start).min(SPAN)));
        let lines = (LINES_PER_ROW * rows).min(scratch.ahead.left() / 2);
        scratch.ahead.phase(lines, rows);
        self.weigh(scratch);
        self.mix(scratch, count);
        let rows = scratch.sums.chunks_exact(width).zip(&scratch.weighed);
        for (state, (sums, weighed)) in states.chunks_exact_mut(state_size(width)).zip(rows) {
            let (mixed, of_row) = state.split_at_mut(width);
            P::settle(self.isa, mixed, sums, weighed.factor);
            (of_row[0], of_row[1]) = (weighed.high, weighed.total);
        }
    }

    fn weigh(&self, scratch: &mut Scratch<P>) {
        let Scratch { scores, weights, weighed, units, seen, key_scales, value_scales, ahead, .. } = scratch;
        let (scores, weights) = (scores.as_chunks().0, weights.as_chunks_mut().0);
        let (key_scales, value_scales) = (key_scales.as_chunks().0, value_scales.as_chunks().0);
        let heads = (0..self.kv_heads.len()).flat_map(|head| seen.iter().map(move |seen| (head, *seen)));
        let mut rows = scores.iter().zip(units).zip(heads).map(|((sums, unit), (head, seen))| {
            let (key_scales, value_scales) = (&key_scales[head], &value_scales[head]);
            Scores { sums, seen, unit: *unit, key_scales, value_scales }
        });
        for (weights, weighed) in weights.chunks_mut(TOGETHER).zip(weighed.chunks_mut(TOGETHER)) {
            P::weigh(self.isa, weights, weighed, &from_fn(|_| rows.next()), ahead);
        }
    }

    /// Cuts positions into pieces, and some of those behind them: returns how many belong to the span.
    fn cut(&self, pieces: &mut Vec<Piece>, span: Range<usize>) -> usize {
        let PageShape { block_tokens, .. } = self.shape;
        let table = self.queries.sequences[self.tokens.start] as usize * self.queries.max_blocks;
        let (mut position, mut count) = (span.start, 0);
        let longest = self.longest();
        pieces.clear();
        while position < longest && pieces.len() < count + STREAMS {
            let limit = if position < span.end { span.end } else { longest };
            let (entry, offset) = (position / block_tokens, position % block_tokens);
            let length = (block_tokens - offset).min(limit - position).min(POSITIONS);
            pieces.push(Piece {
                block: self.queries.block_tables[table + entry] as usize,
                first: position % SPAN,
                tokens: offset..offset + length,
            });
            position += length;
            if position <= span.end {
                count = pieces.len();
            }
        }
        count
    }

    fn score(&self, scratch: &mut Scratch<P>, count: usize) {
        let Scratch { queries, begin, scores, key_scales, pieces, ahead, room, .. } = scratch;
        let (width, rows) = (self.width(), self.rows_per_head());
        let of_span = &pieces[..count];
        let lines = ahead.left().saturating_sub(LINES_PER_ROW * self.rows()) / 2;
        ahead.phase(lines, self.calls(count));
        for pieces in of_span.chunks(STREAMS) {
            for (head, kv_head) in self.kv_heads.clone().enumerate() {
                let keys = self.keys_of(pieces, kv_head, room);
                let first = pieces[0].first;
                let sums = &mut scores[head * rows * SPAN + first..];
                let queries = (&queries[head * rows * width..][..rows * width], &begin[head * rows..]);
                P::score(self.isa, sums, queries, &keys, width, ahead);
                if P::SCALE_VALUES > 0 {
                    for piece in pieces {
                        let page = self.shape.head(self.key_pages, piece.block, kv_head);
                        let scales = &mut key_scales[head * SPAN + piece.first..];
                        P::read_scales(scales, page, piece.tokens.clone(), self.shape);
                        // Those of the values are read next.
                        let page = self.shape.head(self.value_pages, piece.block, kv_head);
                        prefetch(&raw const page[self.shape.block_tokens * self.shape.head_dim]);
                        prefetch(&raw const page[page.len() - 1]);
                    }
                }
            }
        }
    }

    fn read_value_scales(&self, scratch: &mut Scratch<P>, count: usize) {
        if P::SCALE_VALUES > 0 {
            for piece in &scratch.pieces[..count] {
                for (head, kv_head) in self.kv_heads.clone().enumerate() {
                    let page = self.shape.head(self.value_pages, piece.block, kv_head);
                    let scales = &mut scratch.value_scales[head * SPAN + piece.first..];
                    P::read_scales(scales, page, piece.tokens.clone(), self.shape);
                }
            }
        }
    }

    /// Weighs the values of a span.
    fn mix(&self, scratch: &mut Scratch<P>, count: usize) {
        let Scratch { weights, sums, pieces, seen, alike, ahead, room, .. } = scratch;
        let (width, rows) = (self.width(), self.rows_per_head());
        sums.clear();
        sums.resize(self.rows() * width, P::Sum::default());
        ahead.phase(ahead.left(), self.calls(count));
        for pieces in pieces[..count].chunks(STREAMS) {
            let range = words_of::<P>(pieces);
            let sees = |row: usize| seen[row].clamp(range.start, range.end) - range.start;
            // As many rows as registers serve, while they see as much of the pieces.
            alike.clear();
            let mut first = 0;
            while first < rows {
                let others = (first + 1..rows.min(first + 4)).take_while(|row| sees(*row) == sees(first));
                let count = 1 + others.count();
                alike.push((first..first + count, sees(first)));
                first += count;
            }
            for (head, kv_head) in self.kv_heads.clone().enumerate() {
                let values = self.values_of(pieces, kv_head, room);
                for (of_head, sees) in &*alike {
                    let mut left = sees.next_multiple_of(P::POSITIONS_PER_WORD) * width;
                    let values = values.map(|values| {
                        let (values, _) = values.split_at(left.min(values.len()));
                        left -= values.len();
                        values
                    });
                    in_groups(of_head.len(), |r, group| {
                        let row = head * rows + of_head.start + r;
                        P::mix(
                            self.isa,
                            &mut sums[row * width..(row + group) * width],
                            &weights[row * SPAN + range.start..],
                            values,
                            width,
                            ahead,
                        );
                    });
                }
            }
        }
    }

    /// Keys of some pieces: as they lie, or in `room` where the last word is not whole there.
    fn keys_of<'p>(&'p self, pieces: &[Piece], kv_head: usize, room: &'p mut Vec<P>) -> Keys<'p, P> {
        let PageShape { head_dim, block_tokens, .. } = self.shape;
        let (per_word, words) = (P::PER_WORD, head_dim.div_ceil(P::PER_WORD));
        let tokens = from_fn(|i| pieces.get(i).map_or(0, |piece| piece.tokens.len()));
        let head =
            |piece: &Piece| &self.shape.head(self.key_pages, piece.block, kv_head)[..block_tokens * head_dim];
        if head_dim.is_multiple_of(per_word) {
            let blocks = from_fn(|i| {
                pieces.get(i).map_or(&[][..], |piece| &head(piece)[piece.tokens.start * per_word..])
            });
            return Keys { blocks, tokens, words, stride: block_tokens * per_word };
        }
        let stride = POSITIONS * per_word;
        room.clear();
        room.resize(pieces.len() * words * stride, P::default());
        for (piece, to) in pieces.iter().zip(room.chunks_exact_mut(words * stride)) {
            let words = head(piece).chunks(block_tokens * per_word).zip(to.chunks_exact_mut(stride));
            for (from, to) in words {
                let width = from.len() / block_tokens;
                let from = from.chunks_exact(width).skip(piece.tokens.start).take(piece.tokens.len());
                for (from, to) in from.zip(to.chunks_exact_mut(per_word)) {
                    to[..width].copy_from_slice(from);
                }
            }
        }
        let blocks = from_fn(|i| room.get(i * words * stride..(i + 1) * words * stride).unwrap_or(&[]));
        Keys { blocks, tokens, words, stride }
    }

    /// Values of some pieces, from the first position of a word on: as they lie, or in `room`, zeros beside them, where headDim is not width or a
    /// block's last word not whole.
    fn values_of<'p>(&'p self, pieces: &[Piece], kv_head: usize, room: &'p mut Vec<P>) -> Blocks<'p, P> {
        let (PageShape { head_dim, block_tokens, .. }, width) = (self.shape, self.width());
        let per_word = P::POSITIONS_PER_WORD;
        let head = |piece: &Piece| self.shape.head(self.value_pages, piece.block, kv_head);
        if head_dim == width && block_tokens.is_multiple_of(per_word) {
            // Pieces begin with a word, as blocks and spans do. What is behind the last position has no weight.
            let words = |piece: &Piece| {
                &head(piece)[piece.tokens.start * width..piece.tokens.end.next_multiple_of(per_word) * width]
            };
            return from_fn(|i| pieces.get(i).map_or(&[][..], words));
        }
        let range = words_of::<P>(pieces);
        room.clear();
        room.resize(range.len().next_multiple_of(per_word) * width, P::default());
        for piece in pieces {
            for (token, position) in piece.tokens.clone().zip(piece.first - range.start..) {
                let (first, step) = self.shape.values_of::<P>(token);
                let from = head(piece)[first..].iter().step_by(step).take(head_dim);
                let within = position % per_word;
                let to = room[(position - within) * width + within..].iter_mut().step_by(per_word);
                to.zip(from).for_each(|(to, value)| *to = *value);
            }
        }
        from_fn(|i| if i == 0 { &room[..] } else { &[] })
    }

    /// Calls of kernels that score `count` pieces, or weigh them.
    fn calls(&self, count: usize) -> usize {
        count.div_ceil(STREAMS) * self.kv_heads.len() * groups(self.rows_per_head())
    }

    /// What is to be asked for with a span of `count` pieces: its keys but the first, which are read at once, its values, and the first keys of
    /// the next span.
    fn ask(&self, Scratch { pieces, ahead, .. }: &mut Scratch<P>, count: usize) {
        let (of_span, behind) = pieces.split_at(count);
        ahead.clear();
        for pieces in of_span.chunks(STREAMS).skip(1) {
            ahead.push(self.streams(self.key_pages, pieces));
        }
        for pieces in of_span.chunks(STREAMS) {
            ahead.push(self.streams(self.value_pages, pieces));
        }
        ahead.push(self.streams(self.key_pages, behind));
    }

    /// The key heads of this task in some blocks: of each, as large a share of all its bytes as the piece is of its tokens. Turned keys of a
    /// piece lie in all of them.
    fn streams<'p>(&self, pages: &'p [P], pieces: &[Piece]) -> [&'p [P]; STREAMS] {
        let bytes = |piece: &Piece| {
            let start = self.shape.head_range::<P>(piece.block, self.kv_heads.start).start;
            let end = self.shape.head_range::<P>(piece.block, self.kv_heads.end - 1).end;
            let share = (end - start) / self.shape.block_tokens;
            &pages[start + piece.tokens.start * share..start + piece.tokens.end * share]
        };
        from_fn(|i| pieces.get(i).map_or(&[][..], bytes))
    }

    /// The states of no positions.
    fn begin(&self, states: &mut Vec<f32>) {
        let size = state_size(self.width());
        states.clear();
        states.resize(self.rows() * size, 0.0);
        for state in states.chunks_exact_mut(size) {
            state[size - 2] = f32::NEG_INFINITY;
        }
    }

    /// Adds a span to the rows that see it.
    fn merge(&self, states: &mut [f32], of_span: &[f32], span: usize) {
        let size = state_size(self.width());
        let rows = states.chunks_exact_mut(size).zip(of_span.chunks_exact(size));
        let seen = self.kv_heads.clone().flat_map(|_| self.seen_by_rows());
        for ((state, of_span), seen) in rows.zip(seen) {
            if seen > span * SPAN {
                merge(self.isa, state, of_span);
            }
        }
    }

    fn finish(&self, out: &Disjoint<'_, f32>, states: &mut [f32]) {
        let (head_dim, width) = (self.shape.head_dim, self.width());
        let mut states = states.chunks_exact_mut(state_size(width));
        for kv_head in self.kv_heads.clone() {
            for t in self.tokens.clone() {
                // SAFETY: each token and key head belongs to one task.
                let out = unsafe { out.part(self.heads_of(t, kv_head)) };
                for (out, state) in out.chunks_exact_mut(head_dim).zip(&mut states) {
                    let (mixed, of_row) = state.split_at_mut(width);
                    for mixed in &mut *mixed {
                        *mixed /= of_row[1];
                    }
                    for (dimension, out) in out.iter_mut().enumerate() {
                        *out = mixed[P::place(self.isa, width, dimension)];
                    }
                }
            }
        }
    }
}
