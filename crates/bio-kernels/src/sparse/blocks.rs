//! The stored form: blocks of weight rows that share a column.

use std::ops::Range;

/// Columns per stretch. A product reads a stretch of 16 rows of x, 256 kB, many times over: it stays in the L2; of one row, 16 kB in the L1.
pub(super) const STRETCH: usize = 4096;

/// Row blocks that a product of one row of x takes side by side.
pub(super) const LANES: usize = 4;

/// Weights [rows, columns] as runs of blocks [height], a run for each stretch and row block.
pub(super) struct Blocks {
    pub height: usize,
    pub rows: usize,
    pub columns: usize,
    /// Where the runs begin, [stretches·row blocks + 1].
    starts: Vec<u32>,
    /// The column of each block within its stretch, ascending in a run.
    indices: Vec<u16>,
    /// [blocks, height]; rows that the matrix lacks are zeros.
    values: Vec<f32>,
    /// Blocks of all the row blocks before each, over all stretches, [row blocks + 1].
    before: Vec<u32>,
}

/// The blocks of one stretch and row block.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// Each below the number of columns of the stretch.
    pub indices: &'a [u16],
    /// [indices.len(), height]
    pub values: &'a [f32],
}

/// All the blocks of a stretch, run after run.
#[derive(Clone, Copy)]
pub(super) struct Stretch<'a> {
    /// Where the run of each row block begins, [row blocks + 1].
    pub starts: &'a [u32],
    pub indices: &'a [u16],
    pub values: &'a [f32],
}

impl Stretch<'_> {
    /// Some row blocks in `LANES` parts that hold about equally many blocks: where they begin, and the end.
    pub fn cuts(self, row_blocks: &Range<usize>) -> [usize; LANES + 1] {
        let (first, last) = (self.starts[row_blocks.start], self.starts[row_blocks.end]);
        std::array::from_fn(|lane| {
            let before = first as usize + (last - first) as usize * lane / LANES;
            let at = self.starts[row_blocks.clone()].partition_point(|&start| (start as usize) < before);
            if lane == LANES { row_blocks.end } else { row_blocks.start + at }
        })
    }
}

impl Run<'_> {
    pub const EMPTY: Self = Self { indices: &[], values: &[] };
}

impl Blocks {
    pub fn pack(weights: &[f32], height: usize, rows: usize, columns: usize) -> Self {
        let row_blocks = rows.div_ceil(height);
        let stored = count(weights, height, columns);
        let mut blocks = Self {
            height,
            rows,
            columns,
            starts: Vec::with_capacity(columns.div_ceil(STRETCH) * row_blocks + 1),
            indices: Vec::with_capacity(stored),
            values: Vec::with_capacity(stored * height),
            before: vec![0; row_blocks + 1],
        };
        crate::memory::prefer_huge_pages(&mut blocks.indices);
        crate::memory::prefer_huge_pages(&mut blocks.values);
        blocks.starts.push(0);
        for stretch in blocks.stretches() {
            for (row_block, weights) in weights.chunks(height * columns).enumerate() {
                for column in stretch.clone() {
                    let block = weights[column..].iter().step_by(columns);
                    if block.clone().any(|&weight| weight != 0.0) {
                        blocks.indices.push((column - stretch.start) as u16);
                        blocks.values.extend(block);
                        blocks.values.resize(blocks.indices.len() * height, 0.0);
                        blocks.before[row_block + 1] += 1;
                    }
                }
                blocks.starts.push(blocks.indices.len() as u32);
            }
        }
        for row_block in 0..row_blocks {
            blocks.before[row_block + 1] += blocks.before[row_block];
        }
        blocks
    }

    /// The columns of each stretch.
    pub fn stretches(&self) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
        let columns = self.columns;
        (0..columns.div_ceil(STRETCH)).map(move |at| at * STRETCH..((at + 1) * STRETCH).min(columns))
    }

    pub fn stretch(&self, stretch: usize) -> Stretch<'_> {
        let row_blocks = self.before.len() - 1;
        Stretch {
            starts: &self.starts[stretch * row_blocks..=(stretch + 1) * row_blocks],
            indices: &self.indices,
            values: &self.values,
        }
    }

    #[inline]
    pub fn run(&self, stretch: usize, row_block: usize) -> Run<'_> {
        let at = stretch * (self.before.len() - 1) + row_block;
        let blocks = self.starts[at] as usize..self.starts[at + 1] as usize;
        Run {
            indices: &self.indices[blocks.clone()],
            values: &self.values[blocks.start * self.height..blocks.end * self.height],
        }
    }

    /// The weight rows of some row blocks.
    pub fn rows_of(&self, row_blocks: &Range<usize>) -> Range<usize> {
        row_blocks.start * self.height..(row_blocks.end * self.height).min(self.rows)
    }

    /// Stored weights, zeros in the blocks included.
    pub fn weights(&self) -> usize {
        self.values.len()
    }

    pub fn bytes(&self) -> usize {
        4 * (self.starts.len() + self.before.len() + self.values.len()) + 2 * self.indices.len()
    }

    /// The row blocks in ranges that hold about equally many blocks, each range a task that begins at a multiple of `step`.
    pub fn tasks(&self, wanted: usize, step: usize) -> Vec<Range<usize>> {
        let (count, stored) = (self.before.len() - 1, self.indices.len());
        let wanted = wanted.clamp(1, count);
        let cut = |task: usize| {
            let before = stored * task / wanted;
            let at = self.before.partition_point(|&blocks| (blocks as usize) < before);
            if task == wanted { count } else { at.next_multiple_of(step).min(count) }
        };
        (0..wanted).map(|task| cut(task)..cut(task + 1)).filter(|task| !task.is_empty()).collect()
    }
}

/// Blocks of a height in which at least one weight is not zero.
pub(super) fn count(weights: &[f32], height: usize, columns: usize) -> usize {
    let mut used = vec![false; columns];
    let mut total = 0;
    for weights in weights.chunks(height * columns) {
        used.fill(false);
        for row in weights.chunks_exact(columns) {
            for (used, &weight) in used.iter_mut().zip(row) {
                *used |= weight != 0.0;
            }
        }
        total += used.iter().filter(|&&used| used).count();
    }
    total
}
