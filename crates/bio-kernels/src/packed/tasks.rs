//! How rows and tiles are cut into tasks.

use std::ops::Range;

/// A row range of x and out, and the expert that it meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub expert: usize,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn rows(self) -> usize {
        self.end - self.start
    }
}

/// Spans that one task takes at most.
pub(super) const MOST_SPANS: usize = 3;
/// Rows up to which a span is bound by reading its weights, and from which on it leaves the memory time for others' (in integers).
const SMALL: usize = 14;
const LARGE: usize = 56;

/// Rows by some tiles: one span's, or with `bring_together` a large one's and some small ones', tile after tile in turns.
pub(super) struct Task {
    spans: [Span; MOST_SPANS],
    count: usize,
    pub tiles: Range<usize>,
}

impl Task {
    fn new(span: Span, tiles: Range<usize>) -> Self {
        Self { spans: [span; MOST_SPANS], count: 1, tiles }
    }

    pub fn spans(&self) -> &[Span] {
        &self.spans[..self.count]
    }
}

/// Cuts spans into tasks of at most `tallest` rows and some tiles.
pub(super) fn cut(spans: &[Span], tallest: usize, tiles: usize, work_per_row_tile: usize) -> Vec<Task> {
    // Below about 20 µs of work another thread costs more than it brings.
    const WORTH_A_TASK: usize = 1 << 20;
    let mut tasks = Vec::new();
    let total: usize = spans.iter().map(|span| span.rows() * tiles * work_per_row_tile).sum();
    let wanted = (total / WORTH_A_TASK).clamp(1, 4 * crate::pool::threads());
    for &span in spans.iter().filter(|span| span.start < span.end) {
        let rows = span.rows();
        let share = (rows * tiles * work_per_row_tile * wanted).div_ceil(total.max(1)).max(1);
        let row_blocks = rows.div_ceil(tallest);
        let height = rows.div_ceil(row_blocks);
        let columns = tiles.div_ceil(share.div_ceil(row_blocks).min(tiles));
        for start in (span.start..span.end).step_by(height) {
            for tile in (0..tiles).step_by(columns) {
                let part = Span { start, end: (start + height).min(span.end), ..span };
                tasks.push(Task::new(part, tile..(tile + columns).min(tiles)));
            }
        }
    }
    tasks
}

/// Lets large tasks take small ones along, as unevenly chosen experts have both: the weights of the small come while the large multiplies.
pub(super) fn bring_together(tasks: &mut Vec<Task>, tiles: usize) {
    let whole = |task: &Task| task.tiles == (0..tiles);
    let is_small = |task: &Task| whole(task) && task.spans[0].rows() <= SMALL;
    let mut small: Vec<Span> = tasks.iter().filter(|task| is_small(task)).map(|task| task.spans[0]).collect();
    tasks.retain(|task| !is_small(task));
    for task in tasks.iter_mut().filter(|task| whole(task) && task.spans[0].rows() >= LARGE) {
        while task.count < MOST_SPANS
            && let Some(span) = small.pop()
        {
            task.spans[task.count] = span;
            task.count += 1;
        }
    }
    tasks.extend(small.into_iter().rev().map(|span| Task::new(span, 0..tiles)));
}

/// Runs all tasks in one region.
pub(super) fn run(tasks: &[Task], body: &(dyn Fn(&Task) + Sync)) {
    crate::pool::run(tasks.len(), &|task| body(&tasks[task]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_meets_every_tile_once_whoever_takes_it_along() {
        let heights = [200, 3, 14, 0, 15, 60, 1, 1, 1, 1, 1, 9, 56, 97];
        let starts: Vec<usize> =
            heights.iter().scan(0, |sum, &height| Some(std::mem::replace(sum, *sum + height))).collect();
        let spans: Vec<Span> = (0..heights.len())
            .map(|expert| Span { expert, start: starts[expert], end: starts[expert] + heights[expert] })
            .collect();
        for tiles in [1, 5] {
            let mut tasks = cut(&spans, 96, tiles, 1 << 16);
            bring_together(&mut tasks, tiles);
            assert!(tasks.iter().any(|task| task.spans().len() == MOST_SPANS));
            let mut met = vec![0; heights.iter().sum::<usize>() * tiles];
            for (task, span) in
                tasks.iter().flat_map(|task| task.spans().iter().map(move |span| (task, span)))
            {
                let of_expert = spans[span.expert];
                assert!(of_expert.start <= span.start && span.end <= of_expert.end && span.rows() <= 96);
                for row in span.start..span.end {
                    task.tiles.clone().for_each(|tile| met[row * tiles + tile] += 1);
                }
            }
            assert!(met.iter().all(|&times| times == 1));
        }
    }
}
