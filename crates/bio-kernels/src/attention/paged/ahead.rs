//! Memory that is asked for before its turn: blocks lie anywhere, so the hardware can't foresee the next one.

/// Blocks that are computed, and fetched, side by side: memory answers several streams faster than one (NOTES.md).
pub const STREAMS: usize = 4;
const LINE: usize = 64;
/// Lines are counted in fractions, so that they are spread evenly over however many computations there are.
const ONE: usize = 1 << 20;

/// What a span and the beginning of the next will read, in that order, asked for a line of each stream at a time between computations: so lines
/// never fill the queue of loads, and memory has work while exponentials are taken. It costs as many instructions as the computations leave
/// time for: what lies behind the shorter one of some blocks is asked for in vain.
#[derive(Default)]
pub struct Ahead {
    queue: Vec<Streams>,
    /// Of the queue.
    next: usize,
    /// What is asked for now, and bytes of each stream that were.
    now: Streams,
    done: usize,
    /// Lines of each stream that no phase has.
    lines: usize,
    /// Calls that this phase has left, what falls to one of them and to one of its `parts`, and what is due.
    calls: usize,
    per_call: usize,
    parts: usize,
    per_part: usize,
    due: usize,
}

/// Some blocks: where each begins, and how many bytes of each there are.
#[derive(Clone, Copy)]
struct Streams {
    blocks: [*const u8; STREAMS],
    bytes: usize,
}

impl Default for Streams {
    fn default() -> Self {
        Self { blocks: [std::ptr::null(); STREAMS], bytes: 0 }
    }
}

impl Ahead {
    pub fn clear(&mut self) {
        let queue = std::mem::take(&mut self.queue);
        *self = Self { queue, ..Self::default() };
        self.queue.clear();
    }

    pub fn push<P: Copy>(&mut self, blocks: [&[P]; STREAMS]) {
        let bytes = blocks.iter().map(|block| size_of_val(*block)).max().unwrap_or(0);
        // Where there is no block: the first once more.
        let blocks = blocks.map(|block| if block.is_empty() { blocks[0] } else { block }.as_ptr().cast());
        self.lines += bytes.div_ceil(LINE);
        self.queue.push(Streams { blocks, bytes });
    }

    /// Lines of each stream that no phase had.
    pub fn left(&self) -> usize {
        self.lines
    }

    /// The next `calls` of kernels are to ask for so many lines of each stream.
    pub fn phase(&mut self, lines: usize, calls: usize) {
        self.lines = self.lines.saturating_sub(lines);
        (self.calls, self.per_call, self.parts) = (calls, lines * ONE / calls.max(1), 0);
    }

    /// A call's share is to be asked for in `parts`.
    #[inline(always)]
    pub fn begin(&mut self, parts: usize) {
        // Calls of a phase have as many parts, most of them: one division serves them. Calls that weren't foreseen ask for nothing.
        if self.calls == 0 {
            (self.parts, self.per_part) = (0, 0);
        } else if self.parts != parts {
            (self.parts, self.per_part) = (parts, self.per_call / parts.max(1));
        }
        self.calls = self.calls.saturating_sub(1);
    }

    /// Some of the call's parts are next; `ask` is a prefetch.
    #[inline(always)]
    pub fn fetch(&mut self, parts: usize, ask: impl Fn(*const u8)) {
        self.due += parts * self.per_part;
        while self.due >= ONE {
            self.due -= ONE;
            if self.done >= self.now.bytes {
                self.turn();
            }
            for block in self.now.blocks {
                ask(block.wrapping_add(self.done));
            }
            self.done += LINE;
        }
    }

    #[cold]
    fn turn(&mut self) {
        if let Some(streams) = self.queue.get(self.next) {
            (self.now, self.done, self.next) = (*streams, 0, self.next + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    #[test]
    fn lines_are_asked_for_once_and_none_but_the_last_is_left_out_in_whatever_calls_and_parts() {
        let (long, short) = ([0_u8; 1000], [0_u8; 130]);
        for (calls, parts) in [(1, 1), (3, 7), (10, 2), (40, 5)] {
            let mut ahead = Ahead::default();
            // Left from a call before.
            ahead.push([&long[..]; STREAMS]);
            ahead.clear();
            ahead.push([&long[..], &[], &[], &[]]);
            ahead.push([&short[..]; STREAMS]);
            let asked = RefCell::new(BTreeMap::new());
            for phase in [3, 2, 1] {
                ahead.phase(ahead.left() / phase, calls);
                for _ in 0..calls {
                    ahead.begin(parts);
                    for _ in 0..parts {
                        ahead.fetch(1, |at| *asked.borrow_mut().entry(at).or_insert(0) += 1);
                    }
                }
            }
            let expected = [(&long[..], 16), (&short[..], 3)].map(|(bytes, lines)| {
                (0..lines).map(|line| (bytes.as_ptr().wrapping_add(line * LINE), STREAMS)).collect::<Vec<_>>()
            });
            let missing = expected.concat().iter().filter(|(at, _)| !asked.borrow().contains_key(at)).count();
            assert!(missing <= 1, "{missing} lines of {calls} calls of {parts} parts were not asked for");
            assert!(asked.borrow().iter().all(|(at, times)| expected.concat().contains(&(*at, *times))));
        }
    }
}
