use std::collections::VecDeque;

/// Rows of numbers, oldest first. When it is full the oldest row makes room, and is counted.
pub struct Ring {
    width: usize,
    capacity: usize,
    values: VecDeque<f64>,
    lost: u64,
}

impl Ring {
    /// Memory is taken as the rows come.
    pub fn new(width: usize, capacity: usize) -> Self {
        Self { width, capacity, values: VecDeque::new(), lost: 0 }
    }

    pub fn push(&mut self, row: impl Iterator<Item = f64>) {
        if self.values.len() == self.capacity * self.width {
            self.values.drain(..self.width);
            self.lost += 1;
        }
        self.values.extend(row);
        debug_assert_eq!(self.values.len() % self.width, 0);
    }

    /// Moves the oldest rows into `out`, as many as fit; returns how many.
    pub fn pop_into(&mut self, out: &mut [f64]) -> usize {
        let rows = (self.values.len() / self.width).min(out.len() / self.width);
        for (to, from) in out.iter_mut().zip(self.values.drain(..rows * self.width)) {
            *to = from;
        }
        rows
    }

    /// Rows that made room before anybody took them.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_rows_in_order_and_counts_those_it_lost() {
        let mut ring = Ring::new(2, 3);
        for row in 0..5 {
            ring.push([f64::from(row), 10.0].into_iter());
        }
        assert_eq!(ring.lost(), 2);
        let mut out = [0.0; 5];
        assert_eq!(ring.pop_into(&mut out), 2);
        assert_eq!(out, [2.0, 10.0, 3.0, 10.0, 0.0]);
        assert_eq!(ring.pop_into(&mut out), 1);
        assert_eq!(out[0], 4.0);
        assert_eq!(ring.pop_into(&mut out), 0);
    }
}
