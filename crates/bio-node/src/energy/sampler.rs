use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{failures::Failures, ring::Ring};

/// Something that can be read again and again.
pub trait Counter: Send {
    fn read(&mut self) -> Result<f64, Failure>;
}

/// Why a read gave no number: an error of the operating system by its number, or words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    System(i32),
    Text(String),
}

/// The times before the values.
const TIMES: usize = 2;

/// At 10 Hz nearly two hours of an event loop that never comes round; at 1 kHz a minute.
const CAPACITY: usize = 65_536;

/// Reads counters at a steady rate from a thread of its own.
///
/// A row is `[began, ended, value, value, …]`, both in seconds since the sampler began; a value below 0 is `-1 - index` into the failures.
/// Reads by the thread and by `take` exclude one another, so rows are in the order in which they were read.
pub struct Sampler {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    began: Instant,
}

struct State {
    counters: Vec<Box<dyn Counter>>,
    ring: Ring,
    failures: Failures,
    stopped: bool,
}

impl Sampler {
    pub fn start(counters: Vec<Box<dyn Counter>>, period: Duration) -> io::Result<Self> {
        let ring = Ring::new(TIMES + counters.len(), CAPACITY);
        let state = State { counters, ring, failures: Failures::default(), stopped: false };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new(), began: Instant::now() });
        let thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("bio-energy".into())
            .stack_size(256 * 1024)
            .spawn(move || thread.run(period))?;
        Ok(Self { shared })
    }

    /// Moves the rows since the last call into `out`, oldest first, then reads once more and adds that row. Returns how many rows there
    /// are; when they fill `out` there may be more.
    pub fn take(&self, out: &mut [f64]) -> usize {
        let mut state = self.shared.lock();
        let width = TIMES + state.counters.len();
        let rows = state.ring.pop_into(out);
        let Some(free) = out[rows * width..].get_mut(..width) else { return rows };
        for (to, value) in free.iter_mut().zip(state.read(self.shared.began)) {
            *to = value;
        }
        rows + 1
    }

    /// Seconds since the sampler began: the clock of the rows.
    pub fn now(&self) -> f64 {
        self.shared.began.elapsed().as_secs_f64()
    }

    pub fn lost(&self) -> u64 {
        self.shared.lock().ring.lost()
    }

    pub fn failure(&self, index: usize) -> Option<Failure> {
        self.shared.lock().failures.get(index).cloned()
    }

    /// Ends the thread; rows that it left can still be taken, and `take` still reads. Does not wait: a driver may hang in the last read.
    pub fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.wake.notify_all();
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, period: Duration) {
        let mut next = Instant::now() + period;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.stopped {
                return;
            }
            if now < next {
                let waited = self.wake.wait_timeout(state, next - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let row = state.read(self.began);
            state.ring.push(row.into_iter());
            // After a pause of the whole machine there is nothing to catch up on.
            next = (next + period).max(now);
        }
    }
}

impl State {
    fn read(&mut self, began: Instant) -> Vec<f64> {
        let mut row = Vec::with_capacity(TIMES + self.counters.len());
        row.extend([began.elapsed().as_secs_f64(), 0.0]);
        for counter in &mut self.counters {
            row.push(match counter.read() {
                Ok(value) => value,
                Err(failure) => -1.0 - self.failures.index(failure) as f64,
            });
        }
        row[1] = began.elapsed().as_secs_f64();
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts its reads, and fails every third.
    struct Steps(u32);

    impl Counter for Steps {
        fn read(&mut self) -> Result<f64, Failure> {
            self.0 += 1;
            if self.0.is_multiple_of(3) { Err(Failure::System(22)) } else { Ok(f64::from(self.0)) }
        }
    }

    fn start(milliseconds: u64) -> Sampler {
        Sampler::start(vec![Box::new(Steps(0))], Duration::from_millis(milliseconds)).unwrap()
    }

    #[test]
    fn every_read_is_taken_once_and_in_order_whoever_made_it() {
        let sampler = start(1);
        let (mut values, mut times) = (Vec::new(), Vec::new());
        let mut from_thread = 0;
        while from_thread < 20 {
            let mut out = [0.0; 48];
            let rows = sampler.take(&mut out);
            from_thread += rows - 1;
            for row in out[..rows * 3].chunks(3) {
                times.extend([row[0], row[1]]);
                values.push(row[2]);
            }
        }
        assert!(times.is_sorted());
        for (index, value) in values.iter().enumerate() {
            let step = index as u32 + 1;
            assert_eq!(*value, if step.is_multiple_of(3) { -1.0 } else { f64::from(step) });
        }
        assert_eq!(sampler.failure(0), Some(Failure::System(22)));
        assert_eq!(sampler.lost(), 0);
    }

    #[test]
    fn after_stop_the_thread_is_gone_and_reading_goes_on() {
        let sampler = start(1);
        sampler.stop();
        while Arc::strong_count(&sampler.shared) > 1 {
            thread::yield_now();
        }
        let mut out = vec![0.0; 4096];
        let left = sampler.take(&mut out);
        assert!(left >= 1);
        assert_eq!(sampler.take(&mut out), 1);
    }

    #[test]
    fn a_buffer_too_short_for_a_row_gets_none() {
        assert_eq!(start(1000).take(&mut [0.0; 2]), 0);
    }
}
